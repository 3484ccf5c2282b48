//! CHGNet (Deng et al. 2023, doi:10.1038/s42256-023-00716-3), version 0.3.0: weights and hyperparameters of what gives
//! the energy.
//!
//! Notation: C = 64 features of every atom i (x), of every undirected bond u of two atoms closer than the cutoff (b) and
//! of every ordered pair (d, d') of directed bonds from one atom, both shorter than the angle cutoff (a); `d: i -> j` is a
//! directed bond, `u(d)` the undirected one. From the embeddings of element, distance and angle on, in this order,
//!
//! ```text
//! t = 0..3   x_i += output_t sum_d     w_u(d) * G_t[x_i, b_u(d), x_j]                            (atom convolution)
//! t = 0..2   b_u += output_t sum_(d,d') v_u * v_u' * G_t[b_u, b_u', a_dd', x_i],  u(d) = u       (bond convolution)
//! t = 0..1   a_dd' += G_t[b_u, b_u', a_dd', x_i]                                                 (angle update)
//! ```
//!
//! and the energy of atom i is `E0 + readout(norm(x_i))`. G is a [`GatedMlp`]; w and v are linear in radial functions that
//! vanish at the cutoff and at the angle cutoff.

mod basis;
mod read;

pub use basis::{Fourier, RadialFunctions};
pub(crate) use read::{is_chgnet, read};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::crystal::Element;

/// Features C of atoms, bonds and angles.
pub const FEATURES: usize = 64;

/// A CHGNet 0.3.0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chgnet {
    /// Elements in the order of all element-wise weights.
    pub elements: Vec<Element>,
    /// What its energies of isolated atoms were fitted to: `MPtrj` or `MP-r2SCAN`. It serves as the one head.
    pub training: Vec<String>,
    /// First features of atoms: `[S][C]`.
    pub embedding: Array2<f64>,
    /// Energies of isolated atoms, eV: `[S]`.
    pub atomic_energies: Array1<f64>,
    /// Functions of the distance up to the cutoff.
    pub bond_functions: RadialFunctions,
    /// Functions of the distance up to the angle cutoff.
    pub short_functions: RadialFunctions,
    /// Functions of the angle.
    pub angle_functions: Fourier,
    /// First features of bonds, from `bond_functions`: `[functions][C]`.
    pub bond_embedding: Array2<f64>,
    /// w, from `bond_functions`: `[functions][C]`.
    pub bond_weights: Array2<f64>,
    /// v, from `short_functions`: `[functions][C]`.
    pub short_weights: Array2<f64>,
    /// First features of angles: `[functions][C]`.
    pub angle_embedding: Array2<f64>,
    /// Inputs: centre, bond, neighbour.
    pub atom_convolutions: Vec<Convolution>,
    /// Inputs: bond, other bond, angle, centre.
    pub bond_convolutions: Vec<Convolution>,
    /// Inputs: bond, other bond, angle, centre.
    pub angle_updates: Vec<GatedMlp>,
    /// Before the readout.
    pub readout_norm: Norm,
    /// All but the last are followed by silu; the last has one output, eV.
    pub readout: Vec<Linear>,
    /// Number of parameters in the file.
    pub parameters: usize,
}

/// A sum of gated messages and the linear map after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Convolution {
    /// G.
    pub message: GatedMlp,
    /// `[C in][C out]`.
    pub output: Array2<f64>,
}

/// `silu(norm(core)) * sigmoid(norm(gate))` of two branches with the same inputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatedMlp {
    /// Through silu.
    pub core: Branch,
    /// Through the logistic function.
    pub gate: Branch,
}

/// One or two linear layers, with silu between them, and a norm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// `[k C][C]` for k inputs, then perhaps `[C][C]`.
    pub layers: Vec<Linear>,
    /// After the last one.
    pub norm: Norm,
}

/// `x weights + bias`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Linear {
    /// `[in][out]`.
    pub weights: Array2<f64>,
    /// `[out]`.
    pub bias: Array1<f64>,
}

/// `(x - mean) / sqrt(variance + 1e-5) * scale + shift` over the C entries of a row, the variance with divisor C.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Norm {
    /// `[C]`.
    pub scale: Array1<f64>,
    /// `[C]`.
    pub shift: Array1<f64>,
}

impl Norm {
    /// Added to the variance.
    pub const EPSILON: f64 = 1e-5;
}

impl Chgnet {
    /// Index of an element in the model's order.
    pub fn element_index(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|e| *e == element)
    }
}
