//! Functions of distances and angles.

use std::f64::consts::PI;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

/// `sqrt(2 / R) sin(w_n r / R) / r` times a polynomial that vanishes at the cutoff R with its first two derivatives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RadialFunctions {
    /// R in Angstrom.
    pub cutoff: f64,
    /// w_n, trained; about n pi.
    pub frequencies: Array1<f64>,
}

impl RadialFunctions {
    /// All functions at a distance, `[functions]`. They continue smoothly beyond the cutoff and below zero, where they
    /// are not meant.
    pub fn at(&self, r: f64) -> Array1<f64> {
        let factor = envelope(r / self.cutoff) * (2.0 / self.cutoff).sqrt();
        // sin(k r) / r, with its limit.
        let wave = |k: f64| if (k * r).abs() < 1e-9 { k } else { (k * r).sin() / r };
        self.frequencies.mapv(|w| factor * wave(w / self.cutoff))
    }
}

/// `1 - 45 u^8 + 80 u^9 - 36 u^10` as a product, which keeps its digits near 1.
fn envelope(u: f64) -> f64 {
    let terms = [36.0, 28.0, 21.0, 15.0, 10.0, 6.0, 3.0, 1.0];
    (1.0 - u).powi(3) * terms.iter().fold(0.0, |sum, c| sum * u + c)
}

/// `1 / sqrt(2 pi)`, then `sin(k theta) / sqrt(pi)` for all k, then the cosines alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fourier {
    /// k, trained; no integers.
    pub frequencies: Array1<f64>,
}

/// The model's angle is `acos(ANGLE_SHRINK cos(theta))`, which keeps its gradient finite.
const ANGLE_SHRINK: f64 = 1.0 - 1e-6;

impl Fourier {
    /// The model's angle, in radians, between bonds of which the cosine is given.
    pub fn angle(cosine: f64) -> f64 {
        (ANGLE_SHRINK * cosine).clamp(-1.0, 1.0).acos()
    }

    /// Number of functions.
    pub fn len(&self) -> usize {
        1 + 2 * self.frequencies.len()
    }

    /// Whether there are only constants.
    pub fn is_empty(&self) -> bool {
        self.frequencies.is_empty()
    }

    /// All functions at an angle, `[functions]`.
    pub fn at(&self, angle: f64) -> Array1<f64> {
        let waves = self.frequencies.iter().map(|k| (k * angle).sin());
        let waves = waves.chain(self.frequencies.iter().map(|k| (k * angle).cos()));
        // The constant has the single precision that the model was trained with.
        let constant = f64::from(std::f32::consts::FRAC_1_SQRT_2);
        std::iter::once(constant).chain(waves).map(|v| v / PI.sqrt()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_the_polynomial() {
        for u in [0.0_f64, 0.1, 0.5, 0.9, 1.0] {
            let expected = 1.0 - 45.0 * u.powi(8) + 80.0 * u.powi(9) - 36.0 * u.powi(10);
            assert!((envelope(u) - expected).abs() < 1e-14, "{u}");
        }
    }
}
