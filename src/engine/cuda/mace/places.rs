//! Where matrices of MACE lie among those of the device.

use crate::engine::cpu::Matrix;
use crate::engine::cpu::mace::weights::{HeadReadout, Weights};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::pairs::arrays::Pool;

/// Matrices of a layer: places in the matrices, and those of constants for each element in the biases.
#[derive(Debug, Default)]
pub struct LayerPlaces {
    /// By degree of the inputs; empty in layer 0.
    pub up: Vec<usize>,
    /// What is added to degree 0 after it.
    pub up_constants: Option<Vec<usize>>,
    /// By degree and receiver's element (a single one serves all); empty in layer 0.
    pub linear: Vec<Vec<usize>>,
    /// By output degree, or none.
    pub product: Vec<usize>,
    /// What is added to degree 0 after it.
    pub constants: Option<Vec<usize>>,
    /// Degrees of the self-connection and their matrices by element.
    pub skip: Vec<(usize, Vec<usize>)>,
    /// The first matrix of a hidden readout and its columns, padded.
    pub hidden: Option<(usize, usize)>,
}

/// Adds the matrices and constants of a layer.
pub(super) fn layer_places<T: CudaReal>(
    weights: &Weights<T>,
    t: usize,
    (matrices, biases): (&mut Pool<T>, &mut Pool<T>),
) -> LayerPlaces {
    let mut places = LayerPlaces::default();
    let mut constants =
        |of: &Option<Vec<Vec<T>>>| of.as_ref().map(|of| of.iter().map(|row| biases.add(row)).collect());
    let update = &weights.layers[t];
    places.constants = constants(&update.constant);
    if t > 0 {
        let layer = &weights.later[t - 1];
        places.up_constants = constants(&layer.up_constant);
        places.up = layer.up.iter().map(|m| matrices.add(&m.values)).collect();
        let of_degree =
            |m: &Vec<Matrix<T>>, matrices: &mut Pool<T>| m.iter().map(|m| matrices.add(&m.values)).collect();
        places.linear = layer.linear.iter().map(|m| of_degree(m, matrices)).collect();
    }
    places.product = update.product.iter().map(|m| matrices.add(&m.values)).collect();
    for (degree, by_element) in &update.skip {
        places.skip.push((*degree, by_element.iter().map(|m| matrices.add(&m.values)).collect()));
    }
    if let HeadReadout::Hidden { first, .. } = &weights.readouts[t] {
        let columns = hidden_units(first.outputs);
        let mut padded = Vec::with_capacity(first.inputs * columns);
        for row in first.values.chunks_exact(first.outputs.max(1)) {
            padded.extend_from_slice(row);
            padded.resize(padded.len().next_multiple_of(columns), T::ZERO);
        }
        places.hidden = Some((matrices.add(&padded), columns));
    }
    places
}

/// Hidden units of a readout, padded to whole quads.
pub fn hidden_units(units: usize) -> usize {
    units.next_multiple_of(4)
}
