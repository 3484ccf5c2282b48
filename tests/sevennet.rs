//! SevenNet: energies of the package sevenn, from checkpoints with random weights in its format and from SevenNet-0.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{compare_landscape, data, json, sevennet, structure};
use nalgebra::{Matrix3, Rotation3, Vector3};
use s2dpes::campaign::evaluate_crystal;
use s2dpes::crystal::{Element, Structure};
use s2dpes::engine::cpu::Real;
use s2dpes::engine::cpu::sevennet::SevennetEngine;
use s2dpes::engine::{Engine, Place, Scene, Status};
use s2dpes::landscape::{Axis, Dof, Equivalence, Landscape, Point, Relation, Thresholds};
use s2dpes::potential::{Family, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision, SurfaceWork};

fn model(potential: &Arc<Potential>, precision: Precision) -> Model {
    Model { name: "test".into(), potential: potential.clone(), head: 0, precision }
}

/// Golden records by model.
fn golden() -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut by_model: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for record in json("golden/sevennet/energies.json").as_array().unwrap() {
        by_model.entry(record["model"].as_str().unwrap().to_string()).or_default().push(record.clone());
    }
    by_model
}

/// Calls `check` with the name of every golden record, the energy of its crystal that we find with or without symmetry, and
/// the record.
fn for_every_record(precision: Precision, check: impl Fn(&str, f64, &serde_json::Value)) {
    for (name, records) in golden() {
        let Some(potential) = sevennet(&name) else { continue };
        let model = model(&potential, precision);
        let structures: Vec<Structure> = (records.iter())
            .map(|r| structure(&format!("golden/{}.extxyz", r["structure"].as_str().unwrap())))
            .collect();
        let mut elements: Vec<Element> = structures.iter().flat_map(|s| s.species.clone()).collect();
        elements.sort();
        elements.dedup();
        let mut engine = model.engine(&elements, &Place::Cpu).unwrap();
        for (record, structure) in records.iter().zip(&structures) {
            for symmetry in [true, false] {
                let crystal = match symmetry {
                    true => Crystal::in_place(structure, 1e-6),
                    false => Crystal::without_symmetry(structure),
                };
                let landscape =
                    Arc::new(Landscape::single_point(Arc::new(crystal.unwrap()), Thresholds::default()));
                let scene = Arc::new(Scene::new(landscape, &potential).unwrap());
                let energy = engine.evaluate(&scene, &[Point(0)]).unwrap()[0].energy;
                let energy = energy * record["n_atoms"].as_f64().unwrap();
                check(&format!("{name}, {}, symmetry {symmetry}", structure.name), energy, record);
            }
        }
    }
}

/// Energies per atom of all points of a landscape.
fn energies<T: Real>(scene: &Arc<Scene>, potential: &Potential, keep: bool, points: &[Point]) -> Vec<f64> {
    let mut engine = engine::<T>(potential, scene).keeping(keep);
    engine.evaluate(scene, points).unwrap().iter().map(|r| r.energy).collect()
}

fn engine<T: Real>(potential: &Potential, scene: &Scene) -> SevennetEngine<T> {
    let Family::Sevennet(sevennet) = &potential.family else { panic!("no SevenNet") };
    SevennetEngine::new(sevennet, &scene.landscape.elements())
}

/// A landscape of a golden crystal along its first free coordinates.
fn landscape(name: &str, axes: usize, points: usize) -> Arc<Landscape> {
    let crystal = Arc::new(Crystal::new(&structure(&format!("golden/{name}.extxyz")), 1e-3).unwrap());
    let free = Dof::all(&crystal).into_iter().take(axes);
    let axes = free.map(|dof| Axis { dof, range: [0.0, 1.0], points }).collect();
    Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap())
}

/// Crystals with pairs of every kind: moved by no axis, by one, by all.
const LANDSCAPES: [(&str, usize, usize); 5] = [
    ("perovskite-CaTiO3-Pnma", 2, 6),
    ("sevennet/quartz", 2, 6),
    ("pyrite-FeS2", 1, 12),
    ("calcite-CaCO3", 1, 10),
    ("triclinic-CaTiAlO-seven-atoms", 3, 3),
];

#[test]
fn float64_energies_are_those_of_sevenn() {
    for_every_record(Precision::Double, |name, energy, record| {
        let expected = record["energy_eV"].as_f64().unwrap();
        let error = (energy - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-11, "{name}: {energy} {expected} ({error:e})");
    });
}

#[test]
fn float32_energies_are_close_to_float64_ones_of_sevenn() {
    for_every_record(Precision::Single, |name, energy, record| {
        let number = |key: &str| record[key].as_f64().unwrap();
        let (expected, atoms) = (number("energy_eV"), number("n_atoms"));
        // Where atoms nearly coincide, energies are huge and float32 loses digits for everyone.
        let theirs = (number("energy_float32_eV") - expected).abs() / atoms;
        let bound = 1e-5_f64.max(4.0 * theirs);
        let error = (energy - expected).abs() / atoms;
        assert!(error < bound, "{name}: {error:e} {theirs:e} eV/atom");
    });
}

/// Calls `check` with every golden landscape and its model.
fn for_every_landscape(precision: Precision, check: impl Fn(&serde_json::Value, &Model)) {
    for record in json("golden/sevennet/landscapes.json").as_array().unwrap() {
        let name = record["model"].as_str().unwrap();
        if let Some(potential) = sevennet(name) {
            check(record, &Model { name: name.into(), ..model(&potential, precision) });
        }
    }
}

#[test]
fn float64_landscapes_are_those_of_sevenn() {
    for_every_landscape(Precision::Double, |record, model| {
        compare_landscape(record, model, |energy, _| 1e-11 * energy.abs().max(1.0));
    });
}

#[test]
fn float32_landscapes_are_close_to_float64_ones_of_sevenn() {
    for_every_landscape(Precision::Single, |record, model| {
        // Where atoms nearly coincide, energies are huge, and float32 keeps digits in proportion.
        compare_landscape(record, model, |energy, distance| match distance > 1.5 {
            true => 1e-5,
            false => 1e-4 * energy.abs().max(1.0),
        });
    });
}

#[test]
fn there_are_records_of_every_stored_checkpoint_and_of_sevennet_0() {
    let golden = golden();
    let stored = std::fs::read_dir(data("models/sevennet")).unwrap();
    let stored =
        stored.filter_map(|f| f.unwrap().file_name().to_str()?.strip_suffix(".pth.gz").map(String::from));
    for name in stored.chain(["SevenNet-0".to_string()]) {
        assert!(golden[&name].len() > 25, "{name}");
    }
}

#[test]
fn mirror_images_of_chiral_crystals_differ_and_sites_are_those_of_proper_operations() {
    let potential = sevennet("small").unwrap();
    let model = model(&potential, Precision::Double);
    let energy = |name: &str| {
        let crystal = Crystal::in_place(&structure(&format!("golden/{name}.extxyz")), 1e-6).unwrap();
        let (result, scene) =
            evaluate_crystal(Arc::new(crystal), Thresholds::default(), &model, &Place::Cpu).unwrap();
        (result.energy, scene.sites.len())
    };
    let (right, left) = (energy("sevennet/quartz"), energy("sevennet/quartz-mirror-image"));
    assert!((right.0 - left.0).abs() > 1e-9, "{} {}", right.0, left.0);
    // 8d of Pnma, 8c of Pa-3 and one of the three orbits of R-3c each fall into two; the others stay.
    let names = ["perovskite-CaTiO3-Pnma", "pyrite-FeS2", "calcite-CaCO3", "Sn2S3-Pnma"];
    assert_eq!(names.map(|name| energy(name).1), [5, 3, 5, 5]);
}

#[test]
fn results_are_the_same_bits_whatever_is_kept_and_however_points_are_batched() {
    fn check<T: Real>(landscape: &Arc<Landscape>, potential: &Potential) {
        let scene = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().collect();
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let expected = bits(energies::<T>(&scene, potential, false, &points));
        assert_eq!(bits(energies::<T>(&scene, potential, true, &points)), expected, "{}", T::NAME);
        for size in [1, 7, 20] {
            let pieces = points.chunks(size).flat_map(|p| energies::<T>(&scene, potential, size == 7, p));
            assert_eq!(bits(pieces.collect()), expected, "{} {size}", T::NAME);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(bits(pool.install(|| energies::<T>(&scene, potential, true, &points))), expected);
    }
    for (name, axes, points) in LANDSCAPES {
        for model in ["small", "uneven"] {
            let (landscape, potential) = (landscape(name, axes, points), sevennet(model).unwrap());
            check::<f32>(&landscape, &potential);
            check::<f64>(&landscape, &potential);
        }
    }
}

#[test]
fn points_of_a_grid_are_crystals_without_symmetry() {
    for (k, (name, axes, points)) in LANDSCAPES.into_iter().enumerate() {
        let potential = sevennet(["small", "degree-3", "poly-cut", "odd-signs", "uneven"][k]).unwrap();
        let model = model(&potential, Precision::Double);
        let landscape = landscape(name, axes, points);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let plain = Arc::new(Scene::without_site_symmetry(landscape.clone(), &potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().step_by(5).collect();
        let reduced = energies::<f64>(&scene, &potential, true, &points);
        let unreduced = energies::<f64>(&plain, &potential, true, &points);
        for (point, found) in points.iter().zip(reduced.iter().zip(unreduced)) {
            let mut crystal = (*landscape.crystal).clone();
            for (axis, value) in landscape.axes.iter().zip(scene.axis_values(*point)) {
                crystal.orbits[axis.dof.orbit].coordinates[axis.dof.coordinate] = value;
            }
            let (species, positions) = crystal.atoms().unzip();
            let atoms =
                Structure { name: name.into(), lattice: crystal.lattice, species, positions, declared: None };
            let crystal = Arc::new(Crystal::without_symmetry(&atoms).unwrap());
            let (expected, _) =
                evaluate_crystal(crystal, Thresholds::default(), &model, &Place::Cpu).unwrap();
            if expected.status != Status::Done {
                continue;
            }
            for found in [*found.0, found.1] {
                let error = (found - expected.energy).abs() / expected.energy.abs().max(1.0);
                assert!(error < 1e-11, "{name} {point:?}: {found} {} ({error:e})", expected.energy);
            }
        }
    }
}

/// The largest difference of energies that an equivalence takes as the same, relative, and its number of points.
fn worst_identification(landscape: &Landscape, equivalence: Equivalence, energies: &[f64]) -> (f64, usize) {
    let irreducible = landscape.irreducible(equivalence);
    let difference = |(point, representative): (usize, &u32)| {
        let (a, b) = (energies[point], energies[*representative as usize]);
        if a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() / a.abs().max(1.0) }
    };
    let worst = irreducible.representative.iter().enumerate().map(difference).fold(0.0, f64::max);
    (worst, irreducible.points.len())
}

#[test]
fn points_of_a_grid_are_equivalent_under_proper_operations_only() {
    let potential = sevennet("small").unwrap();
    // Two sublattices displaced anyhow in an orthorhombic box: a chiral crystal, turned by three axes.
    let chiral = Structure {
        name: "two sublattices".into(),
        lattice: Matrix3::from_diagonal(&Vector3::new(3.1, 3.7, 4.3)),
        species: ["O", "Ti"].map(|symbol| Element::from_symbol(symbol).unwrap()).to_vec(),
        positions: vec![Vector3::new(0.21, 0.13, 0.32), Vector3::zeros()],
        declared: None,
    };
    let crystal = Arc::new(Crystal::new(&chiral, 1e-3).unwrap());
    let axes = Dof::all(&crystal).into_iter().take(2);
    let axes = axes.map(|dof| Axis { dof, range: [0.0, 1.0], points: 12 }).collect();
    let chiral = Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap());
    for landscape in [&chiral, &landscape("perovskite-CaTiO3-Pnma", 2, 12), &landscape("pyrite-FeS2", 1, 24)]
    {
        let model = Arc::new(model(&potential, Precision::Double));
        let surface = SurfaceWork::new(landscape, model, Some(Relation::Rotated), 1024);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let all: Vec<Point> = landscape.grid.points().collect();
        let energies = energies::<f64>(&scene, &potential, true, &all);
        let name = &landscape.crystal.name;
        let (worst, points) = worst_identification(landscape, surface.equivalence, &energies);
        assert!(worst < 1e-11 && points < all.len(), "{name}: {worst:e} {points}");
        let all_operations = Equivalence { proper_only: false, ..surface.equivalence };
        let (worst, fewer) = worst_identification(landscape, all_operations, &energies);
        if Arc::ptr_eq(landscape, &chiral) {
            assert!(worst > 1e-9 && fewer < points, "{name}: {worst:e} {fewer} {points}");
        }
    }
}

#[test]
fn energies_do_not_change_with_rotation_translation_order_and_supercell() {
    let potential = sevennet("small").unwrap();
    let model = model(&potential, Precision::Double);
    let structure = structure("golden/triclinic-CaTiAlO-seven-atoms.extxyz");
    let energy = |structure: &Structure| {
        let crystal = Arc::new(Crystal::without_symmetry(structure).unwrap());
        evaluate_crystal(crystal, Thresholds::default(), &model, &Place::Cpu).unwrap().0.energy
    };
    let expected = energy(&structure);
    let same = |name: &str, changed: &Structure| {
        let found = energy(changed);
        assert!((found - expected).abs() < 1e-12 * expected.abs(), "{name}: {found} {expected}");
    };
    let turn = Rotation3::from_euler_angles(0.4, -1.3, 2.2).into_inner();
    same("rotation", &Structure { lattice: turn * structure.lattice, ..structure.clone() });
    let moved = |x: &Vector3<f64>| x + Vector3::new(0.3, -1.7, 0.9);
    same(
        "translation",
        &Structure { positions: structure.positions.iter().map(moved).collect(), ..structure.clone() },
    );
    let reversed = Structure {
        species: structure.species.iter().rev().copied().collect(),
        positions: structure.positions.iter().rev().copied().collect(),
        ..structure.clone()
    };
    same("order", &reversed);
    let reflected = Structure { lattice: -structure.lattice, ..structure.clone() };
    assert!((energy(&reflected) - expected).abs() > 1e-9 * expected.abs(), "reflections do matter");
}
