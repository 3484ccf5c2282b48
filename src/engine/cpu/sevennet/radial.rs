//! Radial functions, tabulated between the distances where they are not analytic.

use ndarray::Array2;

use crate::engine::cpu::table::Place;
use crate::engine::cpu::{Real, Table};
use crate::potential::sevennet::RadialBasis;

/// Functions of the distance in one table for each analytic piece.
pub(super) struct Radial<T> {
    /// Where each piece begins, Angstrom, and its table.
    pieces: Vec<(f64, Table<T>)>,
}

/// Where a distance lies. All radial functions of a model share places.
#[derive(Clone, Copy, Debug)]
pub(super) struct RadialPlace<T> {
    piece: usize,
    place: Place<T>,
}

impl<T: Real> Radial<T> {
    /// Tabulates functions `[distances][columns]` of the radial basis `[distances][functions]`; columns are padded.
    pub(super) fn new(basis: &RadialBasis, functions: impl Fn(&Array2<f64>) -> Array2<f64>) -> Radial<T> {
        let piece = |(k, [start, end]): (usize, [f64; 2])| {
            let share = (end - start) / basis.range;
            let intervals = (share * T::TABLE_INTERVALS as f64).ceil().max(1.0) as usize;
            let table = Table::new(end - start, intervals, |distances| {
                let distances: Vec<f64> = distances.iter().map(|r| start + r).collect();
                functions(&basis.evaluate(k, &distances))
            });
            (start, table)
        };
        Radial { pieces: basis.pieces().into_iter().enumerate().map(piece).collect() }
    }

    /// The place of a distance within the range.
    pub(super) fn place(&self, r: f64) -> RadialPlace<T> {
        let piece = self.pieces.iter().rposition(|(start, _)| *start <= r).unwrap_or(0);
        let (start, table) = &self.pieces[piece];
        RadialPlace { piece, place: table.place(r - start) }
    }

    /// `N` neighbouring vectors of functions at a place, from the given vector on.
    #[inline(always)]
    pub(super) fn strip<S: pulp::Simd, const N: usize>(
        &self,
        simd: S,
        place: &RadialPlace<T>,
        first: usize,
    ) -> [T::Vector<S>; N] {
        self.pieces[place.piece].1.strip(simd, &place.place, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::potential::sevennet::Cutoff;

    #[test]
    fn functions_with_a_kink_are_met_on_both_sides_of_it() {
        let basis = RadialBasis {
            range: 5.0,
            wave_numbers: vec![0.6, 3.1],
            prefactor: 0.4,
            cutoff: Cutoff::Xplor { onset: 4.5 },
        };
        let square = |basis: &Array2<f64>| basis.mapv(|v| v * v + v);
        let radial = Radial::<f64>::new(&basis, |g| {
            let mut out = Array2::zeros((g.nrows(), crate::engine::cpu::LANES));
            out.slice_mut(ndarray::s![.., ..2]).assign(&square(g));
            out
        });
        for k in 1..1000 {
            let r = 0.005 * f64::from(k);
            let exact = square(&basis.evaluate(usize::from(r >= 4.5), &[r]));
            let place = radial.place(r);
            for n in 0..2 {
                let [found] = radial.strip(pulp::Scalar::new(), &place, n);
                assert!((found - exact[(0, n)]).abs() < 1e-12, "{r} {n}");
            }
        }
    }
}
