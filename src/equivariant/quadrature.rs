//! Product quadrature on the sphere.

use nalgebra::Vector3;

/// Points on the unit sphere with weights that sum to 1, exact for polynomials up to `order`.
pub(super) fn sphere(order: usize) -> Vec<(Vector3<f64>, f64)> {
    let azimuths = order + 1;
    let mut points = Vec::new();
    for (t, weight) in gauss_legendre(order / 2 + 1) {
        let radius = (1.0 - t * t).sqrt();
        for k in 0..azimuths {
            let phi = 2.0 * std::f64::consts::PI * k as f64 / azimuths as f64;
            let point = Vector3::new(radius * phi.sin(), t, radius * phi.cos());
            points.push((point, weight / (2.0 * azimuths as f64)));
        }
    }
    points
}

/// Nodes and weights on [-1, 1], exact for polynomials up to degree 2n - 1.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            // Newton's iteration from this start converges in a handful of steps for every n.
            for _ in 0..100 {
                let (mut previous, mut value) = (0.0, 1.0);
                for k in 1..=n {
                    let next = ((2 * k - 1) as f64 * x * value - (k - 1) as f64 * previous) / k as f64;
                    (previous, value) = (value, next);
                }
                slope = n as f64 * (x * value - previous) / (x * x - 1.0);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_legendre_is_exact_to_degree_2n_minus_1() {
        for n in 1..=12 {
            for power in 0..2 * n {
                let found: f64 = gauss_legendre(n).iter().map(|(x, w)| w * x.powi(power as i32)).sum();
                let exact = if power % 2 == 0 { 2.0 / (power + 1) as f64 } else { 0.0 };
                assert!((found - exact).abs() < 1e-14, "{n} {power} {found}");
            }
        }
    }
}
