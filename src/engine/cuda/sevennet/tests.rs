//! Kernels that only SevenNet has, and its readout, against their twins on the CPU.

use super::launch;
use crate::crystal::Element;
use crate::engine::cpu::pairs::geometry::Array;
use crate::engine::cpu::sevennet::weights::Weights;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::pairs::launch as shared;
use crate::engine::cuda::pairs::tests::{self, Tested, assert_close, for_all, noise};
use crate::potential::sevennet::KAPPA;
use crate::potential::{Family, Potential};

type Fixture<T> = tests::Fixture<T, Weights<T>>;

impl<T: CudaReal> Tested<T> for Weights<T> {
    /// As SevenNet-0; degrees and channels that change from layer to layer; another cutoff; higher harmonics.
    const MODELS: [&str; 4] = ["sevennet/small", "sevennet/uneven", "sevennet/poly-cut", "sevennet/degree-3"];

    fn of(potential: &Potential, elements: &[Element]) -> Self {
        match &potential.family {
            Family::Sevennet(sevennet) => Weights::new(sevennet, elements),
            _ => panic!("{} is no SevenNet", potential.source),
        }
    }
}

/// Where a number of an array lies.
fn place<T: CudaReal>(f: &Fixture<T>, array: &Array, (l, m): (usize, usize), point: usize) -> usize {
    array.before(l, m) * f.points.len() + point * array.widths[l]
}

/// Features from z, site by site: scalars, gated degrees; constants of layer 0.
fn gated<T: CudaReal>(f: &Fixture<T>, t: usize, all: &[T]) -> Vec<f64> {
    let (z, outputs) = (&f.sites[t].z, &f.sites[t].outputs);
    let mut features = vec![0.0; outputs.numbers() * f.points.len()];
    let activated = |x: f64| KAPPA * x / (1.0 + (-x).exp());
    for (site, point) in (0..f.geometry.sites.len()).flat_map(|i| (0..f.points.len()).map(move |p| (i, p))) {
        let first = place(f, z, (0, f.geometry.components.of(0, site).start), point);
        let mut gates: Vec<f64> = all[first..][..z.widths[0]].iter().map(|x| x.to_f64()).collect();
        if t == 0 {
            let constants = &f.weights.constants[f.geometry.sites[site].element];
            gates.iter_mut().zip(constants).for_each(|(gate, constant)| *gate += constant.to_f64());
        }
        let mut earlier = 0;
        for (l, width) in outputs.widths.iter().enumerate() {
            for m in f.geometry.components.of(l, site) {
                let (from, to) = (place(f, z, (l, m), point), place(f, outputs, (l, m), point));
                for c in 0..*width {
                    let factor = if l == 0 { 1.0 } else { all[from + c].to_f64() };
                    features[to + c] = activated(gates[earlier + c]) * factor;
                }
            }
            earlier += width;
        }
    }
    features
}

#[test]
fn gate() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let points = f.points.len();
        for (t, layer) in f.tables.layers.iter().enumerate() {
            // Some of them large, where e^-x is more or less than any number of float32.
            let z: Vec<T> = noise::<f64>(f.sites[t].z.numbers() * points)
                .iter()
                .enumerate()
                .map(|(k, x)| T::from_f64(if k % 7 == 0 { 400.0 } else { 8.0 } * x))
                .collect();
            let (from, expected) = (f.queue.upload(&z).unwrap(), gated(f, t, &z));
            let mut to = f.queue.buffer::<T>(expected.len()).unwrap();
            launch::gate(&f.queue, (&layer.gate, &f.model), (&from, &mut to), points).unwrap();
            assert_close(&format!("{}, layer {t}", f.name), &f.download(&to, expected.len()), &expected);
        }
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
}

/// The readout of the last features, times an element's scale and with its shift.
#[test]
fn energy() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (points, sites) = (f.points.len(), f.plan.shape.sites);
        f.run_groups();
        let (channels, weights, constants) = f.tables.layers.last().unwrap().readout.as_ref().unwrap();
        let features = noise::<T>(sites * points * channels);
        let from = f.queue.upload(&features).unwrap();
        f.buffers.readouts = f.queue.upload(&vec![0.0; sites * points]).unwrap();
        let of = (weights, constants);
        let readouts = &mut f.buffers.readouts;
        shared::linear_readout(&f.queue, (sites, *channels), of, (&from, readouts), points).unwrap();
        let separation = (&f.plan.shape, &f.tables.separation);
        let (values, positions) = (&f.buffers.values, &mut f.buffers.positions);
        shared::embed::<T>(&f.queue, separation, values, positions, points).unwrap();
        shared::distance_cost(&f.queue, separation, &mut f.buffers, points).unwrap();
        shared::energy(&f.queue, (&f.plan.shape, &f.tables), &mut f.buffers, points).unwrap();
        let of_site = |point: usize, site: usize| {
            let row = &features[(site * points + point) * channels..][..*channels];
            let readout: f64 = row.iter().zip(&f.weights.readout).map(|(h, w)| h.to_f64() * w).sum();
            let of = &f.geometry.sites[site];
            of.share * (f.weights.scale[of.element] * readout + f.weights.shift[of.element])
        };
        let expected: Vec<f64> = (0..points).map(|p| (0..sites).map(|site| of_site(p, site)).sum()).collect();
        let found: Vec<f64> = f.download(&f.buffers.outputs, points).iter().map(|o| o.energy).collect();
        assert_close::<f64>(&f.name, &found, &expected);
    }
    for_all::<f32, _>(None, check);
    for_all::<f64, _>(None, check);
}
