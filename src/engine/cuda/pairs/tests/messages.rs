//! Kernels from the operators to the features that families share.

use cudarc::driver::CudaSlice;

use super::super::launch;
use super::super::tables::ProductTables;
use super::{CRYSTALS, Fixture, Tested, assert_close, for_all_families, noise};
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::Product;

/// Messages of a layer from the groups whose operators are kept, or from the others.
fn expected_messages<T: CudaReal, N: Tested<T>>(
    f: &Fixture<T, N>,
    t: usize,
    features: &[T],
    kept: bool,
) -> Vec<f64> {
    let (arrays, points) = (&f.geometry.layers[t], f.points.len());
    let mut sums = vec![0.0; arrays.messages.numbers() * points];
    let bundles = f.bundles();
    for pair in f.geometry.pairs.iter().filter(|p| f.plan.groups[p.group].kept == kept) {
        for (point, direction) in (0..points).flat_map(|p| pair.directions.iter().map(move |d| (p, d))) {
            let values = &bundles[pair.group][f.node(pair.group, point)].values[direction.first..];
            for (of, rows) in f.weights.interactions().layers[t].paths.iter().zip(&direction.blocks[t]) {
                let ([n3, n1], [receiver, sender]) = (rows.shape, rows.components);
                for (m3, m1, c) in indices([n3, n1, of.width]) {
                    let row = arrays.messages.before(of.path.l3, receiver + m3) * points;
                    let out = row + point * arrays.messages.widths[of.path.l3] + of.slot + c;
                    let feature = |_| {
                        let row = arrays.inputs.before(of.path.l1, sender + m1) * points;
                        features[row + point * arrays.inputs.widths[of.path.l1] + c].to_f64()
                    };
                    let operator = values[rows.first + (m3 * n1 + m1) * of.width + c].to_f64();
                    sums[out] += operator * t.checked_sub(1).map_or(1.0, feature);
                }
            }
        }
    }
    sums
}

/// All combinations of three numbers below others.
fn indices([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

/// Messages of all layers through the kernels, with features that are noise.
fn check_messages<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>, later: bool, kept: bool) {
    f.run_groups();
    let points = f.points.len();
    for t in if later { 1..f.tables.layers.len() } else { 0..1 } {
        let features = noise::<T>(f.geometry.layers[t].inputs.numbers() * points);
        let expected = expected_messages(f, t, &features, kept);
        let up = f.queue.upload(&features).unwrap();
        let layer = (f.plan.shape.channels, &f.tables.messages[t]);
        let mut sums = f.queue.buffer::<T>(expected.len()).unwrap();
        match later {
            false => launch::apply_first(&f.queue, layer, &f.buffers.views, &mut sums, points).unwrap(),
            true => launch::apply_later(&f.queue, layer, &f.buffers.views, (&up, &mut sums), points).unwrap(),
        }
        if !kept && layer.1.block_count() > 0 {
            add_messages(f, (t, &up), &mut sums);
        }
        let scale = expected.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        let found = f.download(&sums, expected.len());
        assert_close(&format!("{}, layer {t}, scale {scale:e}", f.name), &found, &expected);
    }
}

fn add_messages<T: CudaReal, N: Tested<T>>(
    f: &Fixture<T, N>,
    (t, up): (usize, &CudaSlice<T>),
    sums: &mut CudaSlice<T>,
) {
    let (layer, points) = ((f.plan.shape.channels, &f.tables.messages[t]), f.points.len());
    let from = (&f.buffers.views, &f.model);
    match t {
        0 => launch::first_messages(&f.queue, layer, from, sums, points).unwrap(),
        _ => launch::later_messages(&f.queue, layer, from, (up, sums), points).unwrap(),
    }
}

#[test]
fn apply_first() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        check_messages(f, false, true);
    }
    for_all_families!(check, Some(true));
}

#[test]
fn apply_later() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        check_messages(f, true, true);
    }
    for_all_families!(check, Some(true));
}

#[test]
fn first_messages() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        check_messages(f, false, false);
    }
    for_all_families!(check, Some(false));
}

#[test]
fn later_messages() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        check_messages(f, true, false);
    }
    for_all_families!(check, Some(false));
}

/// Products of odd shapes: rows that end within a tile, narrow and wide ones, biases, added to what is there.
const SHAPES: [(usize, usize, usize, bool, bool); 5] = [
    (1, 16, 4, false, false),
    (3, 48, 64, true, false),
    (5, 16, 68, false, true),
    (2, 32, 132, true, true),
    (4, 16, 20, false, false),
];

/// The products one after another, with noise for matrices and biases.
fn products() -> (Vec<Product>, [usize; 4]) {
    let mut all = Vec::new();
    // Of a point: inputs, matrices, outputs, biases.
    let mut ends = [0; 4];
    for (rows, inputs, outputs, has_bias, accumulate) in SHAPES {
        let [input, weights, output, bias] = ends;
        all.push(Product {
            input: input as i64,
            weights: weights as i64,
            output: output as i64,
            bias: if has_bias { bias as i64 } else { -1 },
            rows: rows as i32,
            inputs: inputs as i32,
            outputs: outputs as i32,
            accumulate: i32::from(accumulate),
        });
        ends = [input + rows * inputs, weights + inputs * outputs, output + rows * outputs, bias + outputs];
    }
    (all, ends)
}

fn check_linear<T: CudaReal>(points: usize) {
    let mut f = Fixture::<T, Weights<T>>::new(CRYSTALS[3], "mp0-L1", None);
    let (host, [inputs, matrices, outputs, biases]) = products();
    let [input, matrix, before, bias] = [inputs * points, matrices, outputs * points, biases].map(noise::<T>);
    let device = f.queue.upload(&host).unwrap();
    let tables = ProductTables { host: host.clone(), device };
    (f.model.matrices, f.model.biases) = (f.queue.upload(&matrix).unwrap(), f.queue.upload(&bias).unwrap());
    let (from, mut to) = (f.queue.upload(&input).unwrap(), f.queue.upload(&before).unwrap());
    launch::linear(&f.queue, &tables, &f.model, (&from, &mut to), points).unwrap();
    let mut expected = vec![0.0; before.len()];
    for p in &host {
        let (k, n) = (p.inputs as usize, p.outputs as usize);
        for row in 0..p.rows as usize * points {
            for column in 0..n {
                let out = p.output as usize * points + row * n + column;
                let left = &input[p.input as usize * points + row * k..][..k];
                let right = (0..k).map(|i| matrix[p.weights as usize + i * n + column].to_f64());
                let mut sum: f64 = left.iter().zip(right).map(|(a, b)| a.to_f64() * b).sum();
                sum += if p.bias < 0 { 0.0 } else { bias[p.bias as usize + column].to_f64() };
                expected[out] = sum + if p.accumulate == 0 { 0.0 } else { before[out].to_f64() };
            }
        }
    }
    assert_close(&format!("{points} points, {}", T::NAME), &f.download(&to, expected.len()), &expected);
}

#[test]
fn linear() {
    for points in [1, 31, 130] {
        check_linear::<f32>(points);
        check_linear::<f64>(points);
    }
}

/// A row of a product has the same bits however many rows there are.
#[test]
fn a_row_of_a_product_does_not_depend_on_the_number_of_points() {
    let f = Fixture::<f32, Weights<f32>>::new(CRYSTALS[3], "mp0-L1", None);
    let channels = f.plan.shape.channels;
    let product = Product {
        bias: -1,
        rows: 1,
        inputs: channels as i32,
        outputs: channels as i32,
        ..Product::default()
    };
    let run = |points: usize| {
        let device = f.queue.upload(&[product]).unwrap();
        let tables = ProductTables { host: vec![product], device };
        let input = f.queue.upload(&noise::<f32>(channels).repeat(points)).unwrap();
        let mut out = f.queue.buffer::<f32>(points * channels).unwrap();
        launch::linear(&f.queue, &tables, &f.model, (&input, &mut out), points).unwrap();
        f.download(&out, points * channels)
    };
    let one = run(1);
    for points in [2, 127, 128, 129, 300] {
        assert!(run(points).chunks(channels).all(|row| row == one), "{points} points");
    }
}
