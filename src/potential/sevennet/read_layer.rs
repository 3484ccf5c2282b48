//! Reads one message-passing layer.

use ndarray::{Array2, Axis, s};

use super::read::Checkpoint;
use super::{KAPPA, Layer, paths, widths};
use crate::equivariant::coupling;
use crate::potential::ModelError;
use crate::potential::mace::{Path, RadialNetwork};

/// Stored couplings are rounded to float32.
const ROUNDING: f64 = 1e-5;

/// Layer `t`, from channels by degree to channels by degree, with harmonics and messages up to some degrees.
pub(super) fn read_layer(
    file: &Checkpoint,
    t: usize,
    (inputs, outputs): (&[usize], &[usize]),
    (lmax, highest): (usize, usize),
) -> Result<Layer, ModelError> {
    let all = paths(inputs.len(), lmax, highest);
    // Messages of degrees that the outputs lack go nowhere.
    let used: Vec<Path> = all.iter().copied().filter(|p| p.l3 < outputs.len()).collect();
    let channels = |l: usize| used.iter().filter(|p| p.l3 == l).map(|p| inputs[p.l1]).sum::<usize>();
    let messages: Vec<usize> = (0..outputs.len()).map(channels).collect();
    let linear = |part: &str, from: &[usize], to: &[usize]| {
        file.blocks(&format!("{t}_{part}.linear.weight"), from, to)
    };
    Ok(Layer {
        up: linear("self_interaction_1", inputs, inputs)?,
        network: network(file, t, &all, (inputs, outputs))?,
        linear: linear("self_interaction_2", &messages, &widths(outputs))?,
        connection: linear("self_connection_intro", inputs, &widths(outputs))?,
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
        paths: used,
    })
}

/// The radial network, with all that a path is multiplied by in the columns of its last layer.
fn network(
    file: &Checkpoint,
    t: usize,
    all: &[Path],
    (inputs, outputs): (&[usize], &[usize]),
) -> Result<RadialNetwork, ModelError> {
    let name = |k: usize| format!("{t}_convolution.weight_nn.layer{k}.weight");
    let mut weights: Vec<Array2<f64>> = Vec::new();
    while file.has_tensor(&name(weights.len())) {
        let name = name(weights.len());
        let array = file.tensor(&name)?;
        let [rows, columns] = array.shape[..] else {
            return Err(file.error(format!("tensor `{name}` is no matrix")));
        };
        let expected = weights.last().map_or(file.radial_functions()?, |w| w.ncols());
        if rows != expected || columns == 0 {
            return Err(file.error(format!("tensor `{name}` has the shape [{rows}, {columns}]")));
        }
        weights.push(file.matrix(&name, rows, columns)?);
    }
    let columns: usize = all.iter().map(|p| inputs[p.l1]).sum();
    let Some(last) = weights.last_mut().filter(|w| w.ncols() == columns) else {
        return Err(file.error(format!("the radial network of layer {t} has not {columns} outputs")));
    };
    let denominator = file.numbers(&format!("{t}_convolution.denominator"), 1)?[0];
    if denominator == 0.0 {
        return Err(file.error(format!("tensor `{t}_convolution.denominator` is 0")));
    }
    let mut kept = Vec::new();
    let mut first = 0;
    for path in all {
        let range = first..first + inputs[path.l1];
        first = range.end;
        if path.l3 < outputs.len() {
            // The file's vectors point from receiver to sender, ours from sender to receiver.
            let reversed = if path.l2 % 2 == 0 { 1.0 } else { -1.0 };
            let scale = ((2 * path.l3 + 1) as f64).sqrt() / denominator;
            let factor = reversed * scale * sign(file, t, path)?;
            last.slice_mut(s![.., range.clone()]).mapv_inplace(|w| w * factor);
            kept.extend(range);
        }
    }
    *last = last.select(Axis(1), &kept);
    let kappas = vec![KAPPA; weights.len() - 1];
    Ok(RadialNetwork { weights, kappas })
}

/// The sign of the file's coupling with respect to ours. Versions of e3nn differ in it where the degrees have an odd sum;
/// with those that need no table, since a degree is 0, all agree.
fn sign(file: &Checkpoint, t: usize, path: &Path) -> Result<f64, ModelError> {
    let Path { l1, l2, l3 } = *path;
    let name = format!("{t}_convolution.convolution._compiled_main_left_right._w3j_{l1}_{l2}_{l3}");
    if [l1, l2, l3].contains(&0) {
        return Ok(1.0);
    }
    let stored = file.numbers(&name, (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1))?;
    let overlap: f64 = stored.iter().zip(coupling(l1, l2, l3).values()).map(|(a, b)| a * b).sum();
    match (overlap.abs() - 1.0).abs() < ROUNDING {
        true => Ok(overlap.signum()),
        false => Err(file.error(format!("tensor `{name}` is no coupling of the degrees {l1}, {l2}, {l3}"))),
    }
}
