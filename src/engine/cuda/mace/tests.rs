//! Kernels that only MACE has against their twins on the CPU.

use super::launch;
use super::plan::ReadoutPlan;
use super::tables::ReadoutTables;
use crate::crystal::Element;
use crate::engine::cpu::mace::contraction::{GROUP, Quad};
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cpu::pairs::geometry::{Array, SiteGeometry};
use crate::engine::cpu::pairs::operator::Bundle;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::pairs::launch as shared;
use crate::engine::cuda::pairs::tests::operators::{for_entries, shells};
use crate::engine::cuda::pairs::tests::{self, Tested, assert_close, for_all, noise};
use crate::potential::mace::silu;
use crate::potential::{Family, Potential};

type Fixture<T> = tests::Fixture<T, Weights<T>>;

impl<T: CudaReal> Tested<T> for Weights<T> {
    /// Residual blocks; plain first block, Agnesi transform, ZBL; density blocks and features up to L = 2; padded
    /// channels.
    const MODELS: [&str; 4] = ["mp0-L1", "0b-L1", "0b2-L2", "channels-12"];

    fn of(potential: &Potential, elements: &[Element]) -> Self {
        match &potential.family {
            Family::Mace(mace) => Weights::new(mace, elements, 0),
            _ => panic!("{} is no MACE", potential.source),
        }
    }
}

/// Densities and repulsion of a pair of the scene at a distance.
fn expected_scalars<T: CudaReal>(f: &Fixture<T>, pair: usize, r: f64) -> Vec<f64> {
    let [a, b] = f.geometry.elements(&f.scene.pairs[pair]);
    let of = &f.weights.interactions;
    let (scalars, elements) = (of.scalars.as_ref().unwrap(), (of.elements[a], of.elements[b]));
    let densities = scalars.densities.as_ref().map_or(Vec::new(), |d| d[a][b].at(r));
    let mut expected = densities[..scalars.density_count].to_vec();
    expected.push(scalars.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, elements)));
    expected
}

#[test]
fn pair_scalars() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (shapes, columns) = (&f.plan.shape.groups, f.plan.shape.scalars);
        let all = f.buffers.groups.iter();
        let all: Vec<_> = all
            .map(|b| (f.download(&b.pair_scalars, usize::MAX), f.download(&b.distances, usize::MAX)))
            .collect();
        for_entries(f, |g, node, place, shell| {
            let k = node * shapes[g].entries + place;
            let pair = f.geometry.groups[g].pairs[shells(f, g)[shell].pair];
            let expected = expected_scalars(f, pair, all[g].1[k]);
            assert_close::<f64>(&f.name, &all[g].0[k * columns..][..columns], &expected);
        });
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
}

#[test]
fn sum_scalars() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        for (g, buffers) in
            f.buffers.groups.iter().enumerate().filter(|(g, _)| f.plan.shape.groups[*g].shells > 0)
        {
            let found = f.download(&buffers.scalars, usize::MAX);
            let (sums, bundles) = (f.plan.shape.groups[g].sums, f.bundles());
            for node in 0..f.nodes[g].len() {
                let expected = &bundles[g][node].scalars;
                assert_close::<f64>(&f.name, &found[node * sums..][..sums], expected);
            }
        }
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
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
        bundles[placed.group][f.node(placed.group, point)].scalars[placed.directions[*d].scalars + column]
    };
    f.geometry.incoming[site].iter().map(of).sum()
}

#[test]
fn normalise() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (bundles, points) = (f.bundles(), f.points.len());
        for column in f.weights.density_column.clone().into_iter().flatten() {
            let tables = (&f.plan.shape, &f.tables);
            launch::normalise(&f.queue, tables, &mut f.buffers, column, points).unwrap();
            let sites = (0..f.plan.shape.sites).flat_map(|s| (0..points).map(move |p| (s, p)));
            let expected: Vec<f64> = sites.map(|at| 1.0 / (1.0 + scalar(f, &bundles, at, column))).collect();
            assert_close(&f.name, &f.download(&f.buffers.normalisers, expected.len()), &expected);
        }
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
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
    for (l, contraction) in f.weights.layers[t].outputs.iter().zip(&f.sites.contractions[site][t]) {
        for m in 0..f.geometry.components.of(*l, site).len() {
            let mut out = [T::ZERO];
            T::vectors_mut::<pulp::Scalar>(&mut out)[0] = contraction.evaluate(simd, m, channel, &inputs)[0];
            results.push(out[0].to_f64());
        }
    }
    results
}

fn check_contract<T: CudaReal>(f: &mut Fixture<T>, with_normalisers: bool) {
    let (channels, points, sites) = (f.weights.channels, f.points.len(), f.plan.shape.sites);
    let messages = noise::<T>(f.plan.shape.network.messages * points);
    let factors = noise::<T>(sites * points);
    f.buffers.messages = f.queue.upload(&messages).unwrap();
    f.buffers.normalisers = f.queue.upload(&factors).unwrap();
    for t in 0..f.tables.layers.len() {
        let mut expected = vec![0.0; f.plan.shape.network.features[t] * points];
        for (site, point) in (0..sites).flat_map(|s| (0..points).map(move |p| (s, p))) {
            let row = |array: &Array, l: usize, m: usize| array.before(l, m) / channels;
            let of_degree = |l: usize| f.geometry.components.of(l, site).map(move |m| (l, m));
            let rows: Vec<usize> = (0..=f.weights.interactions.lmax)
                .flat_map(of_degree)
                .map(|(l, m)| row(&f.sites.messages, l, m))
                .collect();
            let factor = if with_normalisers { factors[site * points + point] } else { T::ONE };
            for channel in 0..channels {
                let one = |row: &usize| messages[(row * points + point) * channels + channel];
                let own: Vec<T> =
                    rows.iter().map(|r| T::from_f64(one(r).to_f64() * factor.to_f64())).collect();
                let targets = f.weights.layers[t].outputs.iter().flat_map(|l| of_degree(*l));
                let targets = targets.map(|(l, m)| row(&f.sites.features[t], l, m));
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
    for_all::<f32, _>(None, |f| check_contract(f, true));
    for_all::<f64, _>(None, |f| check_contract(f, false));
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
        shared::linear_readout(&f.queue, (sites, channels), tables, (&from, &mut to), points).unwrap();
        let of = |(k, before): (usize, &f64)| {
            let own = &features[k * channels..][..channels];
            let product: f64 = own.iter().zip(row).map(|(h, w)| h.to_f64() * w).sum();
            before + product + constants[k / points]
        };
        let expected: Vec<f64> = before.iter().enumerate().map(of).collect();
        assert_close::<f64>(&f.name, &f.download(&to, expected.len()), &expected);
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
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
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
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
        shared::embed::<T>(&f.queue, separation, values, positions, points).unwrap();
        shared::distance_cost(&f.queue, separation, &mut f.buffers, points).unwrap();
        shared::energy(&f.queue, (&f.plan.shape, &f.tables), &mut f.buffers, points).unwrap();
        let found = f.download(&f.buffers.outputs, points);
        let bundles = f.bundles();
        let mut energies = Vec::new();
        for (point, out) in found.iter().enumerate() {
            let of_site = |(index, site): (usize, &SiteGeometry)| {
                let repulsion =
                    scalar(f, &bundles, (index, point), f.weights.interactions.scalar_count() - 1);
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
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
}
