//! Whether a tolerance makes sense for a lattice: moyo follows the symmetries that a lattice has to within it, and never
//! ends where these generate an infinite group.

use nalgebra::{Matrix3, Vector3};

use crate::crystal::periodic::Periodic;

/// The largest point group of a lattice has so many operations.
const LARGEST_GROUP: usize = 48;

/// Whether moyo's search with a tolerance (Angstrom) ends, the lattice being primitive.
///
/// moyo halves a tolerance at which the approximate symmetries are no group, until they are one.
pub(super) fn is_sound(lattice: &Matrix3<f64>, symprec: f64) -> bool {
    let (basis, _, _) = Periodic::new(lattice).cell();
    let basis = Matrix3::from_column_slice(&basis);
    for halvings in 0..16 {
        let found = approximate_symmetries(&basis, symprec / f64::from(1 << halvings));
        match generated_group(&found) {
            None => return false,
            Some(group) if group == found.len() => return true,
            Some(_) => {}
        }
    }
    true
}

/// Integer matrices that leave a Minkowski-reduced basis (columns, Angstrom) alone to within a tolerance, by the rules
/// of moyo and spglib: lengths differ by less, and angles times the mean of the two lengths.
fn approximate_symmetries(basis: &Matrix3<f64>, symprec: f64) -> Vec<Matrix3<i32>> {
    let range = || -1..=1;
    let points: Vec<Vector3<i32>> = range()
        .flat_map(|i| range().flat_map(move |j| range().map(move |k| Vector3::new(i, j, k))))
        .collect();
    let image = |n: &Vector3<i32>| basis * n.map(f64::from);
    let of_length = |column: usize| -> Vec<&Vector3<i32>> {
        let length = basis.column(column).norm();
        points.iter().filter(|n| (image(n).norm() - length).abs() < symprec).collect()
    };
    let fits = |(i, u): (usize, &Vector3<i32>), (j, v): (usize, &Vector3<i32>)| {
        let (a, b, u, v) = (basis.column(i), basis.column(j), image(u), image(v));
        let turned = (u.angle(&v) - a.angle(&b)).sin().powi(2);
        turned * (a.norm() + u.norm()) / 2.0 * (b.norm() + v.norm()) / 2.0 < symprec * symprec
    };
    let mut found = Vec::new();
    let [first, second, third] = [0, 1, 2].map(of_length);
    for u in first {
        for v in second.iter().filter(|v| fits((0, u), (1, v))) {
            for w in third.iter().filter(|w| fits((1, v), (2, w)) && fits((2, w), (0, u))) {
                let matrix = Matrix3::from_columns(&[*u, **v, **w]);
                if matrix.map(f64::from).determinant().abs().round() == 1.0 {
                    found.push(matrix);
                }
            }
        }
    }
    found
}

/// Order of the group that some matrices generate, if it can be that of a lattice.
fn generated_group(generators: &[Matrix3<i32>]) -> Option<usize> {
    let mut group = vec![Matrix3::identity()];
    let mut next = 0;
    while let Some(element) = group.get(next).copied() {
        for generator in generators {
            let product = element * generator;
            if !group.contains(&product) {
                group.push(product);
            }
        }
        if group.len() > LARGEST_GROUP {
            return None;
        }
        next += 1;
    }
    Some(group.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_that_shear_a_lattice_onto_itself_are_told_from_those_that_do_not() {
        let skewed =
            Matrix3::new(4.5, -0.7312, -1.2405, -1.0180, 4.5, 1.1345, -1.8367, 4.3708, 5.6345).transpose();
        assert!(is_sound(&skewed, 0.3) && !is_sound(&skewed, 0.9));
        let long = Matrix3::from_diagonal(&Vector3::new(2.6, 2.7, 115.0));
        assert!(is_sound(&long, 0.1) && !is_sound(&long, 0.5));
        let cubic = Matrix3::from_diagonal_element(4.0);
        assert_eq!(approximate_symmetries(&cubic, 1e-5).len(), 48);
        assert!(is_sound(&cubic, 0.5));
        // Nearly cubic: no group at first, then one.
        let nearly = Matrix3::from_diagonal(&Vector3::new(4.0, 4.0008, 4.0016));
        let found = approximate_symmetries(&nearly, 1e-3);
        assert!(generated_group(&found).is_some_and(|group| group != found.len()));
        assert!(is_sound(&nearly, 1e-3));
    }
}
