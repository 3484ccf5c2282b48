//! Functions of the distance: Bessel basis, Agnesi transform, cutoff envelope, radial network, ZBL repulsion.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::crystal::Element;

/// Bessel functions of the (transformed) distance times a cutoff envelope of the distance itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RadialBasis {
    /// Edges end here, Angstrom.
    pub cutoff: f64,
    /// Wave numbers w_n.
    pub wave_numbers: Vec<f64>,
    /// Common factor.
    pub prefactor: f64,
    /// Exponent p of the envelope.
    pub exponent: f64,
    /// Length scale of the envelope, Angstrom.
    pub envelope_range: f64,
    /// Species-dependent transform of the distance.
    pub transform: Option<Agnesi>,
}

/// `x = 1 / (1 + a u^q / (1 + u^(q - p)))` with `u = r / r0`, r0 half the sum of the covalent radii.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agnesi {
    /// a, q, p of the formula.
    pub a: f64,
    /// See the formula.
    pub q: f64,
    /// See the formula; not the envelope's exponent.
    pub p: f64,
    /// Covalent radii by atomic number, Angstrom.
    pub covalent_radii: Vec<f64>,
}

/// Ziegler-Biersack-Littmark repulsion with an envelope that ends at the sum of the covalent radii.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Zbl {
    /// Four coefficients of the screening function.
    pub c: [f64; 4],
    /// Exponent p of the envelope.
    pub exponent: f64,
    /// Covalent radii by atomic number, Angstrom.
    pub covalent_radii: Vec<f64>,
    /// Exponent of the nuclear charges in the screening length.
    pub charge_exponent: f64,
    /// Prefactor of the screening length.
    pub length_prefactor: f64,
}

/// `1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2)`: the envelope without its end at u = 1, analytic on
/// both sides of it for integer p.
fn envelope(u: f64, p: f64) -> f64 {
    let up = if p.fract() == 0.0 && p.abs() < 64.0 { u.powi(p as i32) } else { u.abs().powf(p) };
    up.mul_add(-(p + 1.0) * (p + 2.0) / 2.0 + u * (p * (p + 2.0) - u * p * (p + 1.0) / 2.0), 1.0)
}

impl RadialBasis {
    /// Number of basis functions.
    pub fn len(&self) -> usize {
        self.wave_numbers.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.wave_numbers.is_empty()
    }

    /// Basis functions at distance `r` between two elements, continued analytically beyond the cutoff (an edge list
    /// ends there) and below zero, where the function is even or nearly so; tables need the continuation.
    pub fn evaluate(&self, r: f64, pair: (Element, Element), out: &mut [f64]) {
        let x = self.transform.as_ref().map_or(r, |t| t.apply(r, pair));
        let scale = self.prefactor * envelope(r / self.envelope_range, self.exponent);
        for (value, w) in out.iter_mut().zip(&self.wave_numbers) {
            // sin(w x) / x has its limit w at 0.
            *value = scale * if x.abs() < 1e-12 { *w } else { (w * x).sin() / x };
        }
    }
}

impl Agnesi {
    fn apply(&self, r: f64, pair: (Element, Element)) -> f64 {
        let radius = |e: Element| self.covalent_radii[e.number()];
        let u = (r / (0.5 * (radius(pair.0) + radius(pair.1)))).abs();
        // u^q / (1 + u^(q - p)) = u^p / (u^(p - q) + 1), which has no pole at 0.
        1.0 / (1.0 + self.a * u.powf(self.p) / (u.powf(self.p - self.q) + 1.0))
    }
}

impl Zbl {
    /// Half the repulsion of a pair at distance `r`, in eV: each direction of an edge carries one half.
    pub fn half_energy(&self, r: f64, pair: (Element, Element)) -> f64 {
        let range = self.covalent_radii[pair.0.number()] + self.covalent_radii[pair.1.number()];
        if r >= range {
            return 0.0;
        }
        let (za, zb) = (pair.0.number() as f64, pair.1.number() as f64);
        let charges = za.powf(self.charge_exponent) + zb.powf(self.charge_exponent);
        let x = r / (self.length_prefactor * 0.529 / charges);
        let decays = [3.2, 0.9423, 0.4028, 0.2016];
        let screening: f64 = self.c.iter().zip(decays).map(|(c, d)| c * (-d * x).exp()).sum();
        0.5 * 14.3996 * za * zb / r * screening * envelope(r / range, self.exponent)
    }
}

/// Multilayer perceptron without biases from the radial basis to the weights of all paths.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RadialNetwork {
    /// `[inputs][outputs]` of each layer; all but the last are followed by `kappa silu`.
    pub weights: Vec<Array2<f64>>,
    /// Second-moment normalisation of each hidden layer's silu.
    pub kappas: Vec<f64>,
}

/// `x / (1 + e^-x)`.
pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

impl RadialNetwork {
    /// Path weights for many rows of basis functions: `[rows][basis]` -> `[rows][paths * C]`.
    pub fn evaluate(&self, basis: &Array2<f64>) -> Array2<f64> {
        let mut values = basis.clone();
        for (layer, weights) in self.weights.iter().enumerate() {
            values = values.dot(weights);
            if let Some(kappa) = self.kappas.get(layer) {
                values.mapv_inplace(|x| kappa * silu(x));
            }
        }
        values
    }
}

/// A radial function's share of a density normaliser: `tanh((g . w)^2)`.
pub fn density(basis: &[f64], weights: &Array1<f64>) -> f64 {
    let product: f64 = basis.iter().zip(weights).map(|(g, w)| g * w).sum();
    (product * product).tanh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_one_at_zero_and_flat_at_its_end() {
        for p in [5.0, 6.0] {
            assert_eq!(envelope(0.0, p), 1.0);
            assert!(envelope(1.0, p).abs() < 1e-12);
            let h = 1e-4;
            assert!(((envelope(1.0, p) - envelope(1.0 - h, p)) / h).abs() < 1e-5);
        }
    }

    #[test]
    fn the_transform_is_the_published_formula() {
        let agnesi = Agnesi { a: 1.0805, q: 0.9183, p: 4.5791, covalent_radii: vec![0.7; 119] };
        let pair = (Element::from_number(7).unwrap(), Element::from_number(74).unwrap());
        for r in [0.1_f64, 0.7, 2.3, 5.0] {
            let u = r / 0.7;
            let expected = 1.0 / (1.0 + 1.0805 * u.powf(0.9183) / (1.0 + u.powf(0.9183 - 4.5791)));
            assert!((agnesi.apply(r, pair) - expected).abs() < 1e-15);
        }
        assert_eq!(agnesi.apply(0.0, pair), 1.0);
    }
}
