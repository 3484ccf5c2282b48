//! Matrix products of row-major matrices.

use ::gemm::Parallelism;
use ndarray::Array2;

use super::Real;
use super::real::rounded;

/// A weight matrix, row-major, applied from the right: `[rows][inputs] * [inputs][outputs]`.
#[derive(Clone, Debug)]
pub struct Matrix<T> {
    /// Rows of the matrix.
    pub inputs: usize,
    /// Columns of the matrix.
    pub outputs: usize,
    /// `[inputs][outputs]`.
    pub values: Vec<T>,
}

impl<T: Real> Matrix<T> {
    /// Rounds a matrix and pads it with zeros to the given shape.
    pub fn padded(matrix: &Array2<f64>, inputs: usize, outputs: usize) -> Matrix<T> {
        let entry = |k: usize| matrix.get((k / outputs, k % outputs)).copied().unwrap_or(0.0);
        Matrix { inputs, outputs, values: rounded((0..inputs * outputs).map(entry)) }
    }

    /// Matrices of equal width below one another.
    pub fn stacked(matrices: Vec<Matrix<T>>) -> Matrix<T> {
        let outputs = matrices.first().map_or(0, |m| m.outputs);
        let inputs = matrices.iter().map(|m| m.inputs).sum();
        let values = matrices.into_iter().flat_map(|m| m.values).collect();
        Matrix { inputs, outputs, values }
    }
}

/// `out = input * weights` for `[rows][inputs]` and `[rows][outputs]`; added to `out` if `accumulate`.
///
/// Each row's sums run over the inputs in one order that depends on the shapes and the machine only; callers keep the number of rows
/// of a product fixed, so that results do not depend on how points are batched.
pub fn multiply<T: Real>(input: &[T], weights: &Matrix<T>, out: &mut [T], accumulate: bool) {
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    if inputs == 0 || outputs == 0 || out.is_empty() {
        return;
    }
    let rows = out.len() / outputs;
    assert_eq!(out.len(), rows * outputs);
    assert_eq!(input.len(), rows * inputs);
    assert_eq!(weights.values.len(), inputs * outputs);
    // SAFETY: the three slices have the lengths that rows, inputs and outputs with these strides reach, as asserted
    // above, and `out` is borrowed mutably, so it overlaps neither input.
    unsafe {
        ::gemm::gemm(
            rows,
            outputs,
            inputs,
            out.as_mut_ptr(),
            1,
            outputs as isize,
            accumulate,
            input.as_ptr(),
            1,
            inputs as isize,
            weights.values.as_ptr(),
            1,
            outputs as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5).collect()
    }

    #[test]
    fn products_are_right_for_odd_shapes() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 16, 16), (7, 48, 32), (33, 3, 17)] {
            let input = pseudo_random(rows * inputs);
            let weights = Array2::from_shape_vec((inputs, outputs), pseudo_random(inputs * outputs)).unwrap();
            let matrix = Matrix::<f64>::padded(&weights, inputs, outputs);
            let mut out = vec![1.0; rows * outputs];
            multiply(&input, &matrix, &mut out, true);
            for (k, value) in out.iter().enumerate() {
                let row = &input[k / outputs * inputs..][..inputs];
                let exact: f64 = row.iter().enumerate().map(|(i, v)| v * weights[(i, k % outputs)]).sum();
                assert!((value - 1.0 - exact).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_wherever_it_stands() {
        let (inputs, outputs) = (640, 128);
        let weights = Array2::from_shape_vec((inputs, outputs), pseudo_random(inputs * outputs)).unwrap();
        let matrix = Matrix::<f32>::padded(&weights, inputs, outputs);
        let row: Vec<f32> = pseudo_random(inputs).iter().map(|v| *v as f32).collect();
        let mut first = vec![0.0; 16 * outputs];
        multiply(&row.repeat(16), &matrix, &mut first, false);
        for rows in [8, 16, 40, 80, 160, 320] {
            let mut out = vec![0.0; rows * outputs];
            multiply(&row.repeat(rows), &matrix, &mut out, false);
            for (k, same) in out.chunks(outputs).enumerate() {
                assert!(same == &first[..outputs], "row {k} of {rows}");
            }
        }
    }
}
