//! Kernels from the operators to the energies.

use cudarc::driver::CudaSlice;

use super::super::launch;
use super::super::plan::ReadoutPlan;
use super::super::tables::{ProductTables, ReadoutTables};
use super::{CRYSTALS, Fixture, MODELS, assert_close, for_all, noise};
use crate::engine::cpu::mace::contraction::{GROUP, Quad};
use crate::engine::cpu::mace::geometry::BLOCK;
use crate::engine::cpu::mace::operator::{Bundle, Operators};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::Product;
use crate::potential::mace::silu;

/// Operators of each group at each of its nodes, as the CPU engine has them.
fn bundles<T: CudaReal>(f: &Fixture<T>) -> Vec<Vec<Bundle<T>>> {
    let own = Operators::new(&f.scene, &f.geometry, &f.weights);
    let of_group = |g: usize| (0..f.nodes[g].len()).map(|n| own.bundle(g, &f.values(g, n))).collect();
    (0..f.geometry.groups.len()).map(of_group).collect()
}

/// The node of a group at a point.
fn node<T: CudaReal>(f: &Fixture<T>, group: usize, point: usize) -> usize {
    let key = |p: usize| f.geometry.groups[group].key(&f.scene, f.points[p]);
    f.nodes[group].iter().position(|first| key(*first) == key(point)).unwrap()
}

/// Where the CPU engine's row of messages lies on the device.
fn place<T: CudaReal>(f: &Fixture<T>, t: usize, (start, stride): (usize, usize), point: usize) -> usize {
    let points = f.points.len();
    let Some(later) = t.checked_sub(1) else { return start / BLOCK * points + point };
    let bases = &f.geometry.path_rows[later].bases;
    let l3 = bases.iter().rposition(|base| *base <= start).unwrap().min(bases.len() - 2);
    let l3 = (0..=l3).rev().find(|l| bases[*l + 1] > start).unwrap();
    let (row, slot) = ((start - bases[l3]) / (BLOCK * stride), (start - bases[l3]) % stride);
    (bases[l3] / BLOCK + row * stride) * points + point * stride + slot
}

/// Messages of a layer from the groups whose operators are kept, or from the others.
fn expected_messages<T: CudaReal>(f: &Fixture<T>, t: usize, features: &[T], kept: bool) -> Vec<f64> {
    let (channels, points) = (f.weights.channels, f.points.len());
    let mut sums = vec![0.0; f.tables.layers[t].messages.output_count * points * channels];
    let bundles = bundles(f);
    for pair in f.geometry.pairs.iter().filter(|p| f.plan.groups[p.group].kept == kept) {
        for (point, direction) in (0..points).flat_map(|p| pair.directions.iter().map(move |d| (p, d))) {
            let bundle = &bundles[pair.group][node(f, pair.group, point)];
            for row in direction.blocks[f.geometry.blocks(t)].iter().flat_map(|b| b.clone()) {
                let target = direction.targets[row];
                let out = place(f, t, (target.start, target.stride), point) * channels;
                for c in 0..channels {
                    let operator = bundle.values[direction.first + row * channels + c].to_f64();
                    let feature = (target.feature / BLOCK * points + point) * channels + c;
                    sums[out + c] += operator * if t > 0 { features[feature].to_f64() } else { 1.0 };
                }
            }
        }
    }
    sums
}

/// Messages of all layers through the kernels, with features that are noise.
fn check_messages<T: CudaReal>(f: &mut Fixture<T>, later: bool, kept: bool) {
    f.run_groups();
    let (channels, points) = (f.weights.channels, f.points.len());
    for t in if later { 1..f.tables.layers.len() } else { 0..1 } {
        let rows = if later { f.plan.shape.features[t - 1] } else { 0 };
        let features = noise::<T>(rows * points * channels);
        let expected = expected_messages(f, t, &features, kept);
        let up = f.queue.upload(&features).unwrap();
        let layer = (channels, &f.tables.layers[t].messages);
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

fn add_messages<T: CudaReal>(f: &Fixture<T>, (t, up): (usize, &CudaSlice<T>), sums: &mut CudaSlice<T>) {
    let (layer, points) = ((f.weights.channels, &f.tables.layers[t].messages), f.points.len());
    let from = (&f.buffers.views, &f.model);
    match t {
        0 => launch::first_messages(&f.queue, layer, from, sums, points).unwrap(),
        _ => launch::later_messages(&f.queue, layer, from, (up, sums), points).unwrap(),
    }
}

#[test]
fn apply_first() {
    for_all::<f32>(Some(true), |f| check_messages(f, false, true));
    for_all::<f64>(Some(true), |f| check_messages(f, false, true));
}

#[test]
fn apply_later() {
    for_all::<f32>(Some(true), |f| check_messages(f, true, true));
    for_all::<f64>(Some(true), |f| check_messages(f, true, true));
}

#[test]
fn first_messages() {
    for_all::<f32>(Some(false), |f| check_messages(f, false, false));
    for_all::<f64>(Some(false), |f| check_messages(f, false, false));
}

#[test]
fn later_messages() {
    for_all::<f32>(Some(false), |f| check_messages(f, true, false));
    for_all::<f64>(Some(false), |f| check_messages(f, true, false));
}

/// A scalar of a site: the sum over what comes in.
fn scalar<T: CudaReal>(
    f: &Fixture<T>,
    bundles: &[Vec<Bundle<T>>],
    (site, point): (usize, usize),
    column: usize,
) -> f64 {
    let of = |(pair, d): &(usize, usize)| {
        let placed = &f.geometry.pairs[*pair];
        bundles[placed.group][node(f, placed.group, point)].scalars[placed.directions[*d].scalars + column]
    };
    f.geometry.incoming[site].iter().map(of).sum()
}

#[test]
fn normalise() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (bundles, points) = (bundles(f), f.points.len());
        for column in f.weights.density_column.clone().into_iter().flatten() {
            let tables = (&f.plan.shape, &f.tables);
            launch::normalise(&f.queue, tables, &mut f.buffers, column, points).unwrap();
            let sites = (0..f.plan.shape.sites).flat_map(|s| (0..points).map(move |p| (s, p)));
            let expected: Vec<f64> = sites.map(|at| 1.0 / (1.0 + scalar(f, &bundles, at, column))).collect();
            assert_close(&f.name, &f.download(&f.buffers.normalisers, expected.len()), &expected);
        }
    }
    for_all::<f32>(None, check);
    for_all::<f64>(None, check);
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
    let mut f = Fixture::<T>::new(CRYSTALS[3], MODELS[0], None);
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
    let f = Fixture::<f32>::new(CRYSTALS[3], MODELS[0], None);
    let channels = f.weights.channels;
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

/// The CPU engine's contraction of one site, point and channel.
fn contracted<T: CudaReal>(
    f: &Fixture<T>,
    t: usize,
    (site, channel): (usize, usize),
    messages: &[T],
) -> Vec<f64> {
    let simd = pulp::Scalar::new();
    let inputs: Vec<Quad<T, pulp::Scalar>> = messages.iter().map(|m| [T::splat(simd, *m); GROUP]).collect();
    let mut results = Vec::new();
    for (k, contraction) in f.geometry.sites[site].contractions[t].iter().enumerate() {
        for m in 0..f.geometry.features[t].of(k, site).len() {
            let mut out = [T::ZERO];
            T::vectors_mut::<pulp::Scalar>(&mut out)[0] = contraction.evaluate(simd, m, channel, &inputs)[0];
            results.push(out[0].to_f64());
        }
    }
    results
}

fn check_contract<T: CudaReal>(f: &mut Fixture<T>, with_normalisers: bool) {
    let (channels, points, sites) = (f.weights.channels, f.points.len(), f.plan.shape.sites);
    let messages = noise::<T>(f.plan.shape.messages * points * channels);
    let factors = noise::<T>(sites * points);
    f.buffers.messages = f.queue.upload(&messages).unwrap();
    f.buffers.normalisers = f.queue.upload(&factors).unwrap();
    for t in 0..f.tables.layers.len() {
        let mut expected = vec![0.0; f.plan.shape.features[t] * points * channels];
        for (site, point) in (0..sites).flat_map(|s| (0..points).map(move |p| (s, p))) {
            let rows: Vec<usize> =
                (0..=f.weights.lmax).flat_map(|l| f.geometry.messages.of(l, site)).collect();
            let factor = if with_normalisers { factors[site * points + point] } else { T::ONE };
            for channel in 0..channels {
                let one = |row: &usize| messages[(row * points + point) * channels + channel];
                let own: Vec<T> =
                    rows.iter().map(|r| T::from_f64(one(r).to_f64() * factor.to_f64())).collect();
                let outputs = 0..f.weights.layers[t].outputs.len();
                let targets = outputs.flat_map(|k| f.geometry.features[t].of(k, site));
                for (row, value) in targets.zip(contracted(f, t, (site, channel), &own)) {
                    expected[(row * points + point) * channels + channel] = value;
                }
            }
        }
        let normalisers = with_normalisers.then_some(&f.buffers.normalisers);
        let from = (&f.buffers.messages, normalisers);
        let mut out = f.queue.buffer::<T>(expected.len()).unwrap();
        let tables = (&f.plan.shape, &f.tables.layers[t].contraction);
        launch::contract(&f.queue, tables, from, &mut out, points).unwrap();
        assert_close(&format!("{}, layer {t}", f.name), &f.download(&out, expected.len()), &expected);
    }
}

#[test]
fn contract() {
    for_all::<f32>(None, |f| check_contract(f, true));
    for_all::<f64>(None, |f| check_contract(f, false));
}

#[test]
fn linear_readout() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (channels, points, sites) = (f.weights.channels, f.points.len(), f.plan.shape.sites);
        let (ReadoutPlan::Linear(row, constants), ReadoutTables::Linear(weights, device)) =
            (&f.plan.layers[0].readout, &f.tables.layers[0].readout)
        else {
            panic!("{}: the first readout is not linear", f.name)
        };
        let (features, before) = (noise::<T>(sites * points * channels), noise::<f64>(sites * points));
        let (from, mut to) = (f.queue.upload(&features).unwrap(), f.queue.upload(&before).unwrap());
        let tables = (weights, device);
        launch::linear_readout(&f.queue, &f.plan.shape, tables, (&from, &mut to), points).unwrap();
        let of = |(k, before): (usize, &f64)| {
            let own = &features[k * channels..][..channels];
            let product: f64 = own.iter().zip(row).map(|(h, w)| h.to_f64() * w.to_f64()).sum();
            before + product + constants[k / points]
        };
        let expected: Vec<f64> = before.iter().enumerate().map(of).collect();
        assert_close::<f64>(&f.name, &f.download(&to, expected.len()), &expected);
    }
    for_all::<f32>(None, check);
    for_all::<f64>(None, check);
}

#[test]
fn hidden_readout() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (points, sites) = (f.points.len(), f.plan.shape.sites);
        let last = f.tables.layers.len() - 1;
        let (ReadoutPlan::Hidden(_, row), ReadoutTables::Hidden(_, weights, units)) =
            (&f.plan.layers[last].readout, &f.tables.layers[last].readout)
        else {
            panic!("{}: the last readout has no hidden units", f.name)
        };
        let (hidden, before) = (noise::<T>(sites * points * units), noise::<f64>(sites * points));
        let (from, mut to) = (f.queue.upload(&hidden).unwrap(), f.queue.upload(&before).unwrap());
        launch::hidden_readout(&f.queue, (sites, *units), weights, (&from, &mut to), points).unwrap();
        let of = |(own, before): (&[T], &f64)| {
            before + own.iter().zip(row).map(|(q, w)| w * silu(q.to_f64())).sum::<f64>()
        };
        let expected: Vec<f64> = hidden.chunks_exact(*units).zip(&before).map(of).collect();
        assert_close::<f64>(&f.name, &f.download(&to, expected.len()), &expected);
    }
    for_all::<f32>(None, check);
    for_all::<f64>(None, check);
}

#[test]
fn energy() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (points, sites) = (f.points.len(), f.plan.shape.sites);
        let readouts = noise::<f64>(sites * points);
        f.buffers.readouts = f.queue.upload(&readouts).unwrap();
        let separation = (&f.plan.shape, &f.tables.separation);
        let (values, positions) = (&f.buffers.values, &mut f.buffers.positions);
        launch::embed::<T>(&f.queue, separation, values, positions, points).unwrap();
        launch::distance_cost(&f.queue, separation, &mut f.buffers, points).unwrap();
        launch::energy(&f.queue, (&f.plan.shape, &f.tables), &mut f.buffers, points).unwrap();
        let found = f.download(&f.buffers.outputs, points);
        let bundles = bundles(f);
        let mut energies = Vec::new();
        for (point, out) in found.iter().enumerate() {
            let of_site = |(index, site): (usize, &crate::engine::cpu::mace::geometry::SiteGeometry<T>)| {
                let repulsion = scalar(f, &bundles, (index, point), f.weights.density_count());
                let interaction = repulsion + readouts[index * points + point];
                site.share * (f.weights.atomic_energies[site.element] + f.weights.scale * interaction)
            };
            energies.push(f.geometry.sites.iter().enumerate().map(of_site).sum::<f64>());
            let expected = f.scene.separation.at(&f.scene.axis_values(f.points[point]));
            assert_eq!(
                (out.distance_cost, out.minimum_distance),
                (expected.cost, expected.minimum),
                "{}",
                f.name
            );
        }
        let found: Vec<f64> = found.iter().map(|out| out.energy).collect();
        assert_close::<f64>(&f.name, &found, &energies);
    }
    for_all::<f32>(None, check);
    for_all::<f64>(None, check);
}
