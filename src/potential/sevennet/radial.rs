//! Functions of the distance: Bessel functions with trained wave numbers times a cutoff.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// `prefactor sin(w_n r) / r` times a cutoff.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RadialBasis {
    /// Edges end here, Angstrom.
    pub range: f64,
    /// Wave numbers w_n, 1/Angstrom.
    pub wave_numbers: Vec<f64>,
    /// Common factor.
    pub prefactor: f64,
    /// What ends the functions.
    pub cutoff: Cutoff,
}

/// A factor that falls from 1 to 0 at the end of the range R.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cutoff {
    /// XPLOR: 1 up to the onset r0, then `(R^2 - r^2)^2 (R^2 + 2 r^2 - 3 r0^2) / (R^2 - r0^2)^3`.
    Xplor {
        /// r0, Angstrom.
        onset: f64,
    },
    /// `1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2)` with u = r / R.
    Polynomial {
        /// p, an integer.
        exponent: i32,
    },
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

    /// The distances, in order, between which the functions are analytic: all of [0, R], or two pieces of it.
    pub fn pieces(&self) -> Vec<[f64; 2]> {
        match self.cutoff {
            Cutoff::Xplor { onset } => vec![[0.0, onset], [onset, self.range]],
            Cutoff::Polynomial { .. } => vec![[0.0, self.range]],
        }
    }

    /// Basis functions `[distances][functions]` of one of the pieces, continued analytically beyond it.
    pub fn evaluate(&self, piece: usize, distances: &[f64]) -> Array2<f64> {
        Array2::from_shape_fn((distances.len(), self.len()), |(i, n)| {
            let (r, w) = (distances[i], self.wave_numbers[n]);
            // sin(w r) / r has its limit w at 0.
            let bessel = if r.abs() < 1e-12 { w } else { (w * r).sin() / r };
            self.prefactor * self.factor(piece, r) * bessel
        })
    }

    fn factor(&self, piece: usize, r: f64) -> f64 {
        let end = self.range;
        match self.cutoff {
            Cutoff::Xplor { .. } if piece == 0 => 1.0,
            Cutoff::Xplor { onset } => {
                let (end, onset, r) = (end * end, onset * onset, r * r);
                (end - r).powi(2) * (end + 2.0 * r - 3.0 * onset) / (end - onset).powi(3)
            }
            Cutoff::Polynomial { exponent } => {
                let (u, p) = (r / end, f64::from(exponent));
                let tail = (p + 1.0) * (p + 2.0) - u * (2.0 * p * (p + 2.0) - u * p * (p + 1.0));
                1.0 - 0.5 * u.powi(exponent) * tail
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutoffs_join_smoothly_and_end_flat() {
        for cutoff in [Cutoff::Xplor { onset: 4.5 }, Cutoff::Polynomial { exponent: 6 }] {
            let basis = RadialBasis { range: 5.0, wave_numbers: vec![1.0], prefactor: 0.4, cutoff };
            let last = basis.pieces().len() - 1;
            let start = basis.pieces()[last][0];
            assert!((basis.factor(last, start) - 1.0).abs() < 1e-12);
            assert!(basis.factor(last, 5.0).abs() < 1e-12);
            let slope = |r: f64| (basis.factor(last, r + 1e-5) - basis.factor(last, r - 1e-5)) / 2e-5;
            assert!(slope(start).abs() < 1e-7 && slope(5.0).abs() < 1e-7);
            assert!(basis.factor(last, 4.9) > 0.0 && basis.factor(last, 4.9) < 0.2);
        }
    }
}
