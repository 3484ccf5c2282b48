//! The two precisions of the CPU engine.

/// float32 or float64.
pub trait Real: Copy + Default + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// `float32` or `float64`, as files and logs say.
    const NAME: &'static str;
    /// Intervals of a radial table over the cutoff, so that its error stays below this precision's rounding
    /// (`benches/results/accuracy.md`).
    const TABLE_INTERVALS: usize;
    /// 1.
    const ONE: Self;
    /// 0.
    const ZERO: Self;

    /// Rounds to this precision.
    fn from_f64(value: f64) -> Self;
    /// Exactly.
    fn to_f64(self) -> f64;
    /// `self * factor + summand` with one rounding.
    fn multiply_add(self, factor: Self, summand: Self) -> Self;
    /// Product.
    fn times(self, factor: Self) -> Self;
    /// Sum.
    fn plus(self, summand: Self) -> Self;
}

macro_rules! real {
    ($type:ty, $name:literal, $intervals:literal) => {
        impl Real for $type {
            const NAME: &'static str = $name;
            const TABLE_INTERVALS: usize = $intervals;
            const ONE: Self = 1.0;
            const ZERO: Self = 0.0;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn multiply_add(self, factor: Self, summand: Self) -> Self {
                self.mul_add(factor, summand)
            }

            #[inline(always)]
            fn times(self, factor: Self) -> Self {
                self * factor
            }

            #[inline(always)]
            fn plus(self, summand: Self) -> Self {
                self + summand
            }
        }
    };
}

real!(f32, "float32", 1024);
real!(f64, "float64", 2048);

/// Rounds a slice.
pub(crate) fn rounded<T: Real>(values: impl IntoIterator<Item = f64>) -> Vec<T> {
    values.into_iter().map(T::from_f64).collect()
}
