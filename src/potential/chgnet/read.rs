//! Reads the files of the package chgnet: a dictionary with `model_args` and the tensors of `state_dict`. Whatever differs
//! from version 0.3.0 is refused by name.

use ndarray::{Array1, Array2};

use super::{Branch, Chgnet, Convolution, FEATURES, Fourier, GatedMlp, Linear, Norm, RadialFunctions};
use crate::crystal::Element;
use crate::potential::ModelError;
use crate::potential::archive::{Archive, Array};
use crate::potential::pickle::{Node, Value};

/// Elements that the model has weights for, hydrogen first.
const ELEMENTS: usize = 94;
/// Functions of the distance, and of the angle.
const FUNCTIONS: usize = 31;
const CONVOLUTIONS: usize = 4;
const CUTOFF: f64 = 6.0;
const ANGLE_CUTOFF: f64 = 3.0;

/// What the file must say of the model.
enum Expected {
    Number(f64),
    Flag(bool),
    Text(&'static str),
    Numbers(&'static [f64]),
}

/// Hyperparameters that change the energy.
const HYPERPARAMETERS: &[(&str, Expected)] = &[
    ("atom_fea_dim", Expected::Number(FEATURES as f64)),
    ("bond_fea_dim", Expected::Number(FEATURES as f64)),
    ("angle_fea_dim", Expected::Number(FEATURES as f64)),
    ("num_radial", Expected::Number(FUNCTIONS as f64)),
    ("num_angular", Expected::Number(FUNCTIONS as f64)),
    ("n_conv", Expected::Number(CONVOLUTIONS as f64)),
    ("atom_conv_hidden_dim", Expected::Number(FEATURES as f64)),
    ("bond_conv_hidden_dim", Expected::Number(FEATURES as f64)),
    ("angle_layer_hidden_dim", Expected::Number(0.0)),
    ("update_bond", Expected::Flag(true)),
    ("update_angle", Expected::Flag(true)),
    ("mlp_hidden_dims", Expected::Numbers(&[FEATURES as f64; 3])),
    ("mlp_first", Expected::Flag(true)),
    ("is_intensive", Expected::Flag(true)),
    ("non_linearity", Expected::Text("silu")),
    ("gMLP_norm", Expected::Text("layer")),
    ("readout_norm", Expected::Text("layer")),
    ("atom_graph_cutoff", Expected::Number(CUTOFF)),
    ("bond_graph_cutoff", Expected::Number(ANGLE_CUTOFF)),
    ("cutoff_coeff", Expected::Number(8.0)),
];

/// Whether a file is one of the package chgnet.
pub(crate) fn is_chgnet(archive: &Archive) -> bool {
    let entry = |value, key| archive.pickle().entry(value, key);
    entry(archive.root(), "model").is_some_and(|m| entry(m, "model_args").is_some())
}

/// Reads the model of an archive.
pub(crate) fn read(archive: &Archive) -> Result<Chgnet, ModelError> {
    let file = File::open(archive)?;
    file.check_hyperparameters()?;
    let elements = (1..=ELEMENTS).filter_map(Element::from_number).collect();
    let functions = |name: &str| file.matrix(name, FUNCTIONS);
    let frequencies = |name: &str, count: usize| -> Result<Array1<f64>, ModelError> {
        Ok(Array1::from(file.numbers(&format!("{name}.frequencies"), &[count])?))
    };
    let radial = |set: &str, cutoff: f64| -> Result<RadialFunctions, ModelError> {
        let name = format!("bond_basis_expansion.rbf_expansion_{set}");
        Ok(RadialFunctions { cutoff, frequencies: frequencies(&name, FUNCTIONS)? })
    };
    let embedding = file.numbers("atom_embedding.embedding.weight", &[ELEMENTS, FEATURES])?;
    let embedding = Array2::from_shape_vec((ELEMENTS, FEATURES), embedding).map_err(|e| file.error(e))?;
    let angles = frequencies("angle_basis_expansion.fourier_expansion", FUNCTIONS / 2)?;
    let atom = |t: usize| file.convolution(&format!("atom_conv_layers.{t}"), "twoBody_atom", 3);
    let bond = |t: usize| file.convolution(&format!("bond_conv_layers.{t}"), "twoBody_bond", 4);
    let angle = |t: usize| file.gated(&format!("angle_layers.{t}.twoBody_bond"), &[1], 4);
    Ok(Chgnet {
        elements,
        training: vec![file.training()],
        embedding,
        atomic_energies: file.numbers("composition_model.fc.weight", &[1, ELEMENTS])?.into(),
        bond_functions: radial("ag", CUTOFF)?,
        short_functions: radial("bg", ANGLE_CUTOFF)?,
        angle_functions: Fourier { frequencies: angles },
        bond_embedding: functions("bond_embedding")?,
        bond_weights: functions("bond_weights_ag")?,
        short_weights: functions("bond_weights_bg")?,
        angle_embedding: functions("angle_embedding")?,
        atom_convolutions: (0..CONVOLUTIONS).map(atom).collect::<Result<_, _>>()?,
        bond_convolutions: (0..CONVOLUTIONS - 1).map(bond).collect::<Result<_, _>>()?,
        // The file has one more, whose result nothing uses.
        angle_updates: (0..CONVOLUTIONS - 2).map(angle).collect::<Result<_, _>>()?,
        readout_norm: file.norm("readout_norm")?,
        readout: file.readout()?,
        parameters: file.count_parameters(),
    })
}

/// The two parts of a file.
struct File<'a> {
    archive: &'a Archive,
    tensors: Value,
    arguments: Value,
}

impl<'a> File<'a> {
    fn open(archive: &'a Archive) -> Result<File<'a>, ModelError> {
        let part = |name: &str| {
            let model = archive.pickle().entry(archive.root(), "model");
            let found = model.and_then(|m| archive.pickle().entry(m, name));
            found.ok_or_else(|| archive.error(format!("its dictionary `model` has no `{name}`")))
        };
        Ok(File { archive, tensors: part("state_dict")?, arguments: part("model_args")? })
    }

    fn error(&self, reason: impl std::fmt::Display) -> ModelError {
        self.archive.error(reason.to_string())
    }

    fn check_hyperparameters(&self) -> Result<(), ModelError> {
        let is = |name: &str, expected: &Expected| {
            self.archive.pickle().entry(self.arguments, name).is_some_and(|v| self.equals(v, expected))
        };
        if is("atom_graph_cutoff", &Expected::Number(5.0)) && is("num_radial", &Expected::Number(9.0)) {
            let reason = "it is CHGNet 0.2.0, which is not supported; CHGNet 0.3.0 is, and it is embedded:chgnet-0.3.0";
            return Err(self.error(reason));
        }
        match HYPERPARAMETERS.iter().find(|(name, expected)| !is(name, expected)) {
            None => Ok(()),
            Some((name, expected)) => {
                let found = self.archive.pickle().entry(self.arguments, name);
                let found = found.map_or("nothing".into(), |v| self.show(v));
                let expected = expected.show();
                let reason = format!(
                    "it is a CHGNet with {name} = {found}, which is not supported; CHGNet 0.3.0 has {expected}"
                );
                Err(self.error(reason))
            }
        }
    }

    fn equals(&self, value: Value, expected: &Expected) -> bool {
        let pickle = self.archive.pickle();
        match expected {
            Expected::Number(number) => as_number(value) == Some(*number),
            Expected::Flag(flag) => value == Value::Bool(*flag),
            Expected::Text(text) => pickle.text(value) == Some(text),
            Expected::Numbers(numbers) => pickle.items(value).is_some_and(|items| {
                items.len() == numbers.len()
                    && items.iter().zip(*numbers).all(|(i, n)| as_number(*i) == Some(*n))
            }),
        }
    }

    /// A value for a message.
    fn show(&self, value: Value) -> String {
        let pickle = self.archive.pickle();
        match value {
            Value::None => "None".into(),
            Value::Bool(flag) => flag.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Node(_) => match pickle.items(value) {
                Some(items) => format!("a list of {} entries", items.len()),
                None => pickle.text(value).unwrap_or("something else").to_string(),
            },
        }
    }

    /// What the energies of isolated atoms belong to.
    fn training(&self) -> String {
        let pickle = self.archive.pickle();
        let name = pickle.entry(self.arguments, "composition_model").and_then(|v| pickle.text(v));
        name.unwrap_or("Default").to_string()
    }

    fn count_parameters(&self) -> usize {
        let pickle = self.archive.pickle();
        let tensors = pickle.entries(self.tensors).unwrap_or(&[]).iter().filter_map(|(_, v)| pickle.node(*v));
        let size = |node: &Node| match node {
            Node::Tensor { size, .. } => size.iter().fold(1_usize, |n, s| n.saturating_mul(*s)),
            _ => 0,
        };
        tensors.map(size).fold(0, usize::saturating_add)
    }

    /// A tensor of the given shape, row-major.
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, ModelError> {
        let value = self.archive.pickle().entry(self.tensors, name);
        let value = value.ok_or_else(|| self.error(format!("there is no tensor `{name}`")))?;
        let Array { shape: found, values, .. } = self.archive.array(name, value)?;
        if found != shape {
            return Err(self.error(format!("tensor `{name}` has the shape {found:?} instead of {shape:?}")));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(self.error(format!("tensor `{name}` holds numbers that are not finite")));
        }
        Ok(values)
    }

    /// `NAME.weight`, `[C][inputs]` in the file and transposed here.
    fn matrix(&self, name: &str, inputs: usize) -> Result<Array2<f64>, ModelError> {
        self.weights(name, inputs, FEATURES)
    }

    fn weights(&self, name: &str, inputs: usize, outputs: usize) -> Result<Array2<f64>, ModelError> {
        let values = self.numbers(&format!("{name}.weight"), &[outputs, inputs])?;
        let matrix = Array2::from_shape_vec((outputs, inputs), values).map_err(|e| self.error(e))?;
        Ok(matrix.t().as_standard_layout().into_owned())
    }

    fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, ModelError> {
        let bias = self.numbers(&format!("{name}.bias"), &[outputs])?.into();
        Ok(Linear { weights: self.weights(name, inputs, outputs)?, bias })
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let vector = |what: &str| -> Result<Array1<f64>, ModelError> {
            Ok(self.numbers(&format!("{name}.{what}"), &[FEATURES])?.into())
        };
        Ok(Norm { scale: vector("weight")?, shift: vector("bias")? })
    }

    fn convolution(&self, name: &str, mlp: &str, inputs: usize) -> Result<Convolution, ModelError> {
        Ok(Convolution {
            message: self.gated(&format!("{name}.{mlp}"), &[0, 3], inputs)?,
            output: self.matrix(&format!("{name}.mlp_out.layers.1"), FEATURES)?,
        })
    }

    /// `layers` are the places of the linear ones among activations and dropouts.
    fn gated(&self, name: &str, layers: &[usize], inputs: usize) -> Result<GatedMlp, ModelError> {
        let branch = |branch: &str, norm: &str| -> Result<Branch, ModelError> {
            let linear = |(k, place): (usize, &usize)| {
                let inputs = if k == 0 { inputs * FEATURES } else { FEATURES };
                self.linear(&format!("{name}.mlp_{branch}.layers.{place}"), inputs, FEATURES)
            };
            Ok(Branch {
                layers: layers.iter().enumerate().map(linear).collect::<Result<_, _>>()?,
                norm: self.norm(&format!("{name}.{norm}"))?,
            })
        };
        // The names are older than the norms: these are layer norms.
        Ok(GatedMlp { core: branch("core", "bn1")?, gate: branch("gate", "bn2")? })
    }

    fn readout(&self) -> Result<Vec<Linear>, ModelError> {
        let layers = [(0, FEATURES), (2, FEATURES), (4, FEATURES), (7, 1)];
        let linear =
            |(place, outputs): (usize, usize)| self.linear(&format!("mlp.layers.{place}"), FEATURES, outputs);
        layers.into_iter().map(linear).collect()
    }
}

fn as_number(value: Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        _ => None,
    }
}

impl Expected {
    fn show(&self) -> String {
        match self {
            Expected::Number(number) => number.to_string(),
            Expected::Flag(flag) => flag.to_string(),
            Expected::Text(text) => (*text).to_string(),
            Expected::Numbers(numbers) => format!("{numbers:?}"),
        }
    }
}
