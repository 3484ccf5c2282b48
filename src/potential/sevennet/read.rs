//! Reads a checkpoint as sevenn 0.9 and 0.10 save it, refusing by name what is not supported.

use ndarray::{Array1, Array2};

use super::read_layer::read_layer;
use super::{Cutoff, RadialBasis, Sevennet};
use crate::crystal::Element;
use crate::potential::ModelError;
use crate::potential::archive::{Archive, Array};
use crate::potential::pickle::{Node, Value};

/// Highest degree of harmonics and features.
const DEGREES: usize = 4;
/// Most layers, channels and radial functions.
const LIMIT: usize = 1 << 12;

/// Whether a file is a checkpoint of sevenn.
pub(crate) fn is_sevennet(archive: &Archive) -> bool {
    let has = |key| archive.pickle().entry(archive.root(), key).is_some();
    has("model_state_dict") && has("config")
}

/// Reads the model of an archive.
pub(crate) fn read(archive: &Archive) -> Result<Sevennet, ModelError> {
    let part = |name: &str| {
        let found = archive.pickle().entry(archive.root(), name);
        found.ok_or_else(|| archive.error(format!("its dictionary has no `{name}`")))
    };
    let file = Checkpoint { archive, tensors: part("model_state_dict")?, config: part("config")? };
    file.check_version()?;
    file.check_settings()?;
    let elements = file.elements()?;
    let degrees = file.degrees()?;
    let features = file.features(&degrees)?;
    let radial = file.radial()?;
    let count = elements.len();
    let embedding = file.matrix("onehot_to_feature_x.linear.weight", count, features[0][0])?;
    let layers = features.windows(2).enumerate().map(|(t, pair)| {
        let messages = if t + 2 == features.len() { 0 } else { degrees.nodes };
        read_layer(&file, t, (&pair[0], &pair[1]), (degrees.edges, messages))
    });
    Ok(Sevennet {
        layers: layers.collect::<Result<_, _>>()?,
        readout: file.readout(features.last().map_or(0, |f| f[0]))?,
        scale: file.by_element("rescale_atomic_energy.scale", count)?,
        shift: file.by_element("rescale_atomic_energy.shift", count)?,
        parameters: file.count_parameters(),
        double: file.tensor("onehot_to_feature_x.linear.weight")?.double,
        heads: vec!["Default".into()],
        lmax: degrees.edges,
        embedding,
        elements,
        radial,
    })
}

/// Highest degrees of harmonics and of features.
struct Degrees {
    edges: usize,
    nodes: usize,
}

/// The two parts of a checkpoint.
pub(super) struct Checkpoint<'a> {
    archive: &'a Archive,
    tensors: Value,
    config: Value,
}

/// Settings that must be as given: where they are, what they must be, what other values mean.
const SETTINGS: [(&str, &str, &str); 12] = [
    ("_model_type", "E3_equivariant_model", ""),
    ("interaction_type", "nequip", ""),
    ("is_parity", "False", "; only models without parity are"),
    ("self_connection_type", "linear", ""),
    ("radial_basis.radial_basis_name", "bessel", ""),
    ("act_radial", "silu", ""),
    ("act_scalar.e", "silu", ""),
    ("act_gate.e", "silu", ""),
    ("use_bias_in_linear", "False", ""),
    ("readout_as_fcn", "False", ""),
    ("optimize_by_reduce", "True", ""),
    (
        "_normalize_sph",
        "True",
        "; its harmonics are not normalised, as those of SevenNet-0 of 22 May 2024: take that of 11 July 2024",
    ),
];
/// Settings that newer versions do not write any more, since they have one value only.
const OPTIONAL: [&str; 2] = ["optimize_by_reduce", "_model_type"];

impl Checkpoint<'_> {
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> ModelError {
        self.archive.error(reason.to_string())
    }

    /// A setting of the model; a point leads into a dictionary.
    fn setting(&self, name: &str) -> Option<Value> {
        name.split('.').try_fold(self.config, |value, key| self.archive.pickle().entry(value, key))
    }

    /// A setting for a message or comparison.
    fn show(&self, name: &str) -> String {
        match self.setting(name) {
            None => "missing".into(),
            Some(Value::None) => "None".into(),
            Some(Value::Bool(flag)) => if flag { "True" } else { "False" }.into(),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Float(number)) => number.to_string(),
            Some(node) => self.archive.pickle().text(node).unwrap_or("something else").to_string(),
        }
    }

    fn number(&self, name: &str) -> Result<f64, ModelError> {
        match self.setting(name) {
            Some(Value::Int(number)) => Ok(number as f64),
            Some(Value::Float(number)) if number.is_finite() => Ok(number),
            _ => Err(self.error(format!("its setting {name} is {}, no number", self.show(name)))),
        }
    }

    fn integer(&self, name: &str) -> Result<usize, ModelError> {
        let number = self.number(name)?;
        if (0.0..=LIMIT as f64).contains(&number) && number.fract() == 0.0 {
            return Ok(number as usize);
        }
        Err(self.error(format!("its setting {name} is {number}, which is not supported")))
    }

    fn check_version(&self) -> Result<(), ModelError> {
        let version = self.show("version");
        let mut numbers = version.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(0)), Some(Ok(9 | 10))) => Ok(()),
            _ => Err(self.error(format!(
                "it was saved by version {version} of sevenn, which orders its weights differently; checkpoints of \
                 versions 0.9 and 0.10 are supported, such as the one that the package sevenn 0.10.1 holds"
            ))),
        }
    }

    fn check_settings(&self) -> Result<(), ModelError> {
        let differs = |(name, expected, _): &&(&str, &str, &str)| {
            let found = self.show(name);
            found != *expected && !(found == "missing" && OPTIONAL.contains(name))
        };
        match SETTINGS.iter().find(differs) {
            None => Ok(()),
            Some((name, expected, hint)) => {
                let found = self.show(name);
                Err(self.error(format!(
                    "it is a SevenNet with {name} {found}, which is not supported; {expected} is{hint}"
                )))
            }
        }
    }

    /// Elements in the order of the weights.
    fn elements(&self) -> Result<Vec<Element>, ModelError> {
        let wrong = || self.error("its setting _type_map does not number the elements 0, 1, 2, ...");
        let entries = self.setting("_type_map").and_then(|v| self.archive.pickle().entries(v)).unwrap_or(&[]);
        let mut elements = vec![None; entries.len()];
        for entry in entries {
            let (Value::Int(number), Value::Int(place)) = *entry else { return Err(wrong()) };
            let element = usize::try_from(number).ok().and_then(Element::from_number);
            let place = usize::try_from(place).ok().and_then(|place| elements.get_mut(place));
            *place.ok_or_else(wrong)? = element;
        }
        let elements: Option<Vec<Element>> = elements.into_iter().collect();
        elements.filter(|e| !e.is_empty()).ok_or_else(wrong)
    }

    fn degrees(&self) -> Result<Degrees, ModelError> {
        let lmax = self.integer("lmax")?;
        let own = |name: &str| match self.setting(name) {
            // -1 stands for lmax.
            None | Some(Value::Int(..=0)) => Ok(lmax),
            _ => self.integer(name),
        };
        let degrees = Degrees { edges: own("lmax_edge")?, nodes: own("lmax_node")? };
        match degrees.edges.max(degrees.nodes) {
            0..=DEGREES => Ok(degrees),
            highest => {
                Err(self.error(format!("degrees up to {highest} are not supported; up to {DEGREES} are")))
            }
        }
    }

    /// Channels by degree of the features before, between and after the layers.
    fn features(&self, degrees: &Degrees) -> Result<Vec<Vec<usize>>, ModelError> {
        let count = self.integer("num_convolution_layer")?;
        let manual = self.setting("irreps_manual").and_then(|v| self.archive.pickle().items(v));
        let features: Vec<Vec<usize>> = match manual {
            Some(list) => {
                let parse = |v: &Value| self.archive.pickle().text(*v).and_then(channels);
                let parsed: Option<Vec<_>> = list.iter().map(parse).collect();
                parsed.ok_or_else(|| {
                    self.error("its irreps_manual are not supported; those like 128x0e+64x1e+32x2e are")
                })?
            }
            None => {
                let channels = self.integer("channel")?;
                let highest = |t: usize| if t == count { 0 } else { (t * degrees.edges).min(degrees.nodes) };
                (0..=count).map(|t| vec![channels; highest(t) + 1]).collect()
            }
        };
        let reachable = |t: usize| {
            let highest = if t == count { 0 } else { (t * degrees.edges).min(degrees.nodes) };
            features[t].len() <= highest + 1
        };
        if count == 0 || features.len() != count + 1 || !(0..=count).all(reachable) {
            return Err(self.error("the degrees of its features do not suit its layers"));
        }
        Ok(features)
    }

    fn radial(&self) -> Result<RadialBasis, ModelError> {
        let range = self.number("cutoff")?;
        let name = "cutoff_function.cutoff_function_name";
        let cutoff = match self.show(name).as_str() {
            "XPLOR" => Cutoff::Xplor { onset: self.number("cutoff_function.cutoff_on")? },
            "poly_cut" => {
                let name = "cutoff_function.poly_cut_p_value";
                let exponent = if self.setting(name).is_some() { self.integer(name)? } else { 6 };
                Cutoff::Polynomial { exponent: exponent as i32 }
            }
            other => {
                let reason = format!("a cutoff function {other} is not supported; XPLOR and poly_cut are");
                return Err(self.error(reason));
            }
        };
        let sound = match cutoff {
            Cutoff::Xplor { onset } => onset > 0.0 && onset < range,
            Cutoff::Polynomial { exponent } => (1..=64).contains(&exponent),
        };
        if !(sound && range > 0.5 && range < 50.0) {
            return Err(
                self.error(format!("its cutoff of {range} Angstrom or the onset of it is not supported"))
            );
        }
        let wave_numbers = self.tensor("edge_embedding.basis_function.coeffs")?.values;
        if wave_numbers.is_empty() || wave_numbers.len() > LIMIT {
            return Err(self.error("the number of its radial functions is not supported"));
        }
        Ok(RadialBasis { range, wave_numbers, prefactor: 2.0 / range, cutoff })
    }

    /// The readout is two linear maps without an activation between them.
    fn readout(&self, channels: usize) -> Result<Array1<f64>, ModelError> {
        let first = "reduce_input_to_hidden.linear.weight";
        let hidden = self.tensor(first)?.values.len() / channels;
        let second = self.matrix("reduce_hidden_to_energy.linear.weight", hidden, 1)?;
        Ok(self.matrix(first, channels, hidden)?.dot(&second.column(0)))
    }

    /// One number an element; a single one serves all.
    fn by_element(&self, name: &str, elements: usize) -> Result<Vec<f64>, ModelError> {
        let values = self.tensor(name)?.values;
        if values.len() == 1 { Ok(vec![values[0]; elements]) } else { self.numbers(name, elements) }
    }

    /// The weights of a linear map, row-major, divided by the square root of its inputs.
    pub(super) fn matrix(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Array2<f64>, ModelError> {
        let mut blocks = self.blocks(name, &[inputs], &[outputs])?;
        blocks.pop().ok_or_else(|| self.error(format!("tensor `{name}` is empty")))
    }

    /// The weights of a linear map that mixes channels of equal degree, for the degrees that it has in common.
    pub(super) fn blocks(
        &self,
        name: &str,
        inputs: &[usize],
        outputs: &[usize],
    ) -> Result<Vec<Array2<f64>>, ModelError> {
        let sizes = || inputs.iter().zip(outputs);
        let numbers = self.numbers(name, sizes().map(|(a, b)| a * b).sum())?;
        let mut rest = &numbers[..];
        let block = |(inputs, outputs): (&usize, &usize)| {
            let (block, after) = rest.split_at(inputs * outputs);
            rest = after;
            let block = Array2::from_shape_vec((*inputs, *outputs), block.to_vec());
            Ok(block.map_err(|e| self.error(e))? / (*inputs as f64).sqrt())
        };
        sizes().map(block).collect()
    }

    /// A tensor with as many elements as `count`, row-major.
    pub(super) fn numbers(&self, name: &str, count: usize) -> Result<Vec<f64>, ModelError> {
        let values = self.tensor(name)?.values;
        if values.len() == count {
            return Ok(values);
        }
        let found = values.len();
        Err(self.error(format!("tensor `{name}` has {found} elements instead of {count}")))
    }

    /// A tensor by name, all of its numbers finite.
    pub(super) fn tensor(&self, name: &str) -> Result<Array, ModelError> {
        let value = self.archive.pickle().entry(self.tensors, name);
        let value = value.ok_or_else(|| self.error(format!("there is no tensor `{name}`")))?;
        let array = self.archive.array(name, value)?;
        match array.values.iter().all(|v| v.is_finite()) {
            true => Ok(array),
            false => Err(self.error(format!("tensor `{name}` holds numbers that are not finite"))),
        }
    }

    /// Number of functions of the distance.
    pub(super) fn radial_functions(&self) -> Result<usize, ModelError> {
        Ok(self.tensor("edge_embedding.basis_function.coeffs")?.values.len())
    }

    /// Whether there is such a tensor.
    pub(super) fn has_tensor(&self, name: &str) -> bool {
        self.archive.pickle().entry(self.tensors, name).is_some()
    }

    /// Elements of all trained tensors.
    fn count_parameters(&self) -> usize {
        let pickle = self.archive.pickle();
        let trained =
            |name: &str| name.ends_with("weight") || name.ends_with("coeffs") || name.ends_with("bias");
        let entries = pickle.entries(self.tensors).unwrap_or(&[]).iter();
        let sizes =
            entries.filter(|(name, _)| pickle.text(*name).is_some_and(trained)).map(
                |(_, value)| match pickle.node(*value) {
                    Some(Node::Tensor { size, .. }) => size.iter().fold(1_usize, |n, s| n.saturating_mul(*s)),
                    _ => 0,
                },
            );
        sizes.fold(0, usize::saturating_add)
    }
}

/// Channels by degree of irreps like `128x0e+64x1e`: all even, degrees 0, 1, 2, ... in order.
fn channels(irreps: &str) -> Option<Vec<usize>> {
    let terms = irreps.split('+').enumerate().map(|(l, term)| {
        let (count, irrep) = term.trim().split_once('x')?;
        let count = count.parse().ok().filter(|n| (1..=LIMIT).contains(n))?;
        (irrep == format!("{l}e")).then_some(count)
    });
    terms.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irreps_are_channels_by_degree() {
        assert_eq!(channels("128x0e+64x1e+32x2e"), Some(vec![128, 64, 32]));
        for wrong in ["128x0e+64x2e", "128x0o", "64x1e", "0x0e", "x0e", "", "128x0e+64x1e+"] {
            assert_eq!(channels(wrong), None, "{wrong}");
        }
    }
}
