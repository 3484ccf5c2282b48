//! Couplings of three degrees.

use super::harmonics::Harmonics;
use super::{degree, quadrature};

/// e3nn's real 3j tensor of three degrees, `sum of squares = 1`, stored `[2 l1 + 1][2 l2 + 1][2 l3 + 1]`.
#[derive(Clone, Debug)]
pub struct Coupling {
    /// The three degrees.
    pub degrees: [usize; 3],
    values: Vec<f64>,
}

impl Coupling {
    /// The coefficient of components m1, m2, m3, counted from 0.
    pub fn at(&self, m1: usize, m2: usize, m3: usize) -> f64 {
        let [_, l2, l3] = self.degrees;
        self.values[(m1 * (2 * l2 + 1) + m2) * (2 * l3 + 1) + m3]
    }
}

/// The coupling of degrees whose sum is even: the triple product of harmonics over the sphere, normalised, with
/// positive overall sign. Odd sums couple to pseudotensors, which natural-parity features never do.
///
/// # Panics
/// If `l1 + l2 + l3` is odd or the degrees do not form a triangle.
pub fn coupling(l1: usize, l2: usize, l3: usize) -> Coupling {
    assert!((l1 + l2 + l3).is_multiple_of(2), "degrees {l1}, {l2}, {l3} have an odd sum");
    assert!(l1.abs_diff(l2) <= l3 && l3 <= l1 + l2, "degrees {l1}, {l2}, {l3} form no triangle");
    let harmonics = Harmonics::new(l1.max(l2).max(l3));
    let mut values = vec![0.0; (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1)];
    for (point, weight) in quadrature::sphere(l1 + l2 + l3) {
        let y = harmonics.of(&point);
        let mut index = 0;
        for a in &y[degree(l1)] {
            for b in &y[degree(l2)] {
                for c in &y[degree(l3)] {
                    values[index] += weight * a * b * c;
                    index += 1;
                }
            }
        }
    }
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    // What selection rules forbid comes out of the quadrature as rounding noise.
    values.iter_mut().for_each(|v| *v = if v.abs() < 1e-13 { 0.0 } else { *v / norm });
    Coupling { degrees: [l1, l2, l3], values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coupling_to_a_scalar_is_the_unit_matrix() {
        for l in 0..=4 {
            let c = coupling(0, l, l);
            for (m2, m3) in (0..=2 * l).flat_map(|m2| (0..=2 * l).map(move |m3| (m2, m3))) {
                let expected = if m2 == m3 { 1.0 / ((2 * l + 1) as f64).sqrt() } else { 0.0 };
                assert!((c.at(0, m2, m3) - expected).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn a_coupling_is_equivariant() {
        let angle = 0.7_f64;
        let axis = nalgebra::Unit::new_normalize(nalgebra::Vector3::new(1.0, -2.0, 0.5));
        let r = nalgebra::Rotation3::from_axis_angle(&axis, angle).into_inner();
        let (l1, l2, l3) = (2, 3, 3);
        let c = coupling(l1, l2, l3);
        let [d1, d2, d3] = [l1, l2, l3].map(|l| crate::equivariant::rotation(l, &r));
        let all = |l: usize| 0..=2 * l;
        for (i, j, k) in all(l1).flat_map(|i| all(l2).flat_map(move |j| all(l3).map(move |k| (i, j, k)))) {
            let mut rotated = 0.0;
            for (a, b, e) in all(l1).flat_map(|a| all(l2).flat_map(move |b| all(l3).map(move |e| (a, b, e))))
            {
                rotated += d1[(i, a)] * d2[(j, b)] * d3[(k, e)] * c.at(a, b, e);
            }
            assert!((rotated - c.at(i, j, k)).abs() < 1e-13);
        }
    }
}
