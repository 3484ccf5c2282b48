//! The two precisions of the CPU engine, and their vectors.
//!
//! Loops over channels are written with vectors of whatever width the machine has, found at run time. A fused
//! multiply-add rounds once on all of them, so that results are the same bits everywhere.

use std::ops::Add;

use pulp::Simd;

use super::exponential::{exp_minus_f32s, exp_minus_f64s, reciprocal_f32s, reciprocal_f64s};

/// Arrays over channels are padded with zeros to a multiple of this, which every vector width divides.
pub const LANES: usize = 16;

/// float32 or float64.
pub trait Real:
    Copy + Add<Output = Self> + Default + PartialOrd + Send + Sync + std::fmt::Debug + 'static
{
    /// `float32` or `float64`, as files and logs say.
    const NAME: &'static str;
    /// Intervals of a radial table over the cutoff. In float32 the error is that of rounding, in float64 below 1e-12 of
    /// the largest value (`benches/results/accuracy.md`).
    const TABLE_INTERVALS: usize;
    /// 1.
    const ONE: Self;
    /// 0.
    const ZERO: Self;
    /// Neighbouring channels in a register.
    type Vector<S: Simd>: Copy;

    /// Rounds to this precision.
    fn from_f64(value: f64) -> Self;
    /// Exactly.
    fn to_f64(self) -> f64;
    /// A padded array as vectors.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    /// A padded array as vectors.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
    /// The same number in every place.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// `a * b + c`, rounded once.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `a + b`.
    fn add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a * b`.
    fn multiply<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `1 / a` for a from 1 to 1e37.
    fn reciprocal<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// The sum of all places.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;
    /// `e^-a`, at most about 1e18 and at least about 1e-19.
    fn exp_minus<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;

    /// `a / (1 + e^-a)`.
    #[inline(always)]
    fn silu<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
        let one = Self::splat(simd, Self::ONE);
        let part = <Self as Real>::add(simd, one, Self::exp_minus(simd, a));
        Self::multiply(simd, a, Self::reciprocal(simd, part))
    }
}

/// Implements [`Real`] by pulp's functions for a type, whose names end in its own.
macro_rules! real {
    ($type:ty, $vector:ident, $name:literal, $intervals:literal,
     $as:ident, $as_mut:ident, $splat:ident, $fma:ident, $add:ident, $mul:ident, $reciprocal:ident, $sum:ident,
     $exp_minus:ident) => {
        impl Real for $type {
            const NAME: &'static str = $name;
            const TABLE_INTERVALS: usize = $intervals;
            const ONE: Self = 1.0;
            const ZERO: Self = 0.0;
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$as(values).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$as_mut(values).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$fma(a, b, c)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn multiply<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn reciprocal<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                $reciprocal(simd, a)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
            }

            #[inline(always)]
            fn exp_minus<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                $exp_minus(simd, a)
            }
        }
    };
}

real!(
    f32,
    f32s,
    "float32",
    256,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_f32s,
    add_f32s,
    mul_f32s,
    reciprocal_f32s,
    reduce_sum_f32s,
    exp_minus_f32s
);
real!(
    f64,
    f64s,
    "float64",
    2048,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_f64s,
    add_f64s,
    mul_f64s,
    reciprocal_f64s,
    reduce_sum_f64s,
    exp_minus_f64s
);

/// Vectors in `LANES` numbers.
#[inline(always)]
pub(crate) fn vectors_per_lane<T: Real, S: Simd>() -> usize {
    LANES * size_of::<T>() / size_of::<T::Vector<S>>()
}

/// `sum += factor * values`, all padded alike.
#[inline(always)]
pub(crate) fn add_scaled<T: Real, S: Simd>(simd: S, factor: T, values: &[T], sum: &mut [T]) {
    let factor = T::splat(simd, factor);
    for (sum, value) in T::vectors_mut::<S>(sum).iter_mut().zip(T::vectors::<S>(values)) {
        *sum = T::multiply_add(simd, factor, *value, *sum);
    }
}

/// Rounds a slice.
pub(crate) fn rounded<T: Real>(values: impl IntoIterator<Item = f64>) -> Vec<T> {
    values.into_iter().map(T::from_f64).collect()
}
