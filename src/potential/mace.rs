//! MACE (Batatia et al. 2022): weights and hyperparameters of `ScaleShiftMACE` models, with all normalisations of
//! e3nn multiplied into the weights.
//!
//! Notation: C channels, S elements of the model, H heads; node features of degree l are `[atom][m][c]`. A layer
//! turns node features h into messages along edges from sender j to receiver i,
//!
//! ```text
//! u      = h up                                                    (up)
//! M_k    = sum_edges R_k(r) sqrt(2 l3 + 1) C^{l1 l2 l3} u_j Y_l2   (paths, radial network; v = x_i - x_j)
//! A_l    = sum_{k: l3 = l} M_k linear_k / normaliser                (linear)
//! B_L    = symmetric contraction of A up to third order             (products)
//! h'_L   = B_L product_L + self-connection of h                     (product)
//! ```
//!
//! and the energy of atom i is `E0 + scale * (ZBL_i + sum of readouts of h') + shift`.

mod radial;
mod read;
mod read_layer;
mod read_parts;

pub use radial::{Agnesi, RadialBasis, RadialNetwork, Zbl, density, silu};
pub(crate) use read::read;

use ndarray::{Array1, Array2, Array3};
use serde::{Deserialize, Serialize};

use crate::crystal::Element;

/// A `ScaleShiftMACE` model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mace {
    /// Elements in the order of all element-wise weights.
    pub elements: Vec<Element>,
    /// Names of the heads.
    pub heads: Vec<String>,
    /// Channels C of every degree.
    pub channels: usize,
    /// Highest degree of harmonics and messages.
    pub lmax: usize,
    /// Functions of the distance that feed the radial networks.
    pub radial: RadialBasis,
    /// Screened nuclear repulsion, if the model has it.
    pub zbl: Option<Zbl>,
    /// First node features: `[S][C]`.
    pub embedding: Array2<f64>,
    /// Message-passing layers.
    pub layers: Vec<Layer>,
    /// One readout a layer.
    pub readouts: Vec<Readout>,
    /// Energies of isolated atoms, eV: `[H][S]`.
    pub atomic_energies: Array2<f64>,
    /// Factor of the interaction energy, eV: one a head.
    pub scale: Vec<f64>,
    /// Offset of the atomic energies, eV: one a head.
    pub shift: Vec<f64>,
    /// Number of trained parameters in the file.
    pub parameters: usize,
    /// Whether the file holds double precision.
    pub double: bool,
}

/// A coupling (l1 of the sender, l2 of the edge) -> l3 of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Degree of the sender's features.
    pub l1: usize,
    /// Degree of the harmonics.
    pub l2: usize,
    /// Degree of the message.
    pub l3: usize,
}

/// One message-passing layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// Class of its interaction block.
    pub block: String,
    /// Degrees of its input features.
    pub inputs: Vec<usize>,
    /// Degrees of its output features.
    pub outputs: Vec<usize>,
    /// Couplings in the order of the radial network's outputs; column `k*C + c` belongs to path k.
    pub paths: Vec<Path>,
    /// `[C in][C out]` for each input degree.
    pub up: Vec<Array2<f64>>,
    /// Weights of the paths as functions of the distance.
    pub network: RadialNetwork,
    /// `[C in][C out]` for each path.
    pub linear: Vec<Array2<f64>>,
    /// What the messages are divided by.
    pub normaliser: Normaliser,
    /// Element-dependent linear maps.
    pub skip: Skip,
    /// One for each output degree.
    pub contractions: Vec<Contraction>,
    /// `[C in][C out]` for each output degree.
    pub product: Vec<Array2<f64>>,
}

/// What a layer's messages are divided by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Normaliser {
    /// The mean number of neighbours of the training set.
    Mean(f64),
    /// `1 + sum_edges tanh((g . w)^2)` of each atom, g the radial basis: w has one entry a function.
    Density(Array1<f64>),
}

/// Element-dependent linear maps of a layer, `[S]` matrices `[C in][C out]` a degree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Skip {
    /// Acts on the messages of every degree 0..=lmax (non-residual blocks).
    Messages(Vec<Vec<Array2<f64>>>),
    /// Acts on the input features and is added to the outputs (residual blocks): the degrees and their maps.
    Residual(Vec<(usize, Vec<Array2<f64>>)>),
    /// Residual block without self-connection.
    None,
}

/// Symmetric contraction to one degree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contraction {
    /// Degree L of the result.
    pub degree: usize,
    /// By order, first 1: `[2L + 1][n^order][eta]` with n = (lmax + 1)^2, not symmetric in the n indices.
    pub bases: Vec<Array3<f64>>,
    /// By order: `[S][eta][C]`.
    pub weights: Vec<Array3<f64>>,
}

/// From node features of degree 0 to an energy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Readout {
    /// `[C][H]`.
    Linear(Array2<f64>),
    /// `kappa silu(h first) second`; of several heads, each uses its own block of hidden units.
    Hidden {
        /// `[C][hidden units]`.
        first: Array2<f64>,
        /// `[hidden units][H]`.
        second: Array2<f64>,
        /// Second-moment normalisation of silu.
        kappa: f64,
    },
}

/// The couplings of a layer in the order of the radial network's outputs: by input degree, edge degree, output degree,
/// natural parity only, then stably by output degree.
pub fn paths(inputs: &[usize], lmax: usize) -> Vec<Path> {
    let mut paths = Vec::new();
    for l1 in inputs.iter().copied() {
        for l2 in 0..=lmax {
            for l3 in l1.abs_diff(l2)..=(l1 + l2).min(lmax) {
                if (l1 + l2 + l3) % 2 == 0 {
                    paths.push(Path { l1, l2, l3 });
                }
            }
        }
    }
    paths.sort_by_key(|p| p.l3);
    paths
}

impl Mace {
    /// Index of an element in the model's order.
    pub fn element_index(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|e| *e == element)
    }
}
