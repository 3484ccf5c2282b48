//! Kernels that depend on axis values alone. Their arithmetic is that of the CPU engine, so most results are the same
//! to the last bit.

use super::super::launch;
use super::{Fixture, assert_close, for_all};
use crate::engine::cpu::mace::operator::Operators;
use crate::engine::cuda::CudaReal;
use crate::engine::{Bond, COINCIDENCE, Shell};
use crate::equivariant::{Harmonics, components};

/// A shell of a group with its place and that of its pair.
struct Placed<'a> {
    pair: usize,
    shell: &'a Shell,
}

/// All shells of a group in the order of the plan.
fn shells<T: CudaReal>(fixture: &Fixture<T>, group: usize) -> Vec<Placed<'_>> {
    let pairs = fixture.geometry.groups[group].pairs.iter().enumerate();
    let of_pair = |(pair, index): (usize, &usize)| {
        fixture.scene.pairs[*index].shells.iter().map(move |shell| Placed { pair, shell })
    };
    pairs.flat_map(of_pair).collect()
}

/// Entries that are in use: group, node, place in the node, shell.
fn for_entries<T: CudaReal>(
    fixture: &Fixture<T>,
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

fn both(check32: impl Fn(&mut Fixture<f32>), check64: impl Fn(&mut Fixture<f64>)) {
    for_all::<f32>(None, check32);
    for_all::<f64>(None, check64);
}

#[test]
fn embed() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
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
    both(check, check);
}

#[test]
fn distance_cost() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
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
    both(check, check);
}

#[test]
fn neighbours() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        for (g, buffers) in f.buffers.groups.iter().enumerate() {
            let (shape, shells) = (&f.plan.shape.groups[g], shells(f, g));
            let nodes = f.nodes[g].len();
            let begins = f.download(&buffers.begins, nodes * (shape.pairs + 1));
            let entries = f.download(&buffers.entries, nodes * shape.entries);
            let distances = f.download(&buffers.distances, nodes * shape.entries);
            for node in (0..nodes).filter(|_| shape.shells > 0) {
                let s = f.values(g, node);
                let distance = |k: &usize| shells[*k].shell.bonds[0].at(&s).norm();
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
    both(check, check);
}

#[test]
fn an_atom_alone_has_no_neighbours() {
    let mut f = Fixture::<f32>::new("single-O-in-a-box", "mp0-L1", None);
    f.run_groups();
    assert_eq!(for_entries(&f, |_, _, _, _| ()), 0);
    let mut f = Fixture::<f32>::new("Sn2S3-Pnma", "mp0-L1", None);
    f.run_groups();
    assert!(for_entries(&f, |_, _, _, _| ()) > 100);
}

#[test]
fn places() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let shapes = &f.plan.shape.groups;
        let lengths = |g: usize| f.nodes[g].len() * shapes[g].entries;
        let all = f.buffers.groups.iter().enumerate();
        let all: Vec<_> = all
            .map(|(g, b)| (f.download(&b.places, lengths(g)), f.download(&b.distances, lengths(g))))
            .collect();
        for_entries(f, |g, node, place, shell| {
            let k = node * shapes[g].entries + place;
            let (found, expected) = (all[g].0[k], f.weights.first[0][0].place(all[g].1[k]));
            assert_eq!((found.row as usize, found.weights), (expected.row, expected.weights), "{}", f.name);
            assert_eq!(found.shell as usize, shell);
        });
    }
    both(check, check);
}

/// Harmonics of a bond times its weight.
fn weighted(harmonics: &Harmonics, bond: &Bond, s: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; components(harmonics.lmax())];
    harmonics.evaluate(&bond.at(s).normalize(), &mut y);
    y.iter().map(|y| bond.weight * y).collect()
}

#[test]
fn harmonics() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (own, shapes) = (Harmonics::new(f.weights.lmax), &f.plan.shape.groups);
        let size = f.plan.shape.components;
        let all: Vec<Vec<f64>> =
            f.buffers.groups.iter().map(|b| f.download(&b.harmonics, usize::MAX)).collect();
        for_entries(f, |g, node, place, shell| {
            let first = (node * shapes[g].entries + place) * shapes[g].bonds_of_shell;
            for (k, bond) in shells(f, g)[shell].shell.bonds.iter().enumerate() {
                let found = &all[g][(first + k) * size..][..size];
                assert_eq!(found, weighted(&own, bond, &f.values(g, node)), "{}", f.name);
            }
        });
    }
    both(check, check);
}

#[test]
fn angular() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let (own, shapes) = (Harmonics::new(f.weights.lmax), &f.plan.shape.groups);
        let all: Vec<Vec<T>> = f.buffers.groups.iter().map(|b| f.download(&b.angular, usize::MAX)).collect();
        for_entries(f, |g, node, place, shell| {
            let placed = &shells(f, g)[shell];
            let pair = &f.geometry.pairs[f.geometry.groups[g].pairs[placed.pair]];
            let mut row = (node * shapes[g].entries + place) * shapes[g].rows;
            for direction in &pair.directions {
                let mut sums = vec![0.0; direction.targets.len()];
                for bond in placed.shell.bonds.iter().filter(|b| b.receiver == direction.receiver) {
                    let (matrix, stride) = f.geometry.coupling(bond.receiver, bond.sender).matrix();
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
    both(check, check);
}

/// Densities and repulsion of a pair of the scene at a distance.
fn expected_scalars<T: CudaReal>(f: &Fixture<T>, pair: usize, r: f64) -> Vec<f64> {
    let [a, b] = f.scene.pairs[pair].sites.map(|site| f.geometry.sites[site].element);
    let elements = (f.weights.elements[a], f.weights.elements[b]);
    let densities = f.weights.densities.as_ref().map_or(Vec::new(), |d| d[a][b].at(r));
    let mut scalars = densities[..f.weights.density_count()].to_vec();
    scalars.push(f.weights.zbl.as_ref().map_or(0.0, |zbl| zbl.half_energy(r, elements)));
    scalars
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
    both(check, check);
}

#[test]
fn sum_scalars() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        for (g, buffers) in
            f.buffers.groups.iter().enumerate().filter(|(g, _)| f.plan.shape.groups[*g].shells > 0)
        {
            let found = f.download(&buffers.scalars, usize::MAX);
            let own = Operators::new(&f.scene, &f.geometry, &f.weights);
            let sums = f.plan.shape.groups[g].sums;
            for node in 0..f.nodes[g].len() {
                let expected = own.bundle(g, &f.values(g, node)).scalars;
                assert_close::<f64>(&f.name, &found[node * sums..][..sums], &expected);
            }
        }
    }
    both(check, check);
}

#[test]
fn operators() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        f.run_groups();
        let own = Operators::new(&f.scene, &f.geometry, &f.weights);
        for (g, buffers) in f.buffers.groups.iter().enumerate().filter(|(g, _)| f.plan.groups[*g].kept) {
            let values = f.plan.shape.groups[g].operator_rows * f.weights.channels;
            let found = f.download(&buffers.operators, usize::MAX);
            for node in (0..f.nodes[g].len()).filter(|_| values > 0) {
                let expected = own.bundle(g, &f.values(g, node)).values;
                let expected: Vec<f64> = expected.into_iter().map(T::to_f64).collect();
                assert_close(&f.name, &found[node * values..][..values], &expected);
            }
        }
    }
    both(check, check);
}
