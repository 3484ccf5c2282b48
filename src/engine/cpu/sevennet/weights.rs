//! A model for one set of elements: radial networks tabulated, weights folded together, padded and rounded.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::radial::Radial;
use crate::crystal::Element;
use crate::engine::cpu::real::rounded;
use crate::engine::cpu::{LANES, Matrix, Real};
use crate::potential::mace::Path;
use crate::potential::sevennet::{Layer, Sevennet};

/// A model for one set of elements. Channels are padded to [`LANES`], those of every degree for themselves.
pub(super) struct Weights<T> {
    /// Elements that it can evaluate; other indices here are places in this list.
    pub(super) elements: Vec<Element>,
    /// Highest degree of the harmonics.
    pub(super) lmax: usize,
    /// All layers.
    pub(super) layers: Vec<LayerWeights<T>>,
    /// What the self-connection of layer 0 adds to z of degree 0, by element.
    pub(super) constants: Vec<Vec<T>>,
    /// `[n_0]` of the last features.
    pub(super) readout: Vec<f64>,
    /// Factor of the readout by element, eV.
    pub(super) scale: Vec<f64>,
    /// What is added to it by element, eV.
    pub(super) shift: Vec<f64>,
}

/// A layer. That of layer 0 maps messages to z within its radial functions, since the senders' features depend on
/// their elements only.
pub(super) struct LayerWeights<T> {
    /// Padded channels of the input features by degree.
    pub(super) inputs: Vec<usize>,
    /// Padded channels of the output features by degree.
    pub(super) outputs: Vec<usize>,
    /// Padded widths of z by degree.
    pub(super) widths: Vec<usize>,
    /// Couplings and their columns.
    pub(super) paths: Vec<PathColumns>,
    /// Padded widths of the messages before their linear maps, by degree l3.
    pub(super) messages: Vec<usize>,
    /// Radial functions; in layer 0 by element of the sender.
    pub(super) radial: Vec<Radial<T>>,
    /// One a degree of the inputs.
    pub(super) up: Vec<Matrix<T>>,
    /// One a degree of inputs and outputs.
    pub(super) connection: Vec<Matrix<T>>,
    /// One a degree of the outputs.
    pub(super) linear: Vec<Matrix<T>>,
}

/// Where the columns of a coupling are.
#[derive(Clone, Copy)]
pub(super) struct PathColumns {
    pub(super) path: Path,
    /// Number of columns.
    pub(super) width: usize,
    /// First column among the radial functions.
    pub(super) column: usize,
    /// First column among the messages of degree l3.
    pub(super) slot: usize,
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
    pub(super) fn new(model: &Sevennet, elements: &[Element]) -> Weights<T> {
        let mut known: Vec<(Element, usize)> =
            elements.iter().filter_map(|e| Some((*e, model.element_index(*e)?))).collect();
        known.sort_by_key(|(e, _)| e.symbol());
        known.dedup();
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
        let layers = model.layers.par_iter().enumerate().map(|(t, layer)| match t {
            0 => first_layer(model, layer, &embedded),
            _ => later_layer(model, layer),
        });
        Weights {
            layers: layers.collect(),
            constants: embedded.iter().map(constant).collect(),
            readout,
            scale: of_element(&model.scale),
            shift: of_element(&model.shift),
            lmax: model.lmax,
            elements: known.iter().map(|(e, _)| *e).collect(),
        }
    }

    /// Place of an element in the list.
    pub(super) fn element_index(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|e| *e == element)
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

fn common<T: Real>(layer: &Layer, paths: Vec<PathColumns>, radial: Vec<Radial<T>>) -> LayerWeights<T> {
    let degrees = 0..layer.outputs.len();
    let sources = |l: usize| layer.paths.iter().filter(move |p| p.l3 == l).map(|p| layer.inputs[p.l1]);
    let linear = |l: usize| square(&layer.linear[l], &sources(l).collect::<Vec<_>>(), &z_blocks(layer, l));
    let connection =
        |(l, matrix): (usize, &Array2<f64>)| square(matrix, &[layer.inputs[l]], &z_blocks(layer, l));
    let up = layer.up.iter().zip(&layer.inputs);
    LayerWeights {
        inputs: layer.inputs.iter().map(|n| n.next_multiple_of(LANES)).collect(),
        outputs: layer.outputs.iter().map(|n| n.next_multiple_of(LANES)).collect(),
        widths: degrees.clone().map(|l| padded(&z_blocks(layer, l))).collect(),
        messages: degrees.clone().map(|l| padded(&sources(l).collect::<Vec<_>>())).collect(),
        up: up.map(|(matrix, n)| square(matrix, &[*n], &[*n])).collect(),
        connection: layer.connection.iter().enumerate().map(connection).collect(),
        linear: degrees.map(linear).collect(),
        paths,
        radial,
    }
}

fn later_layer<T: Real>(model: &Sevennet, layer: &Layer) -> LayerWeights<T> {
    let blocks: Vec<usize> = layer.paths.iter().map(|p| layer.inputs[p.l1]).collect();
    let mut paths: Vec<PathColumns> = Vec::new();
    for (k, path) in layer.paths.iter().enumerate() {
        let slot = paths.iter().filter(|p| p.path.l3 == path.l3).map(|p| p.width).sum();
        let width = blocks[k].next_multiple_of(LANES);
        paths.push(PathColumns { path: *path, width, column: padded(&blocks[..k]), slot });
    }
    let radial = Radial::new(&model.radial, |basis| spread(layer.network.evaluate(basis).view(), &blocks));
    common(layer, paths, vec![radial])
}

/// Columns of degree l: `(R_l(r) u(sender)) linear_l`.
fn first_layer<T: Real>(model: &Sevennet, layer: &Layer, embedded: &[Array1<f64>]) -> LayerWeights<T> {
    let mut paths: Vec<PathColumns> = Vec::new();
    for path in &layer.paths {
        let column = paths.iter().map(|p| p.width).sum();
        paths.push(PathColumns { path: *path, width: padded(&z_blocks(layer, path.l3)), column, slot: 0 });
    }
    let columns: usize = paths.iter().map(|p| p.width).sum();
    let channels = layer.inputs[0];
    let of_sender = |h: &Array1<f64>| {
        let up = h.dot(&layer.up[0]);
        Radial::new(&model.radial, |basis| {
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
    let radial = embedded.par_iter().map(of_sender).collect();
    common(layer, paths.clone(), radial)
}
