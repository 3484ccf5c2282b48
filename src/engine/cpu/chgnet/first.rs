//! The first atom layer in tables: between embeddings, messages depend on two elements and a distance only.
//!
//! Only those along long bonds are in tables. At short distances messages change so fast that tables would lose digits.

use ndarray::{Array1, Array2, Axis, s};

use crate::engine::cpu::{Real, Table};
use crate::potential::chgnet::{Branch, Chgnet, Convolution, FEATURES, Linear, Norm};

/// Intervals of a table are so many times [`Real::TABLE_INTERVALS`]: messages have shorter waves than the radial functions.
const FINER: usize = 2;

/// What a bond to a neighbour adds to the features of its centre in the first atom layer, `[C]`, by distance beyond the angle
/// cutoff. Centre and neighbour are places among the model's elements.
pub(super) fn messages<T: Real>(model: &Chgnet, centre: usize, neighbour: usize) -> Table<T> {
    let nearest = model.short_functions.cutoff;
    let atoms = [centre, neighbour].map(|k| model.embedding.row(k).to_owned());
    Table::new(model.bond_functions.cutoff - nearest, FINER * T::TABLE_INTERVALS, |beyond| {
        let distances: Vec<f64> = beyond.iter().map(|r| nearest + r).collect();
        match model.atom_convolutions.first() {
            Some(layer) => at(model, layer, &atoms, &distances),
            None => Array2::zeros((distances.len(), FEATURES)),
        }
    })
}

/// Functions at many places, `[places][functions]`.
pub(super) fn functions_at(places: &[f64], functions: impl Fn(&f64) -> Array1<f64>) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = places.iter().map(functions).collect();
    let columns = rows.first().map_or(0, Array1::len);
    Array2::from_shape_fn((rows.len(), columns), |(i, k)| rows[i][k])
}

/// Messages at some distances, `[distances][C]`.
fn at(model: &Chgnet, layer: &Convolution, atoms: &[Array1<f64>; 2], distances: &[f64]) -> Array2<f64> {
    let functions = functions_at(distances, |r| model.bond_functions.at(*r));
    let bonds = functions.dot(&model.bond_embedding);
    let branch = |branch: &Branch| {
        let [centre, neighbour] = atoms;
        let Linear { weights, bias } = &branch.layers[0];
        let block = |k: usize| weights.slice(s![k * FEATURES..(k + 1) * FEATURES, ..]);
        let constant = centre.dot(&block(0)) + neighbour.dot(&block(2)) + bias;
        let first = bonds.dot(&block(1)) + &constant.insert_axis(Axis(0));
        let next = |x: Array2<f64>, l: &Linear| x.mapv(silu).dot(&l.weights) + &l.bias;
        norm(branch.layers[1..].iter().fold(first, next), &branch.norm)
    };
    let gated = branch(&layer.message.core).mapv(silu) * branch(&layer.message.gate).mapv(sigmoid);
    (gated * functions.dot(&model.bond_weights)).dot(&layer.output)
}

fn norm(mut rows: Array2<f64>, norm: &Norm) -> Array2<f64> {
    for mut row in rows.rows_mut() {
        let count = row.len() as f64;
        let mean = row.sum() / count;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        row.mapv_inplace(|x| (x - mean) / (variance + Norm::EPSILON).sqrt());
        row *= &norm.scale;
        row += &norm.shift;
    }
    rows
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}
