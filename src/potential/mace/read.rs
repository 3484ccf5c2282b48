//! Reads a model as mace-torch saves it (0.3.4 and later), refusing by name what is not supported.

use super::read_layer::read_layer;
use super::read_parts::{Sizes, matrix, silu_moment};
use super::{Agnesi, Layer, Mace, RadialBasis, Readout, Zbl};
use crate::crystal::Element;
use crate::potential::ModelError;
use crate::potential::archive::Archive;
use crate::potential::module::Module;

/// Reads the model of an archive.
pub(crate) fn read(archive: &Archive) -> Result<Mace, ModelError> {
    if archive.pickle().entries(archive.root()).is_some() {
        let reason = "it holds a dictionary, such as a training checkpoint; \
                      give the model that mace_run_train saves beside it (NAME.model)";
        return Err(archive.error(reason));
    }
    let root = Module::root(archive)?;
    check_architecture(&root)?;
    let elements = read_elements(&root)?;
    let channels = channels(&root, elements.len())?;
    let lmax = root.child("spherical_harmonics")?.number("_lmax")? as usize;
    if lmax > 6 {
        return Err(root.error(format!("harmonics up to degree {lmax} are not supported; the limit is 6")));
    }
    let radial = read_radial(&root.child("radial_embedding")?)?;
    let sizes = Sizes { elements: elements.len(), channels, lmax, basis: radial.len() };
    let heads = root.strings("heads").filter(|h| !h.is_empty()).unwrap_or_else(|| vec!["Default".into()]);
    let layers = read_layers(&root, &sizes)?;
    let readouts = read_readouts(&root, &sizes, heads.len(), layers.len())?;
    let embedding = root.child("node_embedding")?.child("linear")?;
    let embedding = matrix(&embedding, "weight", elements.len(), channels)? / (elements.len() as f64).sqrt();
    let scale_shift = root.child("scale_shift")?;
    Ok(Mace {
        zbl: read_zbl(&root)?,
        atomic_energies: matrix(
            &root.child("atomic_energies_fn")?,
            "atomic_energies",
            heads.len(),
            elements.len(),
        )?,
        scale: per_head(&scale_shift, "scale", heads.len())?,
        shift: per_head(&scale_shift, "shift", heads.len())?,
        parameters: root.count_parameters()?,
        double: root.child("node_embedding")?.child("linear")?.array("weight")?.double,
        elements,
        heads,
        channels,
        lmax,
        radial,
        embedding,
        layers,
        readouts,
    })
}

fn check_architecture(root: &Module) -> Result<(), ModelError> {
    if root.class() != "ScaleShiftMACE" {
        let class = root.class();
        return Err(root.error(format!("a model of class {class} is not supported; ScaleShiftMACE is")));
    }
    for flag in ["use_so3", "use_agnostic_product", "use_last_readout_only"] {
        if root.flag(flag) {
            return Err(root.error(format!("a model with {flag} is not supported")));
        }
    }
    for module in ["joint_embedding", "embedding_readout"] {
        if root.has(module) {
            return Err(root.error(format!("a model with {module} is not supported")));
        }
    }
    let radial = root.child("radial_embedding")?;
    let applied = |m: &Module| m.flag("apply_cutoff") || !m.has("apply_cutoff");
    if !applied(root) || !applied(&radial) {
        return Err(root.error("a model with apply_cutoff=False is not supported"));
    }
    Ok(())
}

fn read_elements(root: &Module) -> Result<Vec<Element>, ModelError> {
    let numbers = root.array("atomic_numbers")?.values;
    let element = |z: &f64| Element::from_number(*z as usize).filter(|_| z.fract() == 0.0 && *z >= 0.0);
    let elements = numbers.iter().map(element).collect::<Option<Vec<_>>>();
    let elements = elements.filter(|e| !e.is_empty());
    elements.ok_or_else(|| root.error("`atomic_numbers` are no atomic numbers"))
}

fn channels(root: &Module, elements: usize) -> Result<usize, ModelError> {
    let embedding = root.child("node_embedding")?;
    let weights = embedding.child("linear")?.array("weight")?.values.len();
    match weights / elements {
        0 => Err(embedding.error("there are no channels")),
        channels if channels * elements == weights => Ok(channels),
        _ => Err(embedding.error(format!("{weights} weights do not divide among {elements} elements"))),
    }
}

fn read_radial(module: &Module) -> Result<RadialBasis, ModelError> {
    let bessel = module.child("bessel_fn")?;
    if bessel.class() != "BesselBasis" {
        return Err(bessel.error(format!("a radial basis {} is not supported", bessel.class())));
    }
    let envelope = module.child("cutoff_fn")?;
    if envelope.class() != "PolynomialCutoff" {
        return Err(envelope.error(format!("a cutoff {} is not supported", envelope.class())));
    }
    let transform = module.optional_child("distance_transform").map(|t| read_agnesi(&t)).transpose()?;
    let functions = bessel.array("bessel_weights")?.values.len();
    let radial = RadialBasis {
        cutoff: positive(&bessel, "r_max")?,
        wave_numbers: bessel.numbers("bessel_weights", functions)?,
        prefactor: bessel.number("prefactor")?,
        exponent: exponent(&envelope)?,
        envelope_range: positive(&envelope, "r_max")?,
        transform,
    };
    if radial.cutoff > 20.0 || radial.is_empty() {
        return Err(bessel.error("the radial basis is empty or reaches beyond 20 Angstrom"));
    }
    Ok(radial)
}

fn read_agnesi(module: &Module) -> Result<Agnesi, ModelError> {
    if module.class() != "AgnesiTransform" {
        return Err(module.error(format!("a distance transform {} is not supported", module.class())));
    }
    Ok(Agnesi {
        a: module.number("a")?,
        q: module.number("q")?,
        p: module.number("p")?,
        covalent_radii: covalent_radii(module)?,
    })
}

fn read_zbl(root: &Module) -> Result<Option<Zbl>, ModelError> {
    let Some(module) = root.optional_child("pair_repulsion_fn") else { return Ok(None) };
    if module.class() != "ZBLBasis" {
        return Err(module.error(format!("a pair repulsion {} is not supported", module.class())));
    }
    let c: [f64; 4] =
        module.numbers("c", 4)?.try_into().map_err(|_| module.error("`c` must have 4 numbers"))?;
    Ok(Some(Zbl {
        c,
        exponent: exponent(&module)?,
        covalent_radii: covalent_radii(&module)?,
        charge_exponent: module.number("a_exp")?,
        length_prefactor: positive(&module, "a_prefactor")?,
    }))
}

/// A table by atomic number, made long enough for every element.
fn covalent_radii(module: &Module) -> Result<Vec<f64>, ModelError> {
    let count = module.array("covalent_radii")?.values.len();
    let mut radii = module.numbers("covalent_radii", count)?;
    if radii.iter().skip(1).any(|r| *r <= 0.0) || radii.len() < 2 {
        return Err(module.error("`covalent_radii` must be positive"));
    }
    // ase's tables end at curium and say 2 for "unknown" beyond it.
    radii.resize(119.max(radii.len()), 2.0);
    Ok(radii)
}

fn positive(module: &Module, name: &str) -> Result<f64, ModelError> {
    let value = module.number(name)?;
    if value > 0.0 { Ok(value) } else { Err(module.error(format!("`{name}` must be positive"))) }
}

fn exponent(module: &Module) -> Result<f64, ModelError> {
    let p = module.number("p")?;
    if (1.0..=64.0).contains(&p) && p.fract() == 0.0 {
        Ok(p)
    } else {
        Err(module.error(format!("a cutoff exponent p = {p} is not supported")))
    }
}

fn read_layers(root: &Module, sizes: &Sizes) -> Result<Vec<Layer>, ModelError> {
    let (interactions, products) = (root.list("interactions")?, root.list("products")?);
    if interactions.is_empty() || interactions.len() != products.len() {
        return Err(root.error("`interactions` and `products` do not pair up"));
    }
    let mut inputs = vec![0];
    let mut layers = Vec::new();
    for (interaction, product) in interactions.iter().zip(&products) {
        let layer = read_layer(interaction, product, &inputs, sizes)?;
        inputs = layer.outputs.clone();
        layers.push(layer);
    }
    Ok(layers)
}

fn read_readouts(
    root: &Module,
    sizes: &Sizes,
    heads: usize,
    layers: usize,
) -> Result<Vec<Readout>, ModelError> {
    let modules = root.list("readouts")?;
    if modules.len() != layers {
        return Err(root.error(format!("{} readouts for {layers} layers are not supported", modules.len())));
    }
    modules.iter().map(|m| read_readout(m, sizes, heads)).collect()
}

fn read_readout(module: &Module, sizes: &Sizes, heads: usize) -> Result<Readout, ModelError> {
    let channels = sizes.channels;
    let root_c = (channels as f64).sqrt();
    match module.class() {
        "LinearReadoutBlock" => {
            Ok(Readout::Linear(matrix(&module.child("linear")?, "weight", channels, heads)? / root_c))
        }
        "NonLinearReadoutBlock" => {
            let (first, second) = (module.child("linear_1")?, module.child("linear_2")?);
            let hidden = second.array("weight")?.values.len() / heads;
            if hidden == 0 || !hidden.is_multiple_of(heads) {
                return Err(module.error(format!("{hidden} hidden units do not divide among {heads} heads")));
            }
            let activations = module.child("non_linearity")?.list("acts")?;
            let [activation] = activations.as_slice() else {
                return Err(module.error("a readout with several activations is not supported"));
            };
            Ok(Readout::Hidden {
                first: matrix(&first, "weight", channels, hidden)? / root_c,
                second: matrix(&second, "weight", hidden, heads)? / (hidden as f64).sqrt(),
                kappa: silu_moment(activation)?,
            })
        }
        other => Err(module.error(format!("a readout {other} is not supported"))),
    }
}

/// One value for each head; a single value serves all.
fn per_head(module: &Module, name: &str, heads: usize) -> Result<Vec<f64>, ModelError> {
    let count = module.array(name)?.values.len();
    if count == 1 { Ok(vec![module.number(name)?; heads]) } else { module.numbers(name, heads) }
}
