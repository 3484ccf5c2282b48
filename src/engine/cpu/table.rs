//! Functions of the distance as quintic B-splines on uniform grids.
//!
//! `f(r) = sum_j w_j(t) c[i + j]`, j = 0..6, where r = (i + t) h; the six weights are the quintic B-spline at t. The
//! coefficients interpolate f at the knots, which reach so far beyond both ends of the range that what happens at
//! the last knots has died out inside it: f must be smooth there too. Functions with kinks have a grid for each piece.

use ndarray::{Array2, ArrayView2, Axis};
use pulp::Simd;

use super::real::{LANES, Real};

/// Many functions of one distance, evaluated together.
#[derive(Clone, Debug)]
pub struct Table<T> {
    /// Functions, padded.
    columns: usize,
    /// At least one, by distance.
    pieces: Vec<Piece>,
    /// `[row][columns]`, piece by piece.
    coefficients: Vec<T>,
}

/// Distances over which all functions are smooth: `intervals + 5` rows of a table, of which row k belongs to the
/// B-spline centred at knot k - 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Where it begins.
    pub start: f64,
    /// Intervals a unit of the distance.
    pub inverse_step: f64,
    /// Intervals.
    pub intervals: usize,
    /// First row.
    pub row: usize,
}

/// Knots beyond each end: the influence of the end decays by 0.43 a knot, to 1e-15 here.
const MARGIN: usize = 42;

/// Where on a table a distance lies: the first of six rows and their weights.
#[derive(Clone, Copy, Debug)]
pub struct Place<T> {
    pub(crate) row: usize,
    pub(crate) weights: [T; 6],
}

impl<T: Real> Table<T> {
    /// Tabulates functions on [0, range] with the given number of intervals.
    ///
    /// `functions` gives values `[distances][columns]`; it is called once, with distances that reach beyond both ends
    /// (also below zero), where it must continue smoothly.
    pub fn new(range: f64, intervals: usize, functions: impl FnOnce(&[f64]) -> Array2<f64>) -> Table<T> {
        let mut table = Table { columns: 0, pieces: Vec::new(), coefficients: Vec::new() };
        table.add([0.0, range], intervals, functions);
        table
    }

    /// Tabulates functions with kinks, between which they are smooth: on [0, b], [b, c], ... with so many intervals
    /// over all of them together, or a few more.
    ///
    /// `functions` is called once a piece, with its number; each time as for [`Table::new`].
    pub fn in_pieces(
        pieces: &[[f64; 2]],
        intervals: usize,
        functions: impl Fn(usize, &[f64]) -> Array2<f64>,
    ) -> Table<T> {
        let mut table = Table { columns: 0, pieces: Vec::new(), coefficients: Vec::new() };
        let range = pieces.last().map_or(1.0, |p| p[1]);
        for (k, [start, end]) in pieces.iter().enumerate() {
            let own = ((end - start) / range * intervals as f64).ceil().max(1.0) as usize;
            table.add([*start, *end], own, |distances| functions(k, distances));
        }
        table
    }

    fn add(
        &mut self,
        [start, end]: [f64; 2],
        intervals: usize,
        functions: impl FnOnce(&[f64]) -> Array2<f64>,
    ) {
        let step = (end - start) / intervals as f64;
        let knots = intervals + 1 + 2 * MARGIN;
        let distances: Vec<f64> = (0..knots).map(|k| start + (k as f64 - MARGIN as f64) * step).collect();
        let values = functions(&distances);
        self.columns = values.ncols().next_multiple_of(LANES);
        let row = self.coefficients.len() / self.columns.max(1);
        self.pieces.push(Piece { start, inverse_step: 1.0 / step, intervals, row });
        let rows = interpolate(values.view());
        for row in rows.slice(ndarray::s![MARGIN - 2..MARGIN + intervals + 3, ..]).rows() {
            self.coefficients.extend(row.iter().map(|c| T::from_f64(*c)));
            self.coefficients.resize(self.coefficients.len().next_multiple_of(self.columns), T::ZERO);
        }
    }

    /// Number of functions, padded to a multiple of [`LANES`].
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `[row][columns]`.
    pub fn coefficients(&self) -> &[T] {
        &self.coefficients
    }

    /// Pieces in the order of their distances. Tables of equal pieces share places.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.coefficients.len() * size_of::<T>()
    }

    /// The place of a distance within the range.
    #[inline]
    pub fn place(&self, r: f64) -> Place<T> {
        let piece = self.pieces.iter().rfind(|p| p.start <= r).unwrap_or(&self.pieces[0]);
        let position = ((r - piece.start) * piece.inverse_step).max(0.0);
        let row = (position as usize).min(piece.intervals - 1);
        let weights = quintic_weights(position - row as f64).map(T::from_f64);
        Place { row: piece.row + row, weights }
    }

    /// All functions at a distance within [0, range], and the padding.
    pub fn at(&self, r: f64) -> Vec<T> {
        let (scalar, place) = (pulp::Scalar::new(), self.place(r));
        let mut out = vec![T::ZERO; self.columns];
        for (k, value) in T::vectors_mut::<pulp::Scalar>(&mut out).iter_mut().enumerate() {
            [*value] = self.strip(scalar, &place, k);
        }
        out
    }

    /// `N` neighbouring vectors of functions at a place, from the given vector on.
    #[inline(always)]
    pub(crate) fn strip<S: Simd, const N: usize>(
        &self,
        simd: S,
        place: &Place<T>,
        first: usize,
    ) -> [T::Vector<S>; N] {
        let rows = T::vectors::<S>(&self.coefficients[place.row * self.columns..][..6 * self.columns]);
        let width = rows.len() / 6;
        let mut sums = [T::splat(simd, T::ZERO); N];
        for (j, weight) in place.weights.iter().enumerate() {
            let weight = T::splat(simd, *weight);
            let row = &rows[j * width + first..][..N];
            for i in 0..N {
                sums[i] = T::multiply_add(simd, weight, row[i], sums[i]);
            }
        }
        sums
    }
}

/// The six quintic B-splines that are not zero at distance t in [0, 1] from a knot.
fn quintic_weights(t: f64) -> [f64; 6] {
    let cube = |x: f64| x * x * x * x * x;
    let piece = |x: f64| {
        // The centred quintic B-spline at x in [0, 3], times 120.
        let mut value = cube(3.0 - x);
        if x < 2.0 {
            value -= 6.0 * cube(2.0 - x);
        }
        if x < 1.0 {
            value += 15.0 * cube(1.0 - x);
        }
        value / 120.0
    };
    [t + 2.0, t + 1.0, t, 1.0 - t, 2.0 - t, 3.0 - t].map(piece)
}

/// Coefficients that reproduce the values at all knots: (1, 26, 66, 26, 1) / 120 c = f, by elimination without
/// pivoting, which the dominance of 66 makes stable.
fn interpolate(values: ArrayView2<f64>) -> Array2<f64> {
    let rows = values.nrows();
    let mut c = values.mapv(|v| v * 120.0);
    // After elimination row i reads: c_i + upper1 c_{i+1} + upper2 c_{i+2} = rhs.
    let mut upper = vec![[0.0_f64; 2]; rows];
    let before = |upper: &[[f64; 2]], i: usize, back: usize| i.checked_sub(back).map(|k| upper[k]);
    for i in 0..rows {
        let second = before(&upper, i, 2).unwrap_or_default();
        let first = before(&upper, i, 1).unwrap_or_default();
        // Factors of the two rows before, where there are any.
        let low = if i >= 1 { 26.0 - second[0] } else { 0.0 };
        let diagonal = 66.0 - low * first[0] - second[1];
        upper[i] = [(26.0 - low * first[1]) / diagonal, 1.0 / diagonal];
        let (earlier, mut rest) = c.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        if i >= 1 {
            row.scaled_add(-low, &earlier.row(i - 1));
        }
        if i >= 2 {
            row.scaled_add(-1.0, &earlier.row(i - 2));
        }
        row /= diagonal;
    }
    for i in (0..rows).rev() {
        let (mut rest, later) = c.view_mut().split_at(Axis(0), i + 1);
        let mut row = rest.row_mut(i);
        for (ahead, factor) in upper[i].iter().enumerate().filter(|(ahead, _)| i + 1 + ahead < rows) {
            row.scaled_add(-factor, &later.row(ahead));
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wavy(r: &[f64]) -> Array2<f64> {
        Array2::from_shape_fn((r.len(), 2), |(i, k)| (r[i] * (1.0 + k as f64)).sin() + 0.1 * r[i])
    }

    #[test]
    fn weights_sum_to_one_and_interpolate_polynomials() {
        for t in [0.0, 0.1, 0.5, 0.99, 1.0] {
            let sum: f64 = quintic_weights(t).iter().sum();
            assert!((sum - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn the_error_falls_with_the_sixth_power_of_the_step() {
        let error = |intervals: usize| {
            let table = Table::<f64>::new(6.0, intervals, wavy);
            let mut worst = 0.0_f64;
            for i in 0..=6000 {
                let r = i as f64 * 1e-3;
                let out = table.at(r);
                let exact = wavy(&[r]);
                worst = worst.max((out[0] - exact[(0, 0)]).abs()).max((out[1] - exact[(0, 1)]).abs());
            }
            worst
        };
        let (coarse, fine) = (error(50), error(100));
        assert!(coarse / fine > 40.0, "{coarse} {fine}");
        assert!(error(1000) < 1e-13);
    }

    #[test]
    fn functions_with_a_kink_are_met_on_both_sides_of_it() {
        let smooth = [|r: f64| (0.6 * r).sin() + r, |r: f64| (3.1 * r).cos() * r * r - 7.0];
        let functions =
            |piece: usize, r: &[f64]| Array2::from_shape_fn((r.len(), 1), |(i, _)| smooth[piece](r[i]));
        let table = Table::<f64>::in_pieces(&[[0.0, 4.5], [4.5, 5.0]], 2048, functions);
        for k in 1..1000 {
            let r = 0.005 * f64::from(k);
            let exact = smooth[usize::from(r >= 4.5)](r);
            assert!((table.at(r)[0] - exact).abs() < 2e-12, "{r}");
        }
        assert_eq!(table.pieces()[1].row, table.pieces()[0].intervals + 5);
    }
}
