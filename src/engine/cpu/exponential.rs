//! Exponentials and reciprocals of vectors.

use pulp::Simd;

/// Beyond these, arguments of the exponential count as these: what it gives is a normal number, also squared.
const LARGEST: f32 = 43.0;
/// `ln 2 = LN_2_HIGH + LN_2_LOW`; the first has so few digits that its products with exponents are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// `e^-r` on [-ln 2 / 2, ln 2 / 2] from the highest power down: 3e-9 of it is the largest error of any polynomial of this
/// degree with the same first two terms, by Lawson's algorithm.
const POWERS: [f32; 7] =
    [1.381_447_5e-3, -8.368_783e-3, 4.166_839_4e-2, -1.666_652_1e-1, 4.999_999_3e-1, -1.0, 1.0];
/// Its bits less those of a number are those of the reciprocal, to an eighth.
const RECIPROCAL: u32 = 0x7ef3_11c7;

/// `e^-a` to about 1e-7 of it: `2^n e^-r` with the integer n nearest to `-a / ln 2`.
#[inline(always)]
pub(super) fn exp_minus_f32s<S: Simd>(simd: S, a: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let a = simd.min_f32s(simd.max_f32s(a, splat(-LARGEST)), splat(LARGEST));
    let shifted = simd.mul_add_f32s(a, splat(-std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    // a + n ln 2
    let r = simd.mul_add_f32s(n, splat(LN_2_HIGH), a);
    let r = simd.mul_add_f32s(n, splat(LN_2_LOW), r);
    let power = POWERS[1..].iter().fold(splat(POWERS[0]), |sum, c| simd.mul_add_f32s(sum, r, splat(*c)));
    // n is added to the exponent; what stands above it falls out.
    let n = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(power), n))
}

/// `1 / a` to about 1e-7 of it, for a from 1 to 1e37. Newton's method takes fewer cycles than a division, and its bits are the
/// same on all machines, too.
#[inline(always)]
pub(super) fn reciprocal_f32s<S: Simd>(simd: S, a: S::f32s) -> S::f32s {
    let bits = simd.sub_u32s(simd.splat_u32s(RECIPROCAL), simd.transmute_u32s_f32s(a));
    let (minus_a, one) = (simd.neg_f32s(a), simd.splat_f32s(1.0));
    (0..3).fold(simd.transmute_f32s_u32s(bits), |x, _| {
        let error = simd.mul_add_f32s(minus_a, x, one);
        simd.mul_add_f32s(x, error, x)
    })
}

/// `1 / a`.
#[inline(always)]
pub(super) fn reciprocal_f64s<S: Simd>(simd: S, a: S::f64s) -> S::f64s {
    simd.div_f64s(simd.splat_f64s(1.0), a)
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

    /// The largest error, in parts of the result, of a function over some numbers.
    struct Worst(fn(u32) -> f32);

    impl pulp::WithSimd for Worst {
        type Output = [f64; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> [f64; 2] {
            let first = |found: S::f32s| f64::from(pulp::bytemuck::cast_slice::<S::f32s, f32>(&[found])[0]);
            (0..85_800).fold([0.0, 0.0], |[exponential, reciprocal], k| {
                let x = (self.0)(k);
                let power = first(exp_minus_f32s(simd, simd.splat_f32s(x)));
                let a = 1.0 + (-f64::from(x)).exp();
                let inverse = first(reciprocal_f32s(simd, simd.splat_f32s(a as f32)));
                [
                    f64::max(exponential, (power / (-f64::from(x)).exp() - 1.0).abs()),
                    f64::max(reciprocal, (inverse * a - 1.0).abs()),
                ]
            })
        }
    }

    #[test]
    fn float32_exponentials_and_reciprocals_have_all_their_digits() {
        let numbers = |k: u32| (k as f32 - 42_900.0) * 1e-3;
        for worst in [
            pulp::Arch::new().dispatch(Worst(numbers)),
            pulp::WithSimd::with_simd(Worst(numbers), pulp::Scalar::new()),
        ] {
            assert!(worst.iter().all(|error| *error < 2e-7), "{worst:?}");
        }
    }
}
