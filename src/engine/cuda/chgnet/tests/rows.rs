//! Kernels that find bonds and angles.

use super::super::shape::{ROW_KINDS, Total};
use super::{Fixture, for_all, placed, shim};
use crate::engine::Network;
use crate::engine::cpu::chgnet::rows::{BondRow, Rows};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout;

fn network<T: CudaReal>(f: &Fixture<T>) -> &Network {
    f.scene.network.as_ref().unwrap()
}

fn both(single: impl Fn(&mut Fixture<f32>), double: impl Fn(&mut Fixture<f64>)) {
    for_all::<f32>(single);
    for_all::<f64>(double);
}

/// Places are equal, but for angles on a GPU, whose arc cosine has other last bits.
fn assert_places<T: CudaReal>(
    name: &str,
    found: &[layout::Place<T>],
    expected: &[layout::Place<T>],
    exact: bool,
) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let near = |(a, b): (&T, &T)| (a.to_f64() - b.to_f64()).abs() < 1e-6;
        let is_close = !exact && found.weights.iter().zip(&expected.weights).all(near);
        assert!(found == expected || is_close, "{name}: {found:?} {expected:?}");
    }
}

#[test]
fn crystals_have_few_and_many_rows() {
    let mut angles = Vec::new();
    for_all::<f32>(|f| {
        let Rows { short, places, angles, .. } = &f.expected;
        assert!(*short <= places.len(), "{}", f.name);
        assert!(f.name.contains("single") == places.is_empty() && (*short > 0 || angles.is_empty()));
    });
    for name in ["Sn2S3-Pnma", "perovskite-CaTiO3-Pnma", "single-O-in-a-box"] {
        angles.push(Fixture::<f32>::new(name).count(Total::Angles));
    }
    assert!(angles[1] > 1000 && angles[0] > 50 && angles[2] == 0, "{angles:?}");
}

/// What is told to be needed is what buffers take.
#[test]
fn buffers_take_as_many_bytes_as_the_shape_says() {
    for name in ["Sn2S3-Pnma", "triclinic-Al-one-atom"] {
        let f = Fixture::<f64>::new(name);
        let (r, x) = (&f.buffers.rows, &f.buffers.features);
        let of_rows = [
            r.lengths.num_bytes(),
            r.rows.num_bytes(),
            r.counts.num_bytes(),
            r.begins.num_bytes(),
            r.totals.num_bytes(),
            r.places.num_bytes(),
            r.short_places.num_bytes(),
            r.first_places.num_bytes(),
            r.directed.rows.num_bytes(),
            r.directed.begins.num_bytes(),
            r.short_directed.rows.num_bytes(),
            r.short_directed.begins.num_bytes(),
            r.angles.num_bytes(),
            r.angle_places.num_bytes(),
            r.bond_begins.num_bytes(),
        ];
        let of_features = [
            &x.atoms,
            &x.bonds,
            &x.angles,
            &x.bond_weights,
            &x.short_weights,
            &x.of_atoms,
            &x.of_bonds,
            &x.of_angles,
            &x.messages,
            &x.sums,
        ];
        let all = of_rows.iter().sum::<usize>() + of_features.iter().map(|b| b.num_bytes()).sum::<usize>();
        let (shape, points) = (&f.plan.shape, f.points.len());
        assert_eq!(all, shape.bytes::<f64>(points) - shape.atoms.bytes::<f64>(points), "{name}");
    }
}

#[test]
fn bond_lengths() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let network = network(f);
        let of_point = |p: &crate::landscape::Point| {
            let s = f.scene.axis_values(*p);
            network.undirected.iter().map(move |b| network.bonds[*b].at(&s).norm()).collect::<Vec<f64>>()
        };
        let expected: Vec<f64> = f.points.iter().flat_map(of_point).collect();
        assert_eq!(f.download(&f.buffers.rows.lengths, expected.len()), expected, "{}", f.name);
    }
    both(check, check);
}

/// Rows of each point: kind by kind, as the CPU finds them for the point alone.
fn counts<T: CudaReal>(f: &Fixture<T>) -> Vec<[i32; ROW_KINDS]> {
    let of_point = |p: &crate::landscape::Point| {
        let mut rows = Rows::new();
        rows.find(&f.scene, &f.weights, &[*p]);
        let long = rows.places.len() - rows.short;
        [rows.short, long, rows.bonds.len(), rows.short_bonds.len(), rows.angles.len()].map(|n| n as i32)
    };
    f.points.iter().map(of_point).collect()
}

#[test]
fn count_rows() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let expected = counts(f).concat();
        assert_eq!(f.download(&f.buffers.rows.counts, expected.len()), expected, "{}", f.name);
        // No point has more than buffers have room for.
        let most = f.plan.shape.most;
        let most = [most.short, most.bonds, most.directed, most.short_directed, most.angles];
        for of_point in expected.chunks_exact(ROW_KINDS) {
            let own = [of_point[0], of_point[0] + of_point[1], of_point[2], of_point[3], of_point[4]];
            assert!(
                own.iter().zip(most).all(|(n, most)| *n as usize <= most),
                "{}: {own:?} {most:?}",
                f.name
            );
        }
    }
    both(check, check);
}

/// For more points than one block has threads, too.
#[test]
fn scan_rows() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let totals = f.download(&f.buffers.rows.totals, Total::COUNT);
        let kinds = [
            Total::None,
            Total::Short,
            Total::Bonds,
            Total::Directed,
            Total::ShortDirected,
            Total::Angles,
            Total::Atoms,
        ];
        assert_eq!(totals, kinds.map(|kind| f.count(kind) as i32), "{}", f.name);
        let mut sums = [0; ROW_KINDS];
        let begins = counts(f).into_iter().flat_map(|own| {
            let before = sums;
            sums.iter_mut().zip(own).for_each(|(sum, n)| *sum += n);
            before
        });
        let begins: Vec<i32> = begins.collect();
        assert_eq!(f.download(&f.buffers.rows.begins, begins.len()), begins, "{}", f.name);
    }
    both(check, check);
    let f = Fixture::<f32>::new("triclinic-Al-one-atom");
    for points in [1, 127, 128, 129, 300, 1000] {
        let counts: Vec<i32> = (0..points * ROW_KINDS).map(|k| (k * 7919 % 13) as i32).collect();
        let mut buffers =
            super::super::buffers::ChgnetBuffers::<f32>::new(&f.queue, &f.plan.shape, points).unwrap();
        f.queue.stream().memcpy_htod(&counts, &mut buffers.rows.counts).unwrap();
        let batch = super::Batch { points, ..f.batch() };
        super::super::launch::scan_rows(batch, &mut buffers.rows).unwrap();
        let begins = f.download(&buffers.rows.begins, counts.len());
        for (k, begin) in begins.iter().enumerate() {
            let before = counts[..k].iter().skip(k % ROW_KINDS).step_by(ROW_KINDS).sum::<i32>();
            assert_eq!(*begin, before, "{points} points, number {k}");
        }
        let sum = |kind: usize| counts.iter().skip(kind).step_by(ROW_KINDS).sum::<i32>();
        let expected = [0, sum(0), sum(0) + sum(1), sum(2), sum(3), sum(4), points as i32];
        assert_eq!(f.download(&buffers.rows.totals, Total::COUNT), expected, "{points} points");
    }
}

#[test]
fn fill_bonds() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (expected, rows) = (&f.expected, &f.buffers.rows);
        let all = [
            (&rows.places, &expected.places),
            (&rows.short_places, &expected.short_places),
            (&rows.first_places, &expected.first_places),
        ];
        for (found, expected) in all {
            let expected: Vec<_> = expected.iter().map(placed).collect();
            assert_places(&f.name, &f.download(found, expected.len()), &expected, true);
        }
        let expected: Vec<i32> = expected.rows.iter().map(|row| i32::try_from(*row).unwrap_or(-1)).collect();
        assert_eq!(f.download(&rows.rows, expected.len()), expected, "{}", f.name);
    }
    both(check, check);
}

#[test]
fn fill_directed() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (expected, rows) = (&f.expected, &f.buffers.rows);
        let sites = f.plan.elements.len();
        for (found, expected) in
            [(&rows.directed, &expected.bonds), (&rows.short_directed, &expected.short_bonds)]
        {
            let row = |b: &BondRow| layout::BondRow {
                centre: f.atom(b.centre) as i32,
                neighbour: f.atom(b.neighbour) as i32,
                bond: b.bond as i32,
                weight: b.weight as f32,
            };
            let all: Vec<_> = expected.iter().map(row).collect();
            assert_eq!(f.download(&found.rows, all.len()), all, "{}", f.name);
            let before = |atom: usize| expected.iter().filter(|b| b.centre < atom).count() as i32;
            let begins = (0..f.points.len()).flat_map(|p| (0..=sites).map(move |s| p * sites + s));
            let begins: Vec<i32> = begins.map(before).collect();
            assert_eq!(f.download(&found.begins, begins.len()), begins, "{}", f.name);
        }
    }
    both(check, check);
}

#[test]
fn fill_angles() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (expected, rows) = (&f.expected, &f.buffers.rows);
        let row = |a: &crate::engine::cpu::chgnet::rows::AngleRow| layout::AngleRow {
            bond: a.bond as i32,
            other: a.other as i32,
            centre: f.atom(a.centre) as i32,
            weight: a.weight as f32,
        };
        let all: Vec<_> = expected.angles.iter().map(row).collect();
        assert_eq!(f.download(&rows.angles, all.len()), all, "{}", f.name);
        let places: Vec<_> = expected.angle_places.iter().map(placed).collect();
        assert_places(&f.name, &f.download(&rows.angle_places, all.len()), &places, !shim::on_gpu());
        let before = |bond: usize| expected.angles.iter().filter(|a| a.bond < bond).count() as i32;
        let begins: Vec<i32> = (0..=expected.short).map(before).collect();
        assert_eq!(f.download(&rows.bond_begins, begins.len()), begins, "{}", f.name);
    }
    both(check, check);
}
