//! Which of a group's standard cells a crystal gets: the one nearest to the cell of its file.
//!
//! A cell and an origin in which the group's operations are those of the standard setting can be exchanged for any
//! other one that the group's normaliser leads to. Of all these the nearest to the file's is taken, by this order:
//!
//! 1. where the file's cell is as large as the standard one, the least `|P - I|` (root of the sum of squared elements),
//!    so that a cell which is standard already stays as it is; where it is not (primitive cells, supercells), the least
//!    `|A_file P - S|` in Angstrom, S being the same lattice in the standard orientation (a along x, b in the plane of x
//!    and y), so that axes along which the file's space is oriented stay as they are; within 0.02;
//! 2. the least `|A_file p|`, where p counts modulo lattice translations and has no part along polar directions, so
//!    that an origin which is standard already stays as it is; lengths within 0.02 Angstrom count as equal;
//! 3. the smallest elements of P, then of p in [0, 1), one after the other.

use std::fmt;

use nalgebra::{Matrix3, Vector3};
use serde::{Deserialize, Serialize};

use super::standard::standard_orientation;
use super::{Normalizer, Operation, SpaceGroup, is_integer, wrap};

/// Change of a cell and its origin, from the file's to the crystal's, before atoms are moved by symmetrisation:
/// `A_crystal = A_file * linear` but for a rotation in space, `x_file = linear * x_crystal + shift`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transformation {
    /// P: the crystal's lattice vectors as columns, in units of the file's.
    pub linear: Matrix3<f64>,
    /// p: the crystal's origin in fractional coordinates of the file.
    pub shift: Vector3<f64>,
}

/// Distances that differ by less, in Angstrom, are equal: what differs more than noise differs by more.
const SAME_DISTANCE: f64 = 0.02;
/// Elements of P are rationals.
const RATIONAL: f64 = 1e-6;
/// Origins of one setting with axes exchanged differ by multiples of 1/24 in all groups.
const ORIGINS: i32 = 24;

impl Transformation {
    /// The change that changes nothing.
    pub fn identity() -> Transformation {
        Transformation { linear: Matrix3::identity(), shift: Vector3::zeros() }
    }

    /// `x_file` of `x_crystal`.
    pub fn to_file(&self, x: &Vector3<f64>) -> Vector3<f64> {
        self.linear * x + self.shift
    }

    /// Inverse of P, which is never singular: its columns span a cell.
    pub fn inverse(&self) -> Matrix3<f64> {
        self.linear.try_inverse().unwrap_or_else(Matrix3::identity)
    }

    /// `x_crystal` of `x_file`.
    pub fn to_crystal(&self, x: &Vector3<f64>) -> Vector3<f64> {
        self.inverse() * (x - self.shift)
    }

    /// First to the crystal's cell, then on to the one in which `x_crystal = operation(x)`.
    fn then(&self, operation: &Operation) -> Transformation {
        let linear = self.linear * operation.rotation;
        Transformation { linear, shift: self.to_file(&operation.translation) }
    }
}

/// The standard cell of `group` that is nearest to the file's, given any one of them with its symmetrised lattice.
pub(super) fn nearest(
    found: &Transformation,
    lattice: &Matrix3<f64>,
    group: &SpaceGroup,
    file_lattice: &Matrix3<f64>,
) -> Transformation {
    let search = Search::new(group, file_lattice);
    let base = search.keep_cell(found).unwrap_or_else(|| found.clone());
    let base = search.reduce(&base);
    let at_home = base.linear == Matrix3::identity() && search.length(&base) < SAME_DISTANCE;
    let chosen = match at_home {
        true => base,
        false => search.nearest_of(&base, &(lattice * (found.inverse() * base.linear).map(f64::round))),
    };
    search.right_handed(chosen)
}

impl fmt::Display for Transformation {
    /// As the International Tables write it, a, b, c being the vectors of the file: `a, b, a + 2c; origin 0, 1/4, 0`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let vector = |column: usize| {
            let mut text = String::new();
            for (value, name) in self.linear.column(column).iter().zip(["a", "b", "c"]) {
                let size = number(value.abs());
                if size == "0" {
                    continue;
                }
                text += match (value.is_sign_negative(), text.is_empty()) {
                    (true, true) => "-",
                    (true, false) => " - ",
                    (false, true) => "",
                    (false, false) => " + ",
                };
                text += &format!("{}{name}", if size == "1" { "" } else { &size });
            }
            text
        };
        let origin = [0, 1, 2].map(|j| {
            let size = number(self.shift[j].abs());
            if self.shift[j] < 0.0 && size != "0" { format!("-{size}") } else { size }
        });
        write!(f, "{}, {}, {}; origin {}", vector(0), vector(1), vector(2), origin.join(", "))
    }
}

/// A size as a small fraction, where it is one to five digits, else as a decimal number.
fn number(size: f64) -> String {
    let fraction = |n: f64| ((size * n).round() / n - size).abs() < 5e-6;
    match [1, 2, 3, 4, 6, 8].into_iter().find(|n| fraction(f64::from(*n))) {
        Some(1) => format!("{}", size.round()),
        Some(n) => format!("{}/{n}", (size * f64::from(n)).round()),
        None => format!("{size:.5}"),
    }
}

struct Search<'a> {
    group: &'a SpaceGroup,
    file_lattice: &'a Matrix3<f64>,
    /// An operation of the group that changes the handedness.
    improper: Option<&'a Operation>,
    /// Projects onto the polar directions: the mean of all rotations.
    polar: Matrix3<f64>,
}

impl<'a> Search<'a> {
    fn new(group: &'a SpaceGroup, file_lattice: &'a Matrix3<f64>) -> Self {
        let improper = group.operations.iter().find(|o| !o.is_proper());
        Search { group, file_lattice, improper, polar: group.polar_projector() }
    }

    /// The file's own cell with an origin at which the group's operations are the standard ones, if there is one.
    ///
    /// With an improper operation in the group, a left-handed cell has the numbers of the right-handed one that the
    /// operation makes of it; without one, all its vectors are reversed, so that the crystal keeps its handedness.
    fn keep_cell(&self, found: &Transformation) -> Option<Transformation> {
        let reverse = self.improper.is_none() && found.linear.determinant() < 0.0;
        let linear = Matrix3::from_diagonal_element(if reverse { -1.0 } else { 1.0 });
        let rotation = found.inverse() * linear;
        let integers = rotation.map(f64::round);
        let unimodular = (integers.determinant().abs() - 1.0).abs() < RATIONAL;
        if !unimodular || (integers - rotation).amax() > RATIONAL {
            return None;
        }
        let shift = found.to_file(&self.origin(&integers)?);
        Some(Transformation { linear, shift })
    }

    /// q for which (R, q) maps the group onto itself: `(R, q)^-1 g (R, q)` is in the group for every g.
    fn origin(&self, rotation: &Matrix3<f64>) -> Option<Vector3<f64>> {
        let inverse = rotation.try_inverse()?;
        let operations = &self.group.operations;
        let partners: Option<Vec<Vec<&Operation>>> = (operations.iter())
            .map(|g| {
                let turned = inverse * g.rotation * rotation;
                let fits = |o: &&Operation| (o.rotation - turned).amax() < RATIONAL;
                let partners: Vec<&Operation> = operations.iter().filter(fits).collect();
                (!partners.is_empty()).then_some(partners)
            })
            .collect();
        let pairs: Vec<_> = operations.iter().zip(partners?).collect();
        let keeps = |q: &Vector3<f64>| {
            pairs.iter().all(|(g, partners)| {
                let moved = inverse * (g.apply(q) - q);
                partners.iter().any(|o| (moved - o.translation).iter().all(|v| is_integer(*v, RATIONAL)))
            })
        };
        let range = || (0..ORIGINS).map(|n| f64::from(n) / f64::from(ORIGINS));
        range()
            .flat_map(|x| range().flat_map(move |y| range().map(move |z| Vector3::new(x, y, z))))
            .find(keeps)
    }

    /// p without its part along polar directions, and as near to zero as lattice translations bring it.
    fn reduce(&self, change: &Transformation) -> Transformation {
        let x = change.inverse() * change.shift;
        let x = x - self.polar * x;
        // Differences from a multiple of 1/2 that are noise do not decide.
        let primitive = (self.group.centering * x).map(|v| v - (v - 1e-3).round());
        let to_conventional = self.group.centering.try_inverse().unwrap_or_else(Matrix3::identity);
        let range = || [0.0, -1.0, 1.0].into_iter();
        let images =
            range().flat_map(|i| range().flat_map(move |j| range().map(move |k| Vector3::new(i, j, k))));
        let shifts = images.map(|n| change.linear * to_conventional * (primitive + n));
        let length = |p: &Vector3<f64>| ((self.file_lattice * p).norm() / SAME_DISTANCE).round();
        let shift = shifts.min_by(|a, b| length(a).total_cmp(&length(b))).unwrap_or(change.shift);
        Transformation { linear: change.linear, shift }
    }

    /// `|A_file p|` in Angstrom.
    fn length(&self, change: &Transformation) -> f64 {
        (self.file_lattice * change.shift).norm()
    }

    /// The nearest of all choices; `lattice` is the symmetrised one of `base`.
    fn nearest_of(&self, base: &Transformation, lattice: &Matrix3<f64>) -> Transformation {
        let normalizer = Normalizer::new(self.group, &(lattice * lattice.determinant().signum()))
            .unwrap_or_else(|_| Normalizer::of_group(self.group));
        let is_as_large = (base.linear.determinant().abs() - 1.0).abs() < RATIONAL;
        // In a cell of another size no numbers stay, whatever the handedness.
        let may_be_improper = is_as_large && self.improper.is_some();
        let choices: Vec<(Transformation, f64, f64)> = (normalizer.operations.iter())
            .filter(|n| may_be_improper || n.is_proper())
            .map(|n| {
                let change = self.reduce(&base.then(n));
                let distance = match is_as_large {
                    true => (change.linear - Matrix3::identity()).norm(),
                    false => {
                        let standard = standard_orientation(&(lattice * n.rotation));
                        (self.file_lattice * change.linear - standard).norm()
                    }
                };
                let length = self.length(&change);
                (change, distance, length)
            })
            .collect();
        let least = choices.iter().map(|c| c.1).fold(f64::INFINITY, f64::min);
        let choices: Vec<_> = choices.into_iter().filter(|c| c.1 < least + SAME_DISTANCE).collect();
        let shortest = choices.iter().map(|c| c.2).fold(f64::INFINITY, f64::min);
        let key = |c: &Transformation| -> Vec<i64> {
            let elements = c.linear.iter().map(|v| (v * 1e6).round() as i64);
            // Two digits: what remains are multiples of 1/24 apart.
            elements.chain(c.shift.iter().map(|v| (wrap(*v + 5e-3) * 1e2) as i64)).collect()
        };
        (choices.into_iter())
            .filter(|c| c.2 < shortest + SAME_DISTANCE)
            .map(|c| c.0)
            .min_by_key(key)
            .unwrap_or_else(|| base.clone())
    }

    /// The same numbers in a right-handed cell, by an operation of the group.
    fn right_handed(&self, change: Transformation) -> Transformation {
        let left_handed = (self.file_lattice * change.linear).determinant() < 0.0;
        match self.improper.filter(|_| left_handed) {
            Some(operation) => change.then(operation),
            None => change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transformation_is_written_as_in_the_tables() {
        let text = |linear: Matrix3<f64>, shift: [f64; 3]| {
            Transformation { linear, shift: shift.into() }.to_string()
        };
        assert_eq!(Transformation::identity().to_string(), "a, b, c; origin 0, 0, 0");
        let hexagonal = Matrix3::new(1.0, 0.0, 1.0, -1.0, 1.0, 1.0, 0.0, -1.0, 1.0);
        assert_eq!(text(hexagonal, [0.0, 0.25, -0.125]), "a - b, b - c, a + b + c; origin 0, 1/4, -1/8");
        let half = Matrix3::new(0.0, -0.5, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0, 2.0);
        assert_eq!(text(half, [1.0 / 3.0, 0.0001, -1e-9]), "-1/2b, -1/2a, 2c; origin 1/3, 0.00010, 0");
    }
}
