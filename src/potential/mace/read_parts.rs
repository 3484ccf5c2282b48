//! Parts of a model file that the model as a whole and its layers have in common.

use ndarray::{Array1, Array2};

use crate::potential::ModelError;
use crate::potential::module::Module;

/// Numbers that shapes depend on.
pub(super) struct Sizes {
    pub(super) elements: usize,
    pub(super) channels: usize,
    pub(super) lmax: usize,
    pub(super) basis: usize,
}

/// A tensor as a row-major matrix.
pub(super) fn matrix(
    module: &Module,
    name: &str,
    rows: usize,
    columns: usize,
) -> Result<Array2<f64>, ModelError> {
    let numbers = module.numbers(name, rows * columns)?;
    Array2::from_shape_vec((rows, columns), numbers).map_err(|e| module.error(e))
}

/// The normalisation of an activation, which must be silu.
pub(super) fn silu_moment(activation: &Module) -> Result<f64, ModelError> {
    match activation.function("f") {
        Some("silu") => activation.number("cst"),
        other => {
            let name = other.unwrap_or("unknown").to_string();
            Err(activation.error(format!("the activation {name} is not supported; silu is")))
        }
    }
}

/// The weights of a density normaliser.
pub(super) fn density_weights(module: &Module, basis: usize) -> Result<Array1<f64>, ModelError> {
    let weights = module.child("layer0")?.numbers("weight", basis)?;
    Ok(Array1::from(weights) / (basis as f64).sqrt())
}
