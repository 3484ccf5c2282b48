//! Gated messages of rows, some at a time, so that what is between the steps stays in the cache.

use pulp::{Simd, WithSimd};

use super::rows::{AngleRow, BondRow};
use super::weights::{BOTH, Gated};
use crate::engine::cpu::{Real, multiply};
use crate::potential::chgnet::{FEATURES, Norm};

/// Rows at a time.
pub(super) const CHUNK: usize = 128;

/// Rows of matrix products are padded to a multiple of this, so that their bits do not depend on how many there are.
pub(super) fn padded(rows: usize) -> usize {
    rows.next_multiple_of(16)
}

/// What some rows have between the steps.
pub(super) struct Buffers<T> {
    /// `[row][BOTH]`: the sum of the first layers.
    pub(super) first: Vec<T>,
    /// `[row][C]` of core and gate: inputs and outputs of the second layers.
    hidden: [Vec<T>; 2],
    second: [Vec<T>; 2],
    arch: pulp::Arch,
}

impl<T: Real> Buffers<T> {
    pub(super) fn new() -> Buffers<T> {
        let rows = || vec![T::ZERO; CHUNK * FEATURES];
        Buffers {
            first: vec![T::ZERO; CHUNK * BOTH],
            hidden: [rows(), rows()],
            second: [rows(), rows()],
            arch: pulp::Arch::new(),
        }
    }

    /// Sums `inputs`, each `[BOTH]`, over the first layers of some rows, and over what is in `first` already if they have
    /// it, and gives their gated messages to `sink`.
    pub(super) fn messages<'a, const N: usize>(
        &mut self,
        gated: &Gated<T>,
        (rows, have_first): (usize, bool),
        inputs: impl Fn(usize) -> [&'a [T]; N],
        sink: Sink<T>,
    ) where
        T: 'a,
    {
        let Buffers { first, hidden, second, arch } = self;
        arch.dispatch(Gather { first, hidden, inputs, rows, have_first, is_hidden: gated.second.is_some() });
        if let Some(layers) = &gated.second {
            let size = padded(rows) * FEATURES;
            for k in 0..2 {
                multiply(&hidden[k][..size], &layers[k], &mut second[k][..size], false);
            }
        }
        let split = gated.second.is_some().then_some(&*second);
        arch.dispatch(Finish { first, second: split, gated, rows, sink });
    }
}

/// Where gated messages go.
pub(super) enum Sink<'a, T> {
    /// `sums[centre] += weight w[bond] * message`.
    Atoms { rows: &'a [BondRow], w: &'a [T], sums: &'a mut [T] },
    /// `sums[bond] += weight v[bond] * v[other] * message`.
    Bonds { rows: &'a [AngleRow], v: &'a [T], sums: &'a mut [T] },
    /// `features[row] += message`.
    Angles(&'a mut [T]),
}

/// First layers -> silu, or only their sum where no second layer follows.
struct Gather<'a, T, F> {
    first: &'a mut [T],
    hidden: &'a mut [Vec<T>; 2],
    inputs: F,
    rows: usize,
    have_first: bool,
    is_hidden: bool,
}

impl<'b, T: Real + 'b, const N: usize, F: Fn(usize) -> [&'b [T]; N]> WithSimd for Gather<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (row, first) in self.first.chunks_exact_mut(BOTH).take(self.rows).enumerate() {
            let inputs = (self.inputs)(row).map(|input| T::vectors::<S>(&input[..BOTH]));
            let first = T::vectors_mut::<S>(first);
            let own = row * FEATURES..(row + 1) * FEATURES;
            let [core, gate] = self.hidden.each_mut().map(|h| T::vectors_mut::<S>(&mut h[own.clone()]));
            for (k, first) in first.iter_mut().enumerate() {
                let start = if self.have_first { *first } else { T::splat(simd, T::ZERO) };
                let sum = inputs.iter().fold(start, |sum, input| <T as Real>::add(simd, sum, input[k]));
                match (self.is_hidden, k.checked_sub(core.len())) {
                    (false, _) => *first = sum,
                    (true, None) => core[k] = T::silu(simd, sum),
                    (true, Some(k)) => gate[k] = T::silu(simd, sum),
                }
            }
        }
    }
}

/// Norms, activations and the product of core and gate.
struct Finish<'a, T> {
    first: &'a [T],
    second: Option<&'a [Vec<T>; 2]>,
    gated: &'a Gated<T>,
    rows: usize,
    sink: Sink<'a, T>,
}

impl<T: Real> WithSimd for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut message = [T::ZERO; FEATURES];
        for row in 0..self.rows {
            let own = row * FEATURES..(row + 1) * FEATURES;
            let [core, gate] = match self.second {
                Some([core, gate]) => [&core[own.clone()], &gate[own]],
                None => {
                    let (core, gate) = self.first[row * BOTH..(row + 1) * BOTH].split_at(FEATURES);
                    [core, gate]
                }
            };
            self.gate(simd, (core, gate), &mut message);
            self.sink.take(simd, row, &message);
        }
    }
}

impl<T: Real> Finish<'_, T> {
    /// `silu(norm(core)) * sigmoid(norm(gate))`, with one reciprocal.
    #[inline(always)]
    fn gate<S: Simd>(&self, simd: S, (core, gate): (&[T], &[T]), message: &mut [T; FEATURES]) {
        let Gated { bias, scale, shift, .. } = self.gated;
        let vectors = |values| T::vectors::<S>(values);
        let (core, gate, bias) = (vectors(core), vectors(gate), vectors(bias));
        let (core_bias, gate_bias) = bias.split_at(core.len());
        let (core_scale, gate_scale) = vectors(scale).split_at(core.len());
        let (core_shift, gate_shift) = vectors(shift).split_at(core.len());
        let core_factor = T::splat(simd, inverse_deviation::<T, S>(simd, core, core_bias));
        let gate_factor = T::splat(simd, inverse_deviation::<T, S>(simd, gate, gate_bias));
        let one = T::splat(simd, T::ONE);
        for (k, m) in T::vectors_mut::<S>(message).iter_mut().enumerate() {
            let c = T::multiply(simd, <T as Real>::add(simd, core[k], core_bias[k]), core_factor);
            let g = T::multiply(simd, <T as Real>::add(simd, gate[k], gate_bias[k]), gate_factor);
            let c = T::multiply_add(simd, c, core_scale[k], core_shift[k]);
            let g = T::multiply_add(simd, g, gate_scale[k], gate_shift[k]);
            let core_part = <T as Real>::add(simd, one, T::exp_minus(simd, c));
            let gate_part = <T as Real>::add(simd, one, T::exp_minus(simd, g));
            *m = T::multiply(simd, c, T::reciprocal(simd, T::multiply(simd, core_part, gate_part)));
        }
    }
}

/// One over the deviation of `values + bias`, whose mean is zero.
#[inline(always)]
fn inverse_deviation<T: Real, S: Simd>(simd: S, values: &[T::Vector<S>], bias: &[T::Vector<S>]) -> T {
    let mut squares = T::splat(simd, T::ZERO);
    for (value, bias) in values.iter().zip(bias) {
        let y = <T as Real>::add(simd, *value, *bias);
        squares = T::multiply_add(simd, y, y, squares);
    }
    let variance = T::sum(simd, squares).to_f64() / FEATURES as f64;
    T::from_f64(1.0 / (variance + Norm::EPSILON).sqrt())
}

impl<T: Real> Sink<'_, T> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, row: usize, message: &[T; FEATURES]) {
        let message = T::vectors::<S>(message);
        match self {
            Sink::Atoms { rows, w, sums } => {
                let BondRow { centre, bond, weight, .. } = rows[row];
                let weight = T::splat(simd, T::from_f64(weight));
                let w = T::vectors::<S>(features(w, bond));
                for ((sum, m), w) in vectors_of::<T, S>(sums, centre).iter_mut().zip(message).zip(w) {
                    *sum = T::multiply_add(simd, T::multiply(simd, weight, *w), *m, *sum);
                }
            }
            Sink::Bonds { rows, v, sums } => {
                let AngleRow { bond, other, weight, .. } = rows[row];
                let weight = T::splat(simd, T::from_f64(weight));
                let (v, other) = (T::vectors::<S>(features(v, bond)), T::vectors::<S>(features(v, other)));
                for (k, sum) in vectors_of::<T, S>(sums, bond).iter_mut().enumerate() {
                    let factor = T::multiply(simd, T::multiply(simd, weight, v[k]), other[k]);
                    *sum = T::multiply_add(simd, factor, message[k], *sum);
                }
            }
            Sink::Angles(angles) => {
                for (sum, m) in vectors_of::<T, S>(angles, row).iter_mut().zip(message) {
                    *sum = <T as Real>::add(simd, *sum, *m);
                }
            }
        }
    }
}

/// A row of `[row][C]`.
#[inline(always)]
fn features<T>(values: &[T], row: usize) -> &[T] {
    &values[row * FEATURES..(row + 1) * FEATURES]
}

#[inline(always)]
fn vectors_of<T: Real, S: Simd>(values: &mut [T], row: usize) -> &mut [T::Vector<S>] {
    T::vectors_mut::<S>(&mut values[row * FEATURES..(row + 1) * FEATURES])
}
