//! A model for one set of elements: radial networks tabulated, weights folded together, padded and rounded.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::crystal::Element;
use crate::engine::cpu::pairs::{Interaction, Interactions, PathColumns};
use crate::engine::cpu::real::rounded;
use crate::engine::cpu::{LANES, Matrix, Real, Table};
use crate::potential::sevennet::{Layer, Sevennet};

/// A model for one set of elements. Channels are padded to [`LANES`], those of every degree for themselves.
pub struct Weights<T> {
    /// The messages of all layers; other indices of elements are places in its list. Those of layer 0 are z itself: the
    /// senders' features depend on their elements only, so its linear maps are within its radial functions.
    pub(in crate::engine) interactions: Interactions<T>,
    /// What surrounds the messages of each layer.
    pub(in crate::engine) layers: Vec<LayerWeights<T>>,
    /// What the self-connection of layer 0 adds to z of degree 0, by element.
    pub(in crate::engine) constants: Vec<Vec<T>>,
    /// `[n_0]` of the last features.
    pub(in crate::engine) readout: Vec<f64>,
    /// Factor of the readout by element, eV.
    pub(in crate::engine) scale: Vec<f64>,
    /// What is added to it by element, eV.
    pub(in crate::engine) shift: Vec<f64>,
}

/// What surrounds the messages of a layer.
pub(in crate::engine) struct LayerWeights<T> {
    /// Padded channels of the input features by degree.
    pub(in crate::engine) inputs: Vec<usize>,
    /// Padded channels of the output features by degree.
    pub(in crate::engine) outputs: Vec<usize>,
    /// Padded widths of z by degree.
    pub(in crate::engine) widths: Vec<usize>,
    /// One a degree of the inputs.
    pub(in crate::engine) up: Vec<Matrix<T>>,
    /// One a degree of inputs and outputs.
    pub(in crate::engine) connection: Vec<Matrix<T>>,
    /// One a degree of the outputs.
    pub(in crate::engine) linear: Vec<Matrix<T>>,
}

/// Columns of blocks, each padded.
fn padded(blocks: &[usize]) -> usize {
    blocks.iter().map(|n| n.next_multiple_of(LANES)).sum()
}

/// For each column of blocks, its place if each block is padded.
fn places(blocks: &[usize]) -> Vec<usize> {
    let mut places = Vec::new();
    for (k, count) in blocks.iter().enumerate() {
        let first = padded(&blocks[..k]);
        places.extend(first..first + count);
    }
    places
}

/// A matrix whose columns come in blocks, each padded.
fn spread(matrix: ArrayView2<f64>, blocks: &[usize]) -> Array2<f64> {
    let mut out = Array2::zeros((matrix.nrows(), padded(blocks)));
    for (column, place) in matrix.columns().into_iter().zip(places(blocks)) {
        out.column_mut(place).assign(&column);
    }
    out
}

impl<T: Real> Weights<T> {
    /// Folds and rounds a model's weights for some elements, which it must know.
    pub(in crate::engine) fn new(model: &Sevennet, elements: &[Element]) -> Weights<T> {
        let known = Interactions::<T>::known(elements, |e| model.element_index(e));
        let embedded: Vec<Array1<f64>> =
            known.iter().map(|(_, e)| model.embedding.row(*e).to_owned()).collect();
        let of_element = |values: &[f64]| known.iter().map(|(_, e)| values[*e]).collect();
        let first = &model.layers[0];
        let blocks = z_blocks(first, 0);
        let constant = |h: &Array1<f64>| {
            let row = h.dot(&first.connection[0]).insert_axis(Axis(0));
            rounded(spread(row.view(), &blocks))
        };
        let mut readout = model.readout.to_vec();
        readout.resize(readout.len().next_multiple_of(LANES), 0.0);
        let interactions = model.layers.par_iter().enumerate().map(|(t, layer)| match t {
            0 => first_interaction(model, layer, &embedded),
            _ => later_interaction(model, layer, known.len()),
        });
        Weights {
            interactions: Interactions {
                elements: known.iter().map(|(e, _)| *e).collect(),
                lmax: model.lmax,
                layers: interactions.collect(),
                scalars: None,
            },
            layers: model.layers.iter().map(layer_weights).collect(),
            constants: embedded.iter().map(constant).collect(),
            readout,
            scale: of_element(&model.scale),
            shift: of_element(&model.shift),
        }
    }
}

/// Blocks of the columns of z: of degree 0 scalars and gates.
fn z_blocks(layer: &Layer, degree: usize) -> Vec<usize> {
    if degree == 0 { layer.outputs.clone() } else { vec![layer.outputs[degree]] }
}

fn square<T: Real>(matrix: &Array2<f64>, rows: &[usize], columns: &[usize]) -> Matrix<T> {
    let columns = spread(matrix.view(), columns);
    let both = spread(columns.t(), rows);
    Matrix::padded(&both.t().to_owned(), both.ncols(), both.nrows())
}

/// Blocks of the messages of a degree: the channels of their senders, path by path.
fn message_blocks(layer: &Layer, degree: usize) -> Vec<usize> {
    layer.paths.iter().filter(|p| p.l3 == degree).map(|p| layer.inputs[p.l1]).collect()
}

fn layer_weights<T: Real>(layer: &Layer) -> LayerWeights<T> {
    let degrees = 0..layer.outputs.len();
    let linear = |l: usize| square(&layer.linear[l], &message_blocks(layer, l), &z_blocks(layer, l));
    let connection =
        |(l, matrix): (usize, &Array2<f64>)| square(matrix, &[layer.inputs[l]], &z_blocks(layer, l));
    let up = layer.up.iter().zip(&layer.inputs);
    LayerWeights {
        inputs: layer.inputs.iter().map(|n| n.next_multiple_of(LANES)).collect(),
        outputs: layer.outputs.iter().map(|n| n.next_multiple_of(LANES)).collect(),
        widths: degrees.clone().map(|l| padded(&z_blocks(layer, l))).collect(),
        up: up.map(|(matrix, n)| square(matrix, &[*n], &[*n])).collect(),
        connection: layer.connection.iter().enumerate().map(connection).collect(),
        linear: degrees.map(linear).collect(),
    }
}

/// Functions of the distance, from values `[distances][columns]` of the radial basis `[distances][functions]`.
fn table<T: Real>(model: &Sevennet, functions: impl Fn(&Array2<f64>) -> Array2<f64>) -> Arc<Table<T>> {
    let (basis, pieces) = (&model.radial, model.radial.pieces());
    let functions = |k: usize, distances: &[f64]| functions(&basis.evaluate(k, distances));
    Arc::new(Table::in_pieces(&pieces, T::TABLE_INTERVALS, functions))
}

fn later_interaction<T: Real>(model: &Sevennet, layer: &Layer, elements: usize) -> Interaction<T> {
    let blocks: Vec<usize> = layer.paths.iter().map(|p| layer.inputs[p.l1]).collect();
    let mut paths: Vec<PathColumns> = Vec::new();
    for (k, path) in layer.paths.iter().enumerate() {
        let slot = paths.iter().filter(|p| p.path.l3 == path.l3).map(|p| p.width).sum();
        let width = blocks[k].next_multiple_of(LANES);
        paths.push(PathColumns { path: *path, width, column: padded(&blocks[..k]), slot });
    }
    let table = table(model, |basis| spread(layer.network.evaluate(basis).view(), &blocks));
    Interaction {
        inputs: layer.inputs.iter().map(|n| n.next_multiple_of(LANES)).collect(),
        messages: (0..layer.outputs.len()).map(|l| padded(&message_blocks(layer, l))).collect(),
        paths,
        tables: vec![vec![table; elements]; elements],
    }
}

/// Columns of degree l: `(R_l(r) u(sender)) linear_l`.
fn first_interaction<T: Real>(model: &Sevennet, layer: &Layer, embedded: &[Array1<f64>]) -> Interaction<T> {
    let mut paths: Vec<PathColumns> = Vec::new();
    for path in &layer.paths {
        let column = paths.iter().map(|p| p.width).sum();
        paths.push(PathColumns { path: *path, width: padded(&z_blocks(layer, path.l3)), column, slot: 0 });
    }
    let columns: usize = paths.iter().map(|p| p.width).sum();
    let channels = layer.inputs[0];
    let of_sender = |h: &Array1<f64>| {
        let up = h.dot(&layer.up[0]);
        table(model, |basis| {
            let weights = layer.network.evaluate(basis);
            let mut out = Array2::zeros((weights.nrows(), columns));
            for (k, path) in paths.iter().enumerate() {
                let weighted = &weights.slice(s![.., k * channels..(k + 1) * channels]) * &up;
                let z = weighted.dot(&layer.linear[path.path.l3]);
                let z = spread(z.view(), &z_blocks(layer, path.path.l3));
                out.slice_mut(s![.., path.column..path.column + path.width]).assign(&z);
            }
            out
        })
    };
    let by_sender: Vec<Arc<Table<T>>> = embedded.par_iter().map(of_sender).collect();
    Interaction {
        inputs: Vec::new(),
        messages: (0..layer.outputs.len()).map(|l| padded(&z_blocks(layer, l))).collect(),
        tables: vec![by_sender; embedded.len()],
        paths,
    }
}
