//! How harmonics turn, and what a site symmetry leaves of them.

use nalgebra::{DMatrix, Matrix3, Rotation3, Vector3};

use super::harmonics::Harmonics;
use super::{degree, quadrature};

/// The matrix D with `Y_l(R v) = D Y_l(v)` for an orthogonal R, proper or not; the parity (-1)^l is in it.
pub fn rotation(l: usize, r: &Matrix3<f64>) -> DMatrix<f64> {
    let harmonics = Harmonics::new(l);
    let mut d = DMatrix::zeros(2 * l + 1, 2 * l + 1);
    for (point, weight) in quadrature::sphere(2 * l) {
        let (turned, y) = (harmonics.of(&(r * point)), harmonics.of(&point));
        for (i, a) in turned[degree(l)].iter().enumerate() {
            for (j, b) in y[degree(l)].iter().enumerate() {
                d[(i, j)] += weight * a * b;
            }
        }
    }
    d
}

/// For each Cartesian axis the generator J of rotations about it: `d/dt Y_l(R(t) v) = J Y_l(v)` at t = 0.
///
/// Entries of D(R(t)) are trigonometric polynomials of degree l, whose derivative M. Riesz's formula
/// `f'(0) = sum_k (-1)^(k+1) f(t_k) / (4 l sin^2(t_k / 2))`, `t_k = (2k - 1) pi / (2l)`, k = 1..=2l, gives exactly.
pub(super) fn generators(l: usize) -> [DMatrix<f64>; 3] {
    [Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis()].map(|axis| {
        let mut generator = DMatrix::zeros(2 * l + 1, 2 * l + 1);
        for k in 0..2 * l {
            let angle = (2 * k + 1) as f64 * std::f64::consts::PI / (2 * l) as f64;
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let weight = sign / ((4 * l) as f64 * (0.5 * angle).sin().powi(2));
            generator += weight * rotation(l, Rotation3::from_axis_angle(&axis, angle).matrix());
        }
        generator
    })
}

/// Orthonormal columns that span the components of degree `l` left unchanged by all of `operations`: (2l+1) x n.
///
/// Rows of the reduced row echelon form of the projector, orthonormalised: components that stand alone (as under a
/// mirror across an axis) come out as unit vectors, which keeps what is built on the basis sparse.
pub fn invariant_basis(l: usize, operations: &[Matrix3<f64>]) -> DMatrix<f64> {
    let size = 2 * l + 1;
    let mut projector = DMatrix::zeros(size, size);
    for r in operations {
        projector += rotation(l, r);
    }
    if operations.is_empty() {
        return DMatrix::identity(size, size);
    }
    projector /= operations.len() as f64;
    let mut columns: Vec<nalgebra::DVector<f64>> = Vec::new();
    for mut row in echelon_rows(projector) {
        for column in &columns {
            let overlap = column.dot(&row);
            row -= column * overlap;
        }
        let norm = row.norm();
        row.iter_mut().for_each(|v| *v = if v.abs() < ROUNDING * norm { 0.0 } else { *v / norm });
        columns.push(row);
    }
    DMatrix::from_fn(size, columns.len(), |i, j| columns[j][i])
}

/// Entries of a projector smaller than this are rounding errors.
const ROUNDING: f64 = 1e-9;

/// Independent rows of a matrix by Gauss-Jordan elimination with row pivoting.
fn echelon_rows(mut matrix: DMatrix<f64>) -> Vec<nalgebra::DVector<f64>> {
    let size = matrix.ncols();
    let mut rank = 0;
    for column in 0..size {
        let pivot =
            (rank..size).max_by(|a, b| matrix[(*a, column)].abs().total_cmp(&matrix[(*b, column)].abs()));
        let Some(pivot) = pivot.filter(|p| matrix[(*p, column)].abs() > ROUNDING) else { continue };
        matrix.swap_rows(rank, pivot);
        let scale = matrix[(rank, column)];
        matrix.row_mut(rank).iter_mut().for_each(|v| *v /= scale);
        for other in (0..size).filter(|i| *i != rank) {
            let factor = matrix[(other, column)];
            for k in 0..size {
                let change = factor * matrix[(rank, k)];
                matrix[(other, k)] -= change;
            }
        }
        rank += 1;
    }
    (0..rank).map(|i| matrix.row(i).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_multiply_and_inversion_has_the_parity_of_the_degree() {
        let a = nalgebra::Rotation3::from_euler_angles(0.3, -1.1, 2.0).into_inner();
        let b = nalgebra::Rotation3::from_euler_angles(-0.4, 0.2, 0.9).into_inner();
        for l in 0..=4 {
            let product = rotation(l, &a) * rotation(l, &b);
            assert!((product - rotation(l, &(a * b))).amax() < 1e-13);
            let sign = if l % 2 == 0 { 1.0 } else { -1.0 };
            let inversion = rotation(l, &-Matrix3::identity());
            assert!((inversion - DMatrix::identity(2 * l + 1, 2 * l + 1) * sign).amax() < 1e-13);
        }
        assert!((rotation(1, &a) - DMatrix::from_fn(3, 3, |i, j| a[(i, j)])).amax() < 1e-14);
    }

    #[test]
    fn generators_are_the_derivatives_of_rotations() {
        let h = 1e-5;
        for l in 0..=4 {
            for (axis, generator) in
                [Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis()].iter().zip(generators(l))
            {
                let [ahead, behind] =
                    [h, -h].map(|t| rotation(l, Rotation3::from_axis_angle(axis, t).matrix()));
                assert!(((ahead - behind) / (2.0 * h) - &generator).amax() < 1e-7);
                assert!((&generator + generator.transpose()).amax() < 1e-13);
            }
        }
    }

    #[test]
    fn a_mirror_leaves_the_components_even_in_its_normal() {
        let mirror = Matrix3::from_diagonal(&nalgebra::Vector3::new(1.0, -1.0, 1.0));
        let counts: Vec<usize> =
            (0..=3).map(|l| invariant_basis(l, &[Matrix3::identity(), mirror]).ncols()).collect();
        assert_eq!(counts, [1, 2, 3, 4]);
        let l1 = invariant_basis(1, &[Matrix3::identity(), mirror]);
        assert_eq!(l1, DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]));
    }

    #[test]
    fn the_cubic_group_leaves_a_scalar_only_up_to_degree_three() {
        let mut group = vec![Matrix3::identity()];
        let fourfold = Matrix3::new(0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0);
        let threefold = Matrix3::new(0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0);
        let mut size = 0;
        while size < group.len() {
            size = group.len();
            for g in group.clone() {
                for h in [fourfold, threefold, -Matrix3::identity()] {
                    let product: Matrix3<f64> = h * g;
                    if !group.iter().any(|k| (k - product).amax() < 1e-12) {
                        group.push(product);
                    }
                }
            }
        }
        assert_eq!(group.len(), 48);
        let counts: Vec<usize> = (0..=4).map(|l| invariant_basis(l, &group).ncols()).collect();
        assert_eq!(counts, [1, 0, 0, 0, 1]);
    }
}
