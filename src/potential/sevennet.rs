//! SevenNet (Park et al. 2024): weights and hyperparameters of checkpoints of the package sevenn, with all
//! normalisations of e3nn multiplied into the weights.
//!
//! It is of the NequIP type (Batzner et al. 2022), but none of its features has a parity: paths whose degrees have an odd
//! sum feed the same features as the others, so that its energies are invariant under rotations only, and mirror images
//! differ a little.
//!
//! Notation: S elements of the model; n_l channels of degree l; node features are `[atom][m][c]` by degree. A layer turns
//! node features h into messages along edges from sender j to receiver i,
//!
//! ```text
//! u_l    = h_l up_l                                        (self-interaction 1)
//! M_k    = sum_edges R_k(r) C^{l1 l2 l3} u_j Y_l2(v)       (paths, radial network; v = x_i - x_j)
//! z_l    = [M_k: l3 = l] linear_l + h_l connection_l       (self-interaction 2, self-connection)
//! h'_0   = act(z_0[..n_0]),  h'_l = act(gates of l in z_0) z_l,  act = kappa silu
//! ```
//!
//! with one radial weight a channel of the sender, C as in [`coupling`](crate::equivariant::coupling), and the gates of
//! l = 1, 2, ... after the scalars in z_0. The energy of atom i is `scale (h . readout) + shift`.

mod radial;
mod read;
mod read_layer;

pub use radial::{Cutoff, RadialBasis};
pub(crate) use read::{is_sevennet, read};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::mace::{Path, RadialNetwork};
use crate::crystal::Element;

/// Second-moment normalisation of silu, `1 / sqrt(mean of silu(x)^2)` over normal x, as e3nn estimates it from a million
/// random numbers with a fixed seed; checkpoints do not hold it.
pub const KAPPA: f64 = 1.679_176_792_398_941_8;

/// A SevenNet model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sevennet {
    /// Elements in the order of all element-wise weights.
    pub elements: Vec<Element>,
    /// Its one head.
    pub heads: Vec<String>,
    /// Highest degree of the harmonics.
    pub lmax: usize,
    /// Functions of the distance that feed the radial networks.
    pub radial: RadialBasis,
    /// First node features: `[S][n_0]`.
    pub embedding: Array2<f64>,
    /// Message-passing layers.
    pub layers: Vec<Layer>,
    /// `[n_0]` of the last layer's outputs.
    pub readout: Array1<f64>,
    /// Factors of the readout, eV, by element.
    pub scale: Vec<f64>,
    /// Energies added to it, eV, by element.
    pub shift: Vec<f64>,
    /// Number of trained parameters in the file.
    pub parameters: usize,
    /// Whether the file holds double precision.
    pub double: bool,
}

/// One message-passing layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// Channels of its input features, by degree.
    pub inputs: Vec<usize>,
    /// Channels of its output features, by degree.
    pub outputs: Vec<usize>,
    /// Couplings in the order of the radial network's outputs: by input degree, edge degree, output degree.
    pub paths: Vec<Path>,
    /// `[n in][n in]` for each input degree.
    pub up: Vec<Array2<f64>>,
    /// Weights of the paths as functions of the distance: as many columns a path as its l1 has channels.
    pub network: RadialNetwork,
    /// For each output degree: from the messages of its paths, in order, to z: `[sum of channels][width of z]`.
    pub linear: Vec<Array2<f64>>,
    /// From the input features to z, for each degree that is among inputs and outputs: `[n in][width of z]`.
    pub connection: Vec<Array2<f64>>,
}

impl Layer {
    /// Widths of z by output degree: degree 0 holds the scalars and the gates of all other degrees.
    pub fn widths(&self) -> Vec<usize> {
        widths(&self.outputs)
    }
}

fn widths(outputs: &[usize]) -> Vec<usize> {
    let mut widths = outputs.to_vec();
    if let Some(scalars) = widths.first_mut() {
        *scalars = outputs.iter().sum();
    }
    widths
}

/// The couplings of inputs up to a degree, edges up to `lmax`, and outputs up to `highest`.
pub fn paths(input_degrees: usize, lmax: usize, highest: usize) -> Vec<Path> {
    let mut paths = Vec::new();
    for l1 in 0..input_degrees {
        for l2 in 0..=lmax {
            paths.extend((l1.abs_diff(l2)..=(l1 + l2).min(highest)).map(|l3| Path { l1, l2, l3 }));
        }
    }
    paths
}

impl Sevennet {
    /// Index of an element in the model's order.
    pub fn element_index(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|e| *e == element)
    }
}
