//! What a grid shares: operators kept for rows, columns and the whole grid against operators computed at every point,
//! against single crystals, and against sites that know nothing of their symmetry.

mod common;

use std::sync::Arc;

use common::{Random, campaign_files, first_head, potential, with_elements};
use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;
use s2dpes::campaign::evaluate_crystal;
use s2dpes::crystal::{Structure, read_structure};
use s2dpes::engine::cpu::Real;
use s2dpes::engine::cpu::mace::MaceEngine;
use s2dpes::engine::{Engine, Place, PointResult, Scene, Status};
use s2dpes::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use s2dpes::potential::{Family, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::Precision;

const MODELS: [&str; 5] = ["mp0-L1", "0b2-L2", "0b3-L1", "layers-3", "mp0-L2"];

fn engine<T: Real>(potential: &Potential, scene: &Scene) -> MaceEngine<T> {
    let Family::Mace(mace) = &potential.family else { panic!("{} is no MACE", potential.source) };
    let elements: Vec<_> = scene.sites.iter().map(|s| s.element).collect();
    MaceEngine::new(mace, &elements, 0)
}

/// A landscape of a real crystal along one to three random axes, whose nodes 0 and 1/2 are often special positions.
fn random_landscape(index: usize, potential: &Potential) -> Option<Arc<Landscape>> {
    let file = campaign_files().into_iter().nth(index)?;
    let structure = with_elements(&read_structure(&file).unwrap(), potential);
    let crystal = Arc::new(Crystal::new(&structure, 0.01).unwrap());
    let mut free = Dof::all(&crystal);
    let mut random = Random(index as u64);
    let count = (1 + random.below(3)).min(free.len());
    let axis = |_| Axis {
        dof: free.swap_remove(random.below(free.len())),
        range: [0.0, 1.0],
        points: [4, 6][random.below(2)],
    };
    let axes: Vec<Axis> = (0..count).map(axis).collect();
    (count > 0).then(|| Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap()))
}

fn bits(results: &[PointResult]) -> Vec<(u64, u64)> {
    results.iter().map(|r| (r.energy.to_bits(), r.minimum_distance.to_bits())).collect()
}

/// Every structure with a model in turn.
fn for_random_landscapes(step: usize, check: impl Fn(&Arc<Landscape>, &Arc<Potential>) + Sync) -> usize {
    let models: Vec<_> = MODELS.iter().map(|name| potential(name)).collect();
    let landscapes: Vec<_> = (0..308)
        .step_by(step)
        .enumerate()
        .filter_map(|(i, index)| {
            let potential = &models[i % models.len()];
            Some((random_landscape(index, potential)?, potential.clone()))
        })
        .collect();
    landscapes.par_iter().for_each(|(landscape, potential)| check(landscape, potential));
    landscapes.len()
}

/// Operators kept and not, with other neighbours in the batch: the same bits.
fn compare_bits<T: Real>(scene: &Arc<Scene>, potential: &Potential, points: &[Point]) {
    let mut kept = engine::<T>(potential, scene).keeping(true);
    let mut direct = engine::<T>(potential, scene).keeping(false);
    assert!(kept.cost(scene, points).unwrap().keeps);
    assert!(!direct.cost(scene, points).unwrap().keeps);
    let expected = bits(&direct.evaluate(scene, points).unwrap());
    assert_eq!(bits(&kept.evaluate(scene, points).unwrap()), expected, "{}", T::NAME);
    let one = bits(&kept.evaluate(scene, &points[..1]).unwrap());
    assert_eq!(one[0], expected[0]);
}

/// Points of a landscape against the same crystals, each evaluated for itself.
fn compare_singles(scene: &Arc<Scene>, potential: &Arc<Potential>, points: &[Point]) {
    let results = engine::<f64>(potential, scene).keeping(true).evaluate(scene, points).unwrap();
    let model = first_head(potential, Precision::Double);
    for (point, result) in points.iter().zip(results) {
        let mut crystal = (*scene.landscape.crystal).clone();
        for (axis, value) in scene.landscape.axes.iter().zip(scene.axis_values(*point)) {
            crystal.orbits[axis.dof.orbit].coordinates[axis.dof.coordinate] = value;
        }
        let name = crystal.name.clone();
        let (single, _) =
            evaluate_crystal(Arc::new(crystal), Thresholds::default(), &model, &Place::Cpu).unwrap();
        assert_eq!(result.status, single.status, "{name} {point:?}");
        if result.status == Status::Done {
            let error = (result.energy - single.energy).abs() / single.energy.abs().max(1.0);
            assert!(error < 1e-12, "{name} {point:?}: {} {} {error:e}", result.energy, single.energy);
        }
    }
}

#[test]
fn kept_operators_give_the_bits_of_direct_ones() {
    let count = for_random_landscapes(7, |landscape, potential| {
        let scene = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().take(40).collect();
        compare_bits::<f64>(&scene, potential, &points);
        compare_bits::<f32>(&scene, potential, &points);
    });
    assert!(count >= 40, "{count}");
}

#[test]
fn what_is_kept_is_decided_for_every_call() {
    let potential = potential("mp0-L1");
    let crystal = common::structure("golden/perovskite-CaTiO3-Pnma.extxyz");
    let crystal = Arc::new(Crystal::new(&with_elements(&crystal, &potential), 0.01).unwrap());
    let free = Dof::all(&crystal).into_iter().take(2);
    let axes = free.map(|dof| Axis { dof, range: [0.0, 1.0], points: 20 });
    let landscape = Landscape::new(crystal.clone(), axes.collect(), Thresholds::default()).unwrap();
    let scene = Arc::new(Scene::new(Arc::new(landscape), &potential).unwrap());
    let points: Vec<Point> = scene.landscape.grid.points().collect();
    let mut engine = engine::<f32>(&potential, &scene);
    assert!(engine.evaluate(&scene, &[]).unwrap().is_empty());
    let few = bits(&engine.evaluate(&scene, &points[..3]).unwrap());
    let cost = engine.cost(&scene, &points).unwrap();
    assert!(cost.keeps && cost.kept_bytes > 0.0);
    let all = bits(&engine.evaluate(&scene, &points).unwrap());
    assert_eq!(few, all[..3]);
    // Nothing serves two points where there is one.
    let single = Arc::new(Landscape::single_point(crystal, Thresholds::default()));
    let scene = Arc::new(Scene::new(single, &potential).unwrap());
    assert!(!engine.cost(&scene, &[Point(0)]).unwrap().keeps);
}

#[test]
fn points_of_a_grid_are_single_crystals() {
    let count = for_random_landscapes(7, |landscape, potential| {
        let scene = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().step_by(5).take(8).collect();
        compare_singles(&scene, potential, &points);
    });
    assert!(count >= 40, "{count}");
}

/// A random cell, often skewed, with one to six atoms anywhere, and one to three axes.
fn fuzzed_landscape(seed: u64, potential: &Potential) -> Arc<Landscape> {
    let mut random = Random(seed);
    let lattice = Matrix3::from_fn(|i, j| {
        let size = 2.0 + 5.0 * random.unit();
        if i == j { size } else { (random.unit() - 0.5) * size }
    });
    let atoms = 1 + random.below(6);
    let structure = Structure {
        name: format!("seed {seed}"),
        lattice,
        species: (0..atoms).map(|_| potential.elements()[random.below(potential.elements().len())]).collect(),
        positions: (0..atoms).map(|_| Vector3::from_fn(|_, _| 3.0 * random.unit() - 1.0)).collect(),
        declared: None,
    };
    let crystal = Arc::new(Crystal::without_symmetry(&structure).unwrap());
    let mut free = Dof::all(&crystal);
    let axes = (0..1 + random.below(3))
        .map(|_| {
            let low = random.unit();
            let range = [[0.0, 1.0], [low, low + 0.1 + 0.5 * random.unit()]][random.below(2)];
            Axis { dof: free.swap_remove(random.below(free.len())), range, points: 2 + random.below(4) }
        })
        .collect();
    Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap())
}

#[test]
fn fuzzed_scenes_hold_together() {
    let models: Vec<_> = MODELS.iter().map(|name| potential(name)).collect();
    (0..60_u64).into_par_iter().for_each(|seed| {
        let potential = &models[seed as usize % models.len()];
        let landscape = fuzzed_landscape(seed, potential);
        let scene = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().step_by(3).take(20).collect();
        compare_bits::<f64>(&scene, potential, &points);
        compare_bits::<f32>(&scene, potential, &points);
        compare_singles(&scene, potential, &points[..points.len().min(3)]);
    });
}

#[test]
fn site_symmetry_changes_nothing_but_the_work() {
    let mut smaller = std::sync::atomic::AtomicUsize::new(0);
    let count = for_random_landscapes(9, |landscape, potential| {
        let reduced = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
        let plain = Arc::new(Scene::without_site_symmetry(landscape.clone(), potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().step_by(3).take(12).collect();
        let mut engines = [&reduced, &plain].map(|scene| engine::<f64>(potential, scene));
        let operations = |e: &mut MaceEngine<f64>, scene| -> f64 {
            e.cost(scene, &points).unwrap().steps.iter().map(|s| s.operations).sum()
        };
        if operations(&mut engines[0], &reduced) < 0.9 * operations(&mut engines[1], &plain) {
            smaller.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let [ours, others] = [(0, &reduced), (1, &plain)].map(|(i, scene)| (i, scene.clone()));
        let mut evaluate = |(i, scene): (usize, Arc<Scene>)| engines[i].evaluate(&scene, &points).unwrap();
        let (ours, others) = (evaluate(ours), evaluate(others));
        for (a, b) in ours.iter().zip(&others).filter(|(a, _)| a.status == Status::Done) {
            let error = (a.energy - b.energy).abs() / b.energy.abs().max(1.0);
            assert!(error < 1e-11, "{}: {} {} {error:e}", landscape.crystal.name, a.energy, b.energy);
        }
    });
    assert!(*smaller.get_mut() > count / 2, "site symmetry has something to do");
}
