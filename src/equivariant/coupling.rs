//! Couplings of three degrees.

use nalgebra::{DMatrix, DVector, Vector3};

use super::harmonics::Harmonics;
use super::rotation::generators;
use super::{degree, quadrature};

/// e3nn's real 3j tensor of three degrees, `sum of squares = 1`, stored `[2 l1 + 1][2 l2 + 1][2 l3 + 1]`.
#[derive(Clone, Debug)]
pub struct Coupling {
    /// The three degrees.
    pub degrees: [usize; 3],
    values: Vec<f64>,
}

impl Coupling {
    /// All coefficients, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The coefficient of components m1, m2, m3, counted from 0.
    pub fn at(&self, m1: usize, m2: usize, m3: usize) -> f64 {
        let [_, l2, l3] = self.degrees;
        self.values[(m1 * (2 * l2 + 1) + m2) * (2 * l3 + 1) + m3]
    }
}

/// The coupling of three degrees: the normalised average over the sphere, with positive sign, of
///
/// - the product `Y_l1 Y_l2 Y_l3` where the sum of the degrees is even, and
/// - `v . (grad Y_l1 x grad Y_l2) Y_l3` where it is odd.
///
/// Odd sums change sign under reflections: they couple to pseudotensors, which natural-parity features never do. These
/// signs are those of e3nn 0.5; e3nn 0.4 has the opposite one for (1, 2, 2), (2, 1, 2) and (2, 2, 1), among others.
///
/// # Panics
/// If the degrees do not form a triangle.
pub fn coupling(l1: usize, l2: usize, l3: usize) -> Coupling {
    assert!(l1.abs_diff(l2) <= l3 && l3 <= l1 + l2, "degrees {l1}, {l2}, {l3} form no triangle");
    let mut values = match (l1 + l2 + l3).is_multiple_of(2) {
        true => triple_products([l1, l2, l3]),
        false => triple_products_of_gradients([l1, l2, l3]),
    };
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    // What selection rules forbid comes out of the quadrature as rounding noise.
    values.iter_mut().for_each(|v| *v = if v.abs() < 1e-13 { 0.0 } else { *v / norm });
    Coupling { degrees: [l1, l2, l3], values }
}

/// Averages of `Y_l1 Y_l2 Y_l3`.
fn triple_products([l1, l2, l3]: [usize; 3]) -> Vec<f64> {
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
    values
}

/// Averages of `v . (grad Y_l1 x grad Y_l2) Y_l3`.
///
/// The gradients are tangential, and a quarter turn about v leaves the product of two tangents as it is:
/// `v . (L Y_l1 x L Y_l2) Y_l3` is the same, with `L Y = v x grad Y` by the generators of rotations.
fn triple_products_of_gradients([l1, l2, l3]: [usize; 3]) -> Vec<f64> {
    let harmonics = Harmonics::new(l1.max(l2).max(l3));
    let (first, second) = (generators(l1), generators(l2));
    let mut values = vec![0.0; (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1)];
    for (point, weight) in quadrature::sphere(l1 + l2 + l3 + 1) {
        let y = harmonics.of(&point);
        let turned = |generators: &[DMatrix<f64>; 3], l: usize| {
            let y = DVector::from_column_slice(&y[degree(l)]);
            let [x, y, z] = [0, 1, 2].map(|axis| &generators[axis] * &y);
            (0..=2 * l).map(|m| Vector3::new(x[m], y[m], z[m])).collect::<Vec<_>>()
        };
        let mut index = 0;
        let (first, second) = (turned(&first, l1), turned(&second, l2));
        for a in &first {
            for b in &second {
                let product = weight * point.dot(&a.cross(b));
                for c in &y[degree(l3)] {
                    values[index] += product * c;
                    index += 1;
                }
            }
        }
    }
    values
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
    fn couplings_are_equivariant() {
        let axis = nalgebra::Unit::new_normalize(nalgebra::Vector3::new(1.0, -2.0, 0.5));
        let r = nalgebra::Rotation3::from_axis_angle(&axis, 0.7).into_inner();
        for (l1, l2, l3) in [(2, 3, 3), (1, 1, 1), (2, 1, 2), (3, 3, 1), (2, 3, 2)] {
            let c = coupling(l1, l2, l3);
            let turns = [l1, l2, l3].map(|l| crate::equivariant::rotation(l, &r));
            assert!(largest_difference(&turned(&c, &turns), &c.values, 1.0) < 1e-13);
            // A reflection gives odd sums the other sign.
            let mirrors = [l1, l2, l3].map(|l| crate::equivariant::rotation(l, &-r));
            let sign = if (l1 + l2 + l3) % 2 == 0 { 1.0 } else { -1.0 };
            assert!(largest_difference(&turned(&c, &mirrors), &c.values, sign) < 1e-13);
        }
    }

    #[test]
    fn the_odd_coupling_of_vectors_is_their_cross_product() {
        let c = coupling(1, 1, 1);
        let value = 1.0 / 6_f64.sqrt();
        for (a, b, d) in [(0, 1, 2), (1, 2, 0), (2, 0, 1)] {
            assert!((c.at(a, b, d) - value).abs() < 1e-14);
            assert!((c.at(b, a, d) + value).abs() < 1e-14);
        }
    }

    #[test]
    fn odd_couplings_change_sign_when_two_degrees_change_places() {
        let (c, swapped, last) = (coupling(2, 1, 2), coupling(1, 2, 2), coupling(2, 2, 1));
        for (a, b, d) in (0..5).flat_map(|a| (0..3).flat_map(move |b| (0..5).map(move |d| (a, b, d)))) {
            assert!((c.at(a, b, d) + swapped.at(b, a, d)).abs() < 1e-14);
            assert!((c.at(a, b, d) + last.at(a, d, b)).abs() < 1e-14);
        }
        // A rotation about y takes xy (component 1) to zy (component 3): the sign of e3nn 0.5.
        assert!((swapped.at(1, 1, 3) + 1.0 / 30_f64.sqrt()).abs() < 1e-14);
    }

    fn largest_difference(a: &[f64], b: &[f64], factor: f64) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - factor * b).abs()).fold(0.0, f64::max)
    }

    fn turned(c: &Coupling, turns: &[DMatrix<f64>; 3]) -> Vec<f64> {
        let all = |k: usize| 0..=2 * c.degrees[k];
        let places = || all(0).flat_map(|a| all(1).flat_map(move |b| all(2).map(move |d| (a, b, d))));
        let sum = |(i, j, k): (usize, usize, usize)| {
            let term = |(a, b, d)| turns[0][(i, a)] * turns[1][(j, b)] * turns[2][(k, d)] * c.at(a, b, d);
            places().map(term).sum()
        };
        places().map(sum).collect()
    }
}
