//! Kernels that depend on axis values alone. Their arithmetic is that of the CPU engine, so most results are the same
//! to the last bit.

use super::super::launch;
use super::{CRYSTALS, Fixture, Tested, assert_close, for_all_families};
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::CudaReal;
use crate::engine::{Bond, COINCIDENCE};
use crate::equivariant::{Harmonics, components};

/// A shell of a group, of equal length at every point, with the place of its pair.
pub(in crate::engine::cuda) struct Placed<'a> {
    pub pair: usize,
    bonds: Vec<&'a Bond>,
}

/// All shells of a group in the order of the plan.
pub(in crate::engine::cuda) fn shells<T: CudaReal, N: Tested<T>>(
    f: &Fixture<T, N>,
    group: usize,
) -> Vec<Placed<'_>> {
    let mut all = Vec::new();
    for (place, index) in f.geometry.groups[group].pairs.iter().enumerate() {
        let (pair, placed) = (&f.scene.pairs[*index], &f.geometry.pairs[*index]);
        for sphere in 0..placed.spheres.len() {
            let bonds = placed.shells(pair, sphere).flat_map(|shell| &shell.bonds).collect();
            all.push(Placed { pair: place, bonds });
        }
    }
    all
}

/// Entries that are in use: group, node, place in the node, shell.
pub(in crate::engine::cuda) fn for_entries<T: CudaReal, N: Tested<T>>(
    fixture: &Fixture<T, N>,
    mut check: impl FnMut(usize, usize, usize, usize),
) -> usize {
    let mut count = 0;
    for (g, buffers) in fixture.buffers.groups.iter().enumerate() {
        let shape = &fixture.plan.shape.groups[g];
        if shape.shells == 0 {
            continue;
        }
        let nodes = fixture.nodes[g].len();
        let begins = fixture.download(&buffers.begins, nodes * (shape.pairs + 1));
        let entries = fixture.download(&buffers.entries, nodes * shape.entries);
        for node in 0..nodes {
            for place in 0..begins[node * (shape.pairs + 1) + shape.pairs] as usize {
                check(g, node, place, entries[node * shape.entries + place] as usize);
                count += 1;
            }
        }
    }
    count
}

#[test]
fn embed() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        let separation = (&f.plan.shape, &f.tables.separation);
        let (values, positions) = (&f.buffers.values, &mut f.buffers.positions);
        launch::embed::<T>(&f.queue, separation, values, positions, f.points.len()).unwrap();
        let atoms = f.scene.separation.atoms();
        let expected = f.points.iter().flat_map(|p| {
            let s = f.scene.axis_values(*p);
            atoms.iter().flat_map(move |a| a.at(&s).iter().copied().collect::<Vec<_>>())
        });
        let expected: Vec<f64> = expected.collect();
        assert_eq!(f.download(&f.buffers.positions, expected.len()), expected, "{}", f.name);
    }
    for_all_families!(check, None);
}

#[test]
fn distance_cost() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        let separation = (&f.plan.shape, &f.tables.separation);
        let (values, positions) = (&f.buffers.values, &mut f.buffers.positions);
        launch::embed::<T>(&f.queue, separation, values, positions, f.points.len()).unwrap();
        launch::distance_cost(&f.queue, separation, &mut f.buffers, f.points.len()).unwrap();
        let count = f.plan.shape.representatives;
        let missing = f.download(&f.buffers.missing, f.points.len() * count);
        let smallest = f.download(&f.buffers.smallest, f.points.len() * count);
        for (k, point) in f.points.iter().enumerate() {
            let expected = f.scene.separation.at(&f.scene.axis_values(*point));
            let mut cost = f.scene.separation.self_cost();
            for (own, (_, multiplicity, _)) in
                missing[k * count..].iter().zip(f.scene.separation.representatives())
            {
                cost += 0.5 * multiplicity * own;
            }
            let least = smallest[k * count..][..count].iter().copied();
            let least = least.fold(f.scene.separation.shortest(), f64::min);
            assert_eq!((cost, least), (expected.cost, expected.minimum), "{} {k}", f.name);
        }
    }
    for_all_families!(check, None);
}

#[test]
fn neighbours() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        f.run_groups();
        for (g, buffers) in f.buffers.groups.iter().enumerate() {
            let (shape, shells) = (&f.plan.shape.groups[g], shells(f, g));
            let nodes = f.nodes[g].len();
            let begins = f.download(&buffers.begins, nodes * (shape.pairs + 1));
            let entries = f.download(&buffers.entries, nodes * shape.entries);
            let distances = f.download(&buffers.distances, nodes * shape.entries);
            for node in (0..nodes).filter(|_| shape.shells > 0) {
                let s = f.values(g, node);
                let distance = |k: &usize| shells[*k].bonds[0].at(&s).norm();
                let within = |k: &usize| distance(k) < f.scene.cutoff && distance(k) >= COINCIDENCE;
                let expected: Vec<usize> = (0..shells.len()).filter(within).collect();
                let begin = |pair: usize| expected.iter().filter(|k| shells[**k].pair < pair).count() as i32;
                let all: Vec<i32> = (0..=shape.pairs).map(begin).collect();
                assert_eq!(begins[node * (shape.pairs + 1)..][..=shape.pairs], all, "{}", f.name);
                for (place, k) in expected.iter().enumerate() {
                    let found = node * shape.entries + place;
                    assert_eq!((entries[found], distances[found]), (*k as i32, distance(k)), "{}", f.name);
                }
            }
        }
    }
    for_all_families!(check, None);
}

#[test]
fn an_atom_alone_has_no_neighbours() {
    let mut f = Fixture::<f32, Weights<f32>>::new(CRYSTALS[4], "mp0-L1", None);
    f.run_groups();
    assert_eq!(for_entries(&f, |_, _, _, _| ()), 0);
    let mut f = Fixture::<f32, Weights<f32>>::new(CRYSTALS[0], "mp0-L1", None);
    f.run_groups();
    assert!(for_entries(&f, |_, _, _, _| ()) > 100);
}

#[test]
fn places() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        f.run_groups();
        let shapes = &f.plan.shape.groups;
        let lengths = |g: usize| f.nodes[g].len() * shapes[g].entries;
        let all = f.buffers.groups.iter().enumerate();
        let all: Vec<_> = all
            .map(|(g, b)| (f.download(&b.places, lengths(g)), f.download(&b.distances, lengths(g))))
            .collect();
        for_entries(f, |g, node, place, shell| {
            let k = node * shapes[g].entries + place;
            let (found, expected) =
                (all[g].0[k], f.weights.interactions().layers[0].tables[0][0].place(all[g].1[k]));
            assert_eq!((found.row as usize, found.weights), (expected.row, expected.weights), "{}", f.name);
            assert_eq!(found.shell as usize, shell);
        });
    }
    for_all_families!(check, None);
}

/// Harmonics of a bond times its weight.
fn weighted(harmonics: &Harmonics, bond: &Bond, s: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; components(harmonics.lmax())];
    harmonics.evaluate(&bond.at(s).normalize(), &mut y);
    y.iter().map(|y| bond.weight * y).collect()
}

#[test]
fn harmonics() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        f.run_groups();
        let (own, shapes) = (Harmonics::new(f.weights.interactions().lmax), &f.plan.shape.groups);
        let size = f.plan.shape.components;
        let all: Vec<Vec<f64>> =
            f.buffers.groups.iter().map(|b| f.download(&b.harmonics, usize::MAX)).collect();
        for_entries(f, |g, node, place, shell| {
            let first = (node * shapes[g].entries + place) * shapes[g].bonds_of_shell;
            for (k, bond) in shells(f, g)[shell].bonds.iter().enumerate() {
                let found = &all[g][(first + k) * size..][..size];
                assert_eq!(found, weighted(&own, bond, &f.values(g, node)), "{}", f.name);
            }
        });
    }
    for_all_families!(check, None);
}

#[test]
fn angular() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        f.run_groups();
        let (own, shapes) = (Harmonics::new(f.weights.interactions().lmax), &f.plan.shape.groups);
        let all: Vec<Vec<T>> = f.buffers.groups.iter().map(|b| f.download(&b.angular, usize::MAX)).collect();
        for_entries(f, |g, node, place, shell| {
            let placed = &shells(f, g)[shell];
            let pair = &f.geometry.pairs[f.geometry.groups[g].pairs[placed.pair]];
            let mut row = (node * shapes[g].entries + place) * shapes[g].rows;
            for direction in &pair.directions {
                let mut sums = vec![0.0; direction.angular];
                for bond in placed.bonds.iter().filter(|b| b.receiver == direction.receiver) {
                    let (matrix, stride) = f.geometry.couplings.of(bond).matrix();
                    for (lm, y) in weighted(&own, bond, &f.values(g, node)).into_iter().enumerate() {
                        for (q, sum) in sums.iter_mut().enumerate() {
                            *sum = y.mul_add(matrix[lm * stride + q], *sum);
                        }
                    }
                }
                let sums: Vec<T> = sums.into_iter().map(T::from_f64).collect();
                assert!(all[g][row..][..sums.len()] == sums[..], "{}", f.name);
                row += sums.len();
            }
        });
    }
    for_all_families!(check, None);
}

#[test]
fn operators() {
    fn check<T: CudaReal, N: Tested<T>>(f: &mut Fixture<T, N>) {
        f.run_groups();
        let bundles = f.bundles();
        for (g, buffers) in f.buffers.groups.iter().enumerate().filter(|(g, _)| f.plan.groups[*g].kept) {
            let values = f.plan.shape.groups[g].operator_rows * f.plan.shape.channels;
            let found = f.download(&buffers.operators, usize::MAX);
            for node in (0..f.nodes[g].len()).filter(|_| values > 0) {
                let expected: Vec<f64> = bundles[g][node].values.iter().map(|v| v.to_f64()).collect();
                assert_close(&f.name, &found[node * values..][..values], &expected);
            }
        }
    }
    for_all_families!(check, None);
}
