//! Reads one interaction block and the product block that follows it.

use ndarray::{Array2, Array3};

use super::read_parts::{Sizes, density_weights, matrix, silu_moment};
use super::{Contraction, Layer, Normaliser, Path, RadialNetwork, Skip, paths};
use crate::equivariant::components;
use crate::potential::ModelError;
use crate::potential::module::Module;

/// What a block does, by the name of its class.
struct Block {
    residual: bool,
    density: bool,
}

fn block(interaction: &Module) -> Result<Block, ModelError> {
    let (residual, density) = match interaction.class() {
        "RealAgnosticInteractionBlock" => (false, false),
        "RealAgnosticResidualInteractionBlock" => (true, false),
        "RealAgnosticDensityInteractionBlock" => (false, true),
        "RealAgnosticDensityResidualInteractionBlock" => (true, true),
        other => return Err(interaction.error(format!("an interaction block {other} is not supported"))),
    };
    Ok(Block { residual, density })
}

/// Reads a layer whose input features have the degrees `inputs`.
pub(super) fn read_layer(
    interaction: &Module,
    product: &Module,
    inputs: &[usize],
    sizes: &Sizes,
) -> Result<Layer, ModelError> {
    let block = block(interaction)?;
    let paths = paths(inputs, sizes.lmax);
    check_paths(interaction, &paths, sizes)?;
    let outputs = degrees(&product.child("linear")?, "irreps_out", sizes)?;
    let up_weights = interaction.child("linear_up")?;
    let normaliser = if block.density {
        Normaliser::Density(density_weights(&interaction.child("density_fn")?, sizes.basis)?)
    } else {
        let mean = interaction.number("avg_num_neighbors")?;
        if mean <= 0.0 {
            return Err(interaction.error("`avg_num_neighbors` must be positive"));
        }
        Normaliser::Mean(mean)
    };
    Ok(Layer {
        block: interaction.class().to_string(),
        inputs: inputs.to_vec(),
        up: blocks(&up_weights, inputs.len(), sizes.channels, |_| (sizes.channels as f64).sqrt())?,
        network: read_network(&interaction.child("conv_tp_weights")?, paths.len() * sizes.channels, sizes)?,
        linear: read_linear(&interaction.child("linear")?, &paths, sizes)?,
        normaliser,
        skip: read_skip(interaction, product, &block, (inputs, &outputs), sizes)?,
        contractions: read_contractions(product, &outputs, sizes)?,
        product: blocks(&product.child("linear")?, outputs.len(), sizes.channels, |_| {
            (sizes.channels as f64).sqrt()
        })?,
        outputs,
        paths,
    })
}

/// Degrees of irreps that must be C copies of each, in natural parity and increasing order.
fn degrees(module: &Module, name: &str, sizes: &Sizes) -> Result<Vec<usize>, ModelError> {
    let irreps = module.irreps(name)?;
    let natural = |(i, (multiplicity, l, parity)): (usize, &(usize, usize, i64))| {
        *multiplicity == sizes.channels
            && *parity == if l % 2 == 0 { 1 } else { -1 }
            && *l <= sizes.lmax
            && (i == 0) == (*l == 0)
    };
    let increasing = irreps.windows(2).all(|w| w[0].1 < w[1].1);
    if irreps.is_empty() || !increasing || !irreps.iter().enumerate().all(natural) {
        let text: Vec<String> =
            (irreps.iter()).map(|(n, l, p)| format!("{n}x{l}{}", if *p == 1 { 'e' } else { 'o' })).collect();
        let text = text.join("+");
        return Err(module.error(format!(
            "features {text} are not supported; those of natural parity, scalars first, with the same number of \
             channels are"
        )));
    }
    Ok(irreps.iter().map(|i| i.1).collect())
}

/// Cross-checks the couplings that the file lists, where it lists them.
fn check_paths(interaction: &Module, paths: &[Path], sizes: &Sizes) -> Result<(), ModelError> {
    let middle = interaction.child("conv_tp")?.irreps("irreps_out")?;
    let expected: Vec<usize> = paths.iter().map(|p| p.l3).collect();
    let found: Vec<usize> = middle.iter().map(|i| i.1).collect();
    if found != expected || middle.iter().any(|i| i.0 != sizes.channels) {
        return Err(
            interaction.error("the couplings of `conv_tp` are not the natural-parity ones in their order")
        );
    }
    Ok(())
}

/// A flat weight of `count` square matrices, each divided by its own norm.
fn blocks(
    module: &Module,
    count: usize,
    channels: usize,
    norm: impl Fn(usize) -> f64,
) -> Result<Vec<Array2<f64>>, ModelError> {
    let stacked = matrix(module, "weight", count * channels, channels)?;
    let block = |k: usize| {
        let rows = ndarray::s![k * channels..(k + 1) * channels, ..];
        stacked.slice(rows).mapv(|w| w / norm(k))
    };
    Ok((0..count).map(block).collect())
}

fn read_linear(module: &Module, paths: &[Path], sizes: &Sizes) -> Result<Vec<Array2<f64>>, ModelError> {
    let fan_in = |k: usize| paths.iter().filter(|p| p.l3 == paths[k].l3).count() * sizes.channels;
    blocks(module, paths.len(), sizes.channels, |k| (fan_in(k) as f64).sqrt())
}

fn read_network(module: &Module, outputs: usize, sizes: &Sizes) -> Result<RadialNetwork, ModelError> {
    let layers: Vec<Module> = (0..).map_while(|i| module.optional_child(&format!("layer{i}"))).collect();
    let mut network = RadialNetwork { weights: Vec::new(), kappas: Vec::new() };
    let mut width = sizes.basis;
    for (i, layer) in layers.iter().enumerate() {
        let shape = layer.array("weight")?.shape;
        let [rows, columns] = shape[..] else { return Err(layer.error("`weight` is no matrix")) };
        let last = i + 1 == layers.len();
        if rows != width || columns == 0 || (last && columns != outputs) {
            return Err(layer.error(format!("`weight` has the shape [{rows}, {columns}]")));
        }
        network.weights.push(matrix(layer, "weight", rows, columns)? / (rows as f64).sqrt());
        match (layer.optional_child("act"), last) {
            (Some(activation), false) => network.kappas.push(silu_moment(&activation)?),
            (None, true) => {}
            _ => return Err(layer.error("activations other than silu between layers are not supported")),
        }
        width = columns;
    }
    if network.weights.is_empty() { Err(module.error("there are no layers")) } else { Ok(network) }
}

fn read_skip(
    interaction: &Module,
    product: &Module,
    block: &Block,
    (inputs, outputs): (&[usize], &[usize]),
    sizes: &Sizes,
) -> Result<Skip, ModelError> {
    let degrees: Vec<usize> = match block.residual {
        true => inputs.iter().copied().filter(|l| outputs.contains(l)).collect(),
        false => (0..=sizes.lmax).collect(),
    };
    let (c, s) = (sizes.channels, sizes.elements);
    let weights = interaction.child("skip_tp")?.numbers("weight", degrees.len() * c * s * c)?;
    let norm = ((c * s) as f64).sqrt();
    // Stored [degree][C in][S][C out].
    let map = |k: usize, e: usize| {
        Array2::from_shape_fn((c, c), |(i, o)| weights[((k * c + i) * s + e) * c + o] / norm)
    };
    let maps = |k: usize| (0..s).map(|e| map(k, e)).collect::<Vec<_>>();
    Ok(match (block.residual, product.flag("use_sc")) {
        (true, true) => Skip::Residual(degrees.iter().enumerate().map(|(k, l)| (*l, maps(k))).collect()),
        (true, false) => Skip::None,
        // Other blocks hand no self-connection on, whatever the product block would do with one.
        (false, _) => Skip::Messages((0..degrees.len()).map(maps).collect()),
    })
}

fn read_contractions(
    product: &Module,
    outputs: &[usize],
    sizes: &Sizes,
) -> Result<Vec<Contraction>, ModelError> {
    let modules = product.child("symmetric_contractions")?.list("contractions")?;
    if modules.len() != outputs.len() {
        return Err(product.error(format!("{} contractions for {} degrees", modules.len(), outputs.len())));
    }
    modules.iter().zip(outputs).map(|(module, degree)| read_contraction(module, *degree, sizes)).collect()
}

fn read_contraction(module: &Module, degree: usize, sizes: &Sizes) -> Result<Contraction, ModelError> {
    let order = (1..).take_while(|nu| module.has(&format!("U_matrix_{nu}"))).count();
    if !(1..=3).contains(&order) {
        return Err(module.error(format!("correlation order {order} is not supported; 1, 2 and 3 are")));
    }
    let lower = module.optional_child("weights");
    let (mut bases, mut weights) = (Vec::new(), Vec::new());
    for nu in 1..=order {
        let name = format!("U_matrix_{nu}");
        let array = module.array(&name)?;
        let eta = array.shape.last().copied().unwrap_or(0);
        let points = components(sizes.lmax).pow(nu as u32);
        let shape = (2 * degree + 1, points, eta);
        let basis = Array3::from_shape_vec(shape, module.numbers(&name, shape.0 * shape.1 * shape.2)?);
        bases.push(basis.map_err(|e| module.error(e))?);
        // The highest order is a parameter of its own; the others are listed downwards.
        let count = sizes.elements * eta * sizes.channels;
        let numbers = match (&lower, order - nu) {
            (_, 0) => module.numbers("weights_max", count)?,
            (Some(list), below) => list.numbers(&(below - 1).to_string(), count)?,
            (None, _) => return Err(module.error("there are no `weights` of lower order")),
        };
        let shape = (sizes.elements, eta, sizes.channels);
        weights.push(Array3::from_shape_vec(shape, numbers).map_err(|e| module.error(e))?);
    }
    Ok(Contraction { degree, bases, weights })
}
