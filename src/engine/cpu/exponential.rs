//! The exponential function of vectors.

use pulp::Simd;

/// Beyond these the result would be no normal number.
const LARGEST: f32 = 87.0;
/// `ln 2 = LN_2_HIGH + LN_2_LOW`; the first has so few digits that its products with exponents are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// `1 / k!` from k = 7 down: on [-ln 2 / 2, ln 2 / 2] the series ends 5e-9 below e^x.
const SERIES: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0, 1.0, 1.0];

/// `e^-a` to about 1e-7 of it: `2^n e^r` with the integer n nearest to `-a / ln 2`.
#[inline(always)]
pub(super) fn exp_minus_f32s<S: Simd>(simd: S, a: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let a = simd.min_f32s(simd.max_f32s(a, splat(-LARGEST)), splat(LARGEST));
    let shifted = simd.mul_add_f32s(a, splat(-std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    // -a - n ln 2
    let r = simd.mul_add_f32s(n, splat(-LN_2_HIGH), simd.neg_f32s(a));
    let r = simd.mul_add_f32s(n, splat(-LN_2_LOW), r);
    let series = SERIES[1..].iter().fold(splat(SERIES[0]), |sum, c| simd.mul_add_f32s(sum, r, splat(*c)));
    // n + 127 in the place of the exponent; what stands above it falls out.
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(series, simd.transmute_f32s_u32s(power))
}

/// `e^-a`, place by place.
#[inline(always)]
pub(super) fn exp_minus_f64s<S: Simd>(simd: S, a: S::f64s) -> S::f64s {
    let largest = f64::from(LARGEST);
    let mut out = [simd.neg_f64s(a)];
    for place in pulp::bytemuck::cast_slice_mut::<S::f64s, f64>(&mut out) {
        *place = place.clamp(-largest, largest).exp();
    }
    out[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Worst;

    impl pulp::WithSimd for Worst {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f64 {
            let mut worst = 0.0_f64;
            for k in -86_999..87_000 {
                let x = k as f32 * 1e-3;
                let found = [exp_minus_f32s(simd, simd.splat_f32s(x))];
                let found = pulp::bytemuck::cast_slice::<S::f32s, f32>(&found)[0];
                worst = worst.max((f64::from(found) / (-f64::from(x)).exp() - 1.0).abs());
            }
            worst
        }
    }

    #[test]
    fn float32_exponentials_have_all_their_digits() {
        for worst in
            [pulp::Arch::new().dispatch(Worst), pulp::WithSimd::with_simd(Worst, pulp::Scalar::new())]
        {
            assert!(worst < 1.5e-7, "{worst:e}");
        }
    }
}
