//! Real spherical harmonics by recursion.

use nalgebra::Vector3;

use super::components;

/// Evaluates all harmonics up to one degree.
///
/// With (X, Y, Z) = (z, x, y), `Y_lm = N_lm Q_l^|m|(Z) * (Re (X + iY)^m for m >= 0, Im (X + iY)^|m| for m < 0)`,
/// where Q is the associated Legendre function without its factor `sin^m` and without Condon-Shortley phase, and
/// `N_lm = sqrt((2l + 1) (2 - delta_m0) (l - m)! / (l + m)!)`.
#[derive(Clone, Debug)]
pub struct Harmonics {
    lmax: usize,
    /// N_lm at `l*l + l + m` for m >= 0.
    norms: Vec<f64>,
}

impl Harmonics {
    /// Prepares the normalisation up to degree `lmax`.
    pub fn new(lmax: usize) -> Harmonics {
        let mut norms = vec![0.0; components(lmax)];
        for l in 0..=lmax {
            let mut ratio = 1.0; // (l - m)! / (l + m)!
            for m in 0..=l {
                if m > 0 {
                    ratio /= ((l + m) * (l - m + 1)) as f64;
                }
                let multiplicity = if m == 0 { 1.0 } else { 2.0 };
                norms[l * l + l + m] = ((2 * l + 1) as f64 * multiplicity * ratio).sqrt();
            }
        }
        Harmonics { lmax, norms }
    }

    /// N_lm at `l*l + l + m` for m >= 0, of all degrees.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// Highest degree.
    pub fn lmax(&self) -> usize {
        self.lmax
    }

    /// Writes the `(lmax + 1)^2` harmonics of the unit vector `v` into `out`.
    pub fn evaluate(&self, v: &Vector3<f64>, out: &mut [f64]) {
        let out = &mut out[..components(self.lmax)];
        let (x, y, z) = (v.z, v.x, v.y);
        let (mut cosine, mut sine) = (1.0, 0.0); // Re, Im of (x + iy)^m
        let mut diagonal = 1.0; // Q_m^m = (2m - 1)!!
        for m in 0..=self.lmax {
            if m > 0 {
                (cosine, sine) = (cosine * x - sine * y, cosine * y + sine * x);
                diagonal *= (2 * m - 1) as f64;
            }
            let (mut previous, mut legendre) = (0.0, diagonal);
            for l in m..=self.lmax {
                if l > m {
                    let next =
                        ((2 * l - 1) as f64 * z * legendre - (l + m - 1) as f64 * previous) / (l - m) as f64;
                    (previous, legendre) = (legendre, next);
                }
                let centre = l * l + l;
                let value = self.norms[centre + m] * legendre;
                out[centre + m] = value * cosine;
                if m > 0 {
                    out[centre - m] = value * sine;
                }
            }
        }
    }

    /// The harmonics of the direction of `v`, as a vector.
    pub fn of(&self, v: &Vector3<f64>) -> Vec<f64> {
        let mut out = vec![0.0; components(self.lmax)];
        self.evaluate(&v.normalize(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equivariant::degree;

    #[test]
    fn the_closed_forms_of_e3nn_up_to_degree_three() {
        let v = Vector3::new(0.3, -0.7, 0.5).normalize();
        let (x, y, z) = (v.x, v.y, v.z);
        let (s3, s5, s7, s15) = (3_f64.sqrt(), 5_f64.sqrt(), 7_f64.sqrt(), 15_f64.sqrt());
        let (a, b, q) = (s3 * x * z, 0.5 * s3 * (z * z - x * x), x * x + z * z);
        let (k, k2) = ((5.0_f64 / 6.0).sqrt(), (3.0_f64 / 8.0).sqrt());
        let expected = [
            1.0,
            s3 * x,
            s3 * y,
            s3 * z,
            s15 * x * z,
            s15 * x * y,
            s5 * (y * y - 0.5 * q),
            s15 * y * z,
            0.5 * s15 * (z * z - x * x),
            s7 * k * (a * z + b * x),
            s7 * s5 * a * y,
            s7 * k2 * (4.0 * y * y - q) * x,
            s7 * 0.5 * y * (2.0 * y * y - 3.0 * q),
            s7 * k2 * z * (4.0 * y * y - q),
            s7 * s5 * b * y,
            s7 * k * (b * z - a * x),
        ];
        for (found, expected) in Harmonics::new(3).of(&v).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }

    #[test]
    fn the_squares_of_a_degree_sum_to_2l_plus_1() {
        let harmonics = Harmonics::new(8);
        for v in [Vector3::new(0.0, 0.0, 1.0), Vector3::new(0.0, 1.0, 0.0), Vector3::new(0.2, -3.0, 1.1)] {
            let y = harmonics.of(&v);
            for l in 0..=8 {
                let sum: f64 = y[degree(l)].iter().map(|v| v * v).sum();
                assert!((sum - (2 * l + 1) as f64).abs() < 1e-11, "{l} {sum}");
            }
        }
    }
}
