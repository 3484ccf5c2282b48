//! Nearest periodic images, right in skewed cells too.

use moyo::base::Lattice;
use nalgebra::{Matrix3, Vector3};

/// A lattice in a Minkowski-reduced basis, where the nearest image of a difference rounded into
/// [-1/2, 1/2]^3 lies within one cell in each direction.
#[derive(Clone, Debug)]
pub(crate) struct Periodic {
    /// Reduced lattice vectors as columns, in Angstrom.
    basis: Matrix3<f64>,
    /// `x_reduced = to_reduced * x`.
    to_reduced: Matrix3<f64>,
    from_reduced: Matrix3<f64>,
    /// Cartesian components of the 27 images.
    images: [[f64; 27]; 3],
    /// Length of the shortest lattice vector.
    pub(crate) shortest: f64,
    /// Least distance between opposite faces of the reduced cell.
    pub(crate) least_height: f64,
}

impl Periodic {
    /// For lattice vectors as columns, in Angstrom.
    pub(crate) fn new(lattice: &Matrix3<f64>) -> Periodic {
        let (basis, transform) = match Lattice::new(lattice.transpose()).minkowski_reduce() {
            Ok((reduced, transform)) => (reduced.basis, transform.map(f64::from)),
            // moyo refuses only lattices at the edge of rounding, which are as good as reduced.
            Err(_) => (*lattice, Matrix3::identity()),
        };
        let to_reduced = transform.try_inverse().unwrap_or_else(Matrix3::identity).map(f64::round);
        let image = |k: usize| {
            let shift = Vector3::new((k / 9) as f64 - 1.0, (k / 3 % 3) as f64 - 1.0, (k % 3) as f64 - 1.0);
            basis * shift
        };
        let images = [0, 1, 2].map(|axis| std::array::from_fn(|k| image(k)[axis]));
        let shortest = (0..27).filter(|k| *k != 13).map(|k| image(k).norm()).fold(f64::INFINITY, f64::min);
        let heights = basis
            .try_inverse()
            .map(|inverse| inverse.row_iter().map(|row| 1.0 / row.norm()).fold(f64::INFINITY, f64::min));
        let least_height = heights.unwrap_or(0.0);
        Periodic { basis, to_reduced, from_reduced: transform, images, shortest, least_height }
    }

    /// Lattice vectors column by column, Cartesian components of the images, square of the shortest lattice vector.
    pub(crate) fn cell(&self) -> ([f64; 9], [[f64; 27]; 3], f64) {
        let mut basis = [0.0; 9];
        basis.copy_from_slice(self.basis.as_slice());
        (basis, self.images, self.shortest * self.shortest)
    }

    /// A fractional position in the reduced basis.
    pub(crate) fn reduce(&self, x: &Vector3<f64>) -> Vector3<f64> {
        self.to_reduced * x
    }

    /// The image of a fractional difference that is nearest to zero, if that is nearer than half the least height.
    ///
    /// A vector of length r has components of at most r / h_i, h_i being the height of the reduced cell along i. So
    /// below half the least height every component is under 1/2, which rounding alone achieves.
    pub(crate) fn close_image(&self, difference: &Vector3<f64>) -> Vector3<f64> {
        self.from_reduced * self.reduce(difference).map(|d| d - d.round())
    }

    /// Length of [`Periodic::close_image`] in Angstrom; right below half the least height, else an upper bound.
    pub(crate) fn close_distance(&self, difference: &Vector3<f64>) -> f64 {
        (self.basis * self.reduce(difference).map(|d| d - d.round())).norm()
    }

    /// Distances of the nearest image of a fractional difference and of the 26 around it, in Angstrom.
    pub(crate) fn distances_of_images(&self, difference: &Vector3<f64>) -> impl Iterator<Item = f64> + use<> {
        let v = self.basis * self.reduce(difference).map(|d| d - d.round());
        let [xs, ys, zs] = self.images;
        (0..27).map(move |k| Vector3::new(v.x + xs[k], v.y + ys[k], v.z + zs[k]).norm())
    }

    /// Distance of the nearest image for a difference in the reduced basis, in Angstrom.
    pub(crate) fn distance(&self, difference: &Vector3<f64>) -> f64 {
        let v = self.basis * difference.map(|d| d - d.round());
        let squared = v.norm_squared();
        // No image is nearer than |c| - |v| for a lattice vector c.
        if 4.0 * squared <= self.shortest * self.shortest {
            return squared.sqrt();
        }
        let [xs, ys, zs] = &self.images;
        let mut nearest = squared;
        for k in 0..27 {
            let (x, y, z) = (v.x + xs[k], v.y + ys[k], v.z + zs[k]);
            nearest = nearest.min(x * x + y * y + z * z);
        }
        nearest.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All images within a wide box.
    fn brute_force(lattice: &Matrix3<f64>, d: &Vector3<f64>) -> f64 {
        let range = || -6..=6;
        let mut nearest = f64::INFINITY;
        for (i, j, k) in range().flat_map(|i| range().flat_map(move |j| range().map(move |k| (i, j, k)))) {
            let shift = Vector3::new(f64::from(i), f64::from(j), f64::from(k));
            nearest = nearest.min((lattice * (d.map(|x| x - x.round()) + shift)).norm());
        }
        nearest
    }

    #[test]
    fn the_nearest_image_is_found_in_skewed_cells() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut naive_wrong = 0;
        for _ in 0..200 {
            let lattice = Matrix3::from_fn(|_, _| 8.0 * (random() - 0.5));
            if lattice.determinant().abs() < 20.0 {
                continue;
            }
            let periodic = Periodic::new(&lattice);
            let difference = Vector3::from_fn(|_, _| 3.0 * (random() - 0.5));
            let exact = brute_force(&lattice, &difference);
            let found = periodic.distance(&periodic.reduce(&difference));
            assert!((found - exact).abs() < 1e-12, "{lattice}{difference}{found} {exact}");
            let naive = (lattice * difference.map(|x| x - x.round())).norm();
            naive_wrong += usize::from((naive - exact).abs() > 1e-9);
        }
        assert!(naive_wrong > 20, "the cells are skewed enough to tell: {naive_wrong}");
    }
}
