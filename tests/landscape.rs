//! Grids: what may vary, which points are equivalent, how close atoms are.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::{Random, campaign_files, data, evaluate, first_head, json, potential, renamed, with_elements};
use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;
use s2dpes::crystal::{Structure, read_structure};
use s2dpes::landscape::{
    Axis, DistanceCost, Dof, Equivalence, Landscape, Point, Relation, Thresholds, structure_separation, tiles,
};
use s2dpes::symmetry::Crystal;
use s2dpes::work::Precision;

const ALL: Equivalence = Equivalence { relation: Some(Relation::Rotated), proper_only: false };
const NONE: Equivalence = Equivalence { relation: None, proper_only: false };

fn of_the_paper(name: &str) -> Structure {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/structures/{name}_chgnet.extxyz"));
    read_structure(&file).unwrap()
}

fn landscape(structure: &Structure, axes: &[(&str, usize)]) -> Landscape {
    let crystal = Arc::new(Crystal::new(structure, 0.01).unwrap());
    let axis = |(dof, points): &(&str, usize)| Axis {
        dof: Dof::parse(dof, &crystal).unwrap(),
        range: [0.0, 1.0],
        points: *points,
    };
    let axes = axes.iter().map(axis).collect();
    Landscape::new(crystal, axes, Thresholds::default()).unwrap()
}

#[test]
fn irreducible_points_are_as_many_as_the_normaliser_says() {
    for (name, axes, irreducible) in [
        ("W2N3", ["W1.x", "W1.z"], 288),
        ("W2N3", ["W1.x", "W2.x"], 576),
        ("AlTiN3", ["N1.x", "N2.x"], 91),
        ("AlTiN3", ["Ti1.x", "Ti1.y"], 79),
        ("Cu2O8S4", ["O2.x", "O2.z"], 312),
        ("Cu2O8S4", ["O2.z", "S2.z"], 169),
    ] {
        let landscape = landscape(&of_the_paper(name), &axes.map(|a| (a, 24)));
        let found = landscape.irreducible(ALL);
        assert_eq!(found.points.len(), irreducible, "{name} {axes:?}");
        assert_eq!(found.weights().iter().sum::<usize>(), 576);
        assert_eq!(landscape.irreducible(NONE).points.len(), 576);
        // What an identical or translated crystal allows is part of what any movement allows.
        for relation in [Relation::Identical, Relation::Translated] {
            let fewer = Equivalence { relation: Some(relation), proper_only: false };
            assert!(landscape.irreducible(fewer).points.len() >= irreducible);
        }
    }
}

/// Largest difference of energies between points that count as the same, relative to the range over the grid.
fn spread(structure: &Structure, axes: &[(&str, usize)], model: &str) -> f64 {
    let potential = potential(model);
    let model = first_head(&potential, Precision::Double);
    let names: Vec<_> = axes.iter().map(|(dof, n)| (renamed(dof, structure, &potential), *n)).collect();
    let axes: Vec<_> = names.iter().map(|(dof, n)| (dof.as_str(), *n)).collect();
    let landscape = Arc::new(landscape(&with_elements(structure, &potential), &axes));
    let points: Vec<Point> = landscape.grid.points().collect();
    let energies = evaluate(&landscape, &model, &points);
    let irreducible = landscape.irreducible(ALL);
    assert!(irreducible.points.len() < points.len());
    let mut worst = 0.0_f64;
    for (result, representative) in energies.iter().zip(&irreducible.representative) {
        let same = &energies[*representative as usize];
        assert_eq!(result.status, same.status);
        let scale = same.energy.abs().max(1.0);
        if result.energy.is_finite() {
            worst = worst.max((result.energy - same.energy).abs() / scale);
        }
        assert!(
            (result.distance_cost - same.distance_cost).abs() < 1e-6,
            "{}: {result:?} {same:?}",
            structure.name
        );
        assert!((result.minimum_distance - same.minimum_distance).abs() < 1e-6);
    }
    worst
}

#[test]
fn equivalent_points_have_equal_energies_on_the_planes_of_the_paper() {
    for (name, axes) in [
        ("W2N3", ["W1.x", "W1.z"]),
        ("AlTiN3", ["N1.x", "N2.x"]),
        ("AlTiN3", ["Ti1.x", "Ti1.y"]),
        ("Cu2O8S4", ["O2.x", "O2.z"]),
        ("Cu2O8S4", ["O2.z", "S2.z"]),
    ] {
        let worst = spread(&of_the_paper(name), &axes.map(|a| (a, 12)), "0b3-L1");
        assert!(worst < 1e-9, "{name} {axes:?}: {worst:e}");
    }
}

#[test]
fn equivalent_points_have_equal_energies_on_random_planes_of_real_crystals() {
    let files = campaign_files();
    let planes: Vec<(Structure, [String; 2])> = (files.iter().step_by(5).enumerate())
        .map(|(i, file)| {
            let structure = read_structure(file).unwrap();
            let crystal = Crystal::new(&structure, 0.01).unwrap();
            let free = Dof::all(&crystal);
            let mut random = Random(i as u64);
            let first = random.below(free.len());
            let second = (first + 1 + random.below(free.len() - 1)) % free.len();
            (structure, [free[first], free[second]].map(|d| d.name(&crystal)))
        })
        .collect();
    let reduced: usize = (planes.par_iter())
        .map(|(structure, names)| {
            let axes = [(names[0].as_str(), 6), (names[1].as_str(), 6)];
            // One element for all, so that as much as possible is equivalent.
            let oxygen = s2dpes::crystal::Element::from_symbol("O").unwrap();
            let structure = Structure { species: vec![oxygen; structure.len()], ..structure.clone() };
            let crystal = Crystal::new(&structure, 0.01).unwrap();
            let free: Vec<String> = Dof::all(&crystal).iter().map(|d| d.name(&crystal)).collect();
            let axes = match axes.iter().all(|(name, _)| free.iter().any(|f| f == name)) {
                true => axes,
                false if free.len() >= 2 => [(free[0].as_str(), 6), (free[1].as_str(), 6)],
                false => return 0,
            };
            let landscape = landscape(&structure, &axes);
            if landscape.irreducible(ALL).points.len() == landscape.grid.len() {
                return 0;
            }
            let worst = spread(&structure, &axes, "mp0-L1");
            assert!(worst < 1e-8, "{} {axes:?}: {worst:e}", structure.name);
            1
        })
        .sum();
    assert!(reduced > 20, "{reduced} planes have equivalent points");
}

#[test]
fn a_part_of_a_period_is_sampled_with_both_ends_and_a_whole_one_without_the_upper() {
    let landscape = landscape(&of_the_paper("W2N3"), &[("W1.x", 4), ("W1.z", 2)]);
    assert_eq!(landscape.axes[0].values(), [0.0, 0.25, 0.5, 0.75]);
    let part = Axis { range: [0.1, 0.4], points: 4, ..landscape.axes[0].clone() };
    for (value, expected) in part.values().iter().zip([0.1, 0.2, 0.3, 0.4]) {
        assert!((value - expected).abs() < 1e-15);
    }
}

#[test]
fn a_range_symmetric_about_an_inversion_point_is_halved() {
    let crystal = Arc::new(Crystal::new(&of_the_paper("W2N3"), 0.01).unwrap());
    let axis =
        |dof: &str, range: [f64; 2]| Axis { dof: Dof::parse(dof, &crystal).unwrap(), range, points: 21 };
    // With the x of the same orbit over its whole period, (x, z) -> (1/2 + x, 1/2 - z) maps W1 onto itself.
    let x = Axis { points: 20, range: [0.0, 1.0], ..axis("W1.x", [0.0, 1.0]) };
    let map = |z: Axis| Landscape::new(crystal.clone(), vec![x.clone(), z], Thresholds::default()).unwrap();
    assert_eq!(map(axis("W1.z", [0.15, 0.35])).irreducible(ALL).points.len(), 210);
    assert_eq!(map(axis("W1.z", [0.15, 0.36])).irreducible(ALL).points.len(), 420);
}

#[test]
fn tiles_hold_every_irreducible_point_once() {
    let landscape = landscape(&of_the_paper("AlTiN3"), &[("Ti1.x", 24), ("Ti1.y", 24)]);
    let irreducible = landscape.irreducible(ALL);
    for size in [1, 10, 64, 1000] {
        let tiles = tiles(&landscape.grid, &irreducible, size);
        let mut points: Vec<Point> = tiles.iter().flat_map(|t| t.points.clone()).collect();
        points.sort();
        assert_eq!(points, irreducible.points);
        assert!(tiles.iter().all(|t| !t.points.is_empty() && t.points.len() <= size.max(1)));
    }
}

#[test]
fn distance_costs_and_smallest_distances_are_those_of_brute_force() {
    let golden = json("golden/distances.json");
    let elements = |key: &str| key.parse::<usize>().ok().and_then(s2dpes::crystal::Element::from_number);
    let radii: BTreeMap<_, f64> = (golden["radii_A"].as_object().unwrap().iter())
        .map(|(z, r)| (elements(z).unwrap(), r.as_f64().unwrap()))
        .collect();
    let records = golden["records"].as_array().unwrap();
    assert!(records.len() > 80);
    for record in records {
        let file = record["structure"].as_str().unwrap();
        let golden_path = data(&format!("golden/{file}"));
        let path =
            if golden_path.exists() { golden_path } else { data(&format!("campaign/structures/{file}")) };
        let structure = read_structure(&path).unwrap();
        let scales = record["scales"].as_array().unwrap().iter().zip(record["costs_A"].as_array().unwrap());
        for (scale, cost) in scales {
            let scale = 0.75 * scale.as_f64().unwrap();
            let thresholds = Thresholds::new(scale, &radii, &BTreeMap::new()).unwrap();
            let found = structure_separation(&structure, &thresholds).unwrap();
            let (cost, minimum) = (cost.as_f64().unwrap(), record["minimum_distance_A"].as_f64().unwrap());
            assert!((found.cost - cost).abs() < 1e-9 * cost.max(1.0), "{file}: {} {cost}", found.cost);
            assert!((found.minimum - minimum).abs() < 1e-9, "{file}: {} {minimum}", found.minimum);
            // The same over orbits of the standardised cell.
            let crystal = Crystal::without_symmetry(&structure).unwrap();
            let by_orbits = DistanceCost::new(&crystal, &[], &thresholds).unwrap().at(&[]);
            assert!(
                (by_orbits.cost - cost).abs() < 1e-9 * cost.max(1.0),
                "{file}: {} {cost}",
                by_orbits.cost
            );
            let crystal = Crystal::in_place(&structure, 1e-5).unwrap();
            let by_orbits = DistanceCost::new(&crystal, &[], &thresholds).unwrap().at(&[]);
            assert!((by_orbits.minimum - minimum).abs() < 1e-6, "{file}: {} {minimum}", by_orbits.minimum);
            if crystal.atom_count() == structure.len() && (crystal.group.number > 2) {
                assert!((by_orbits.cost - cost).abs() < 1e-5, "{file}: {} {cost}", by_orbits.cost);
            }
        }
    }
}

#[test]
fn a_coordinate_that_is_not_free_is_refused_with_what_is_free() {
    let crystal = Crystal::new(&of_the_paper("W2N3"), 0.01).unwrap();
    for wrong in ["W1.y", "W3.x", "W1", "W1.xx", "x", "", "Q1.x"] {
        let error = Dof::parse(wrong, &crystal).unwrap_err().to_string();
        assert!(error.contains(&format!("`{wrong}` is not a free coordinate")), "{error}");
        assert!(error.contains("W1 (4c: x z)"), "{error}");
    }
}

#[test]
fn axes_that_cannot_be_are_refused() {
    let crystal = Arc::new(Crystal::new(&of_the_paper("W2N3"), 0.01).unwrap());
    let axis =
        |range: [f64; 2], points: usize| Axis { dof: Dof::parse("W1.x", &crystal).unwrap(), range, points };
    let refuse = |axes: Vec<Axis>, reason: &str| {
        let error = Landscape::new(crystal.clone(), axes, Thresholds::default()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refuse(vec![], "at least one axis");
    refuse(vec![axis([0.0, 1.0], 0)], "at least 1 point");
    refuse(vec![axis([0.0, 0.5], 1)], "2 over a part");
    refuse(vec![axis([0.5, 0.5], 3)], "must increase");
    refuse(vec![axis([0.0, 1.5], 3)], "at most one period");
    refuse(vec![axis([0.0, f64::NAN], 3)], "must increase");
    refuse(vec![axis([0.0, 1.0], 3), axis([0.0, 1.0], 3)], "two axes");
    refuse(vec![axis([0.0, 1.0], 1 << 32)], "too large");
}

/// A number that tells crystals apart and is the same for equivalent ones: a sum over all pairs of atoms.
fn fingerprint(crystal: &Crystal) -> f64 {
    let atoms: Vec<_> = crystal.atoms().collect();
    let range = || (-2..=2).map(f64::from);
    let mut sum = 0.0;
    for (i, (a, x)) in atoms.iter().enumerate() {
        for (j, (b, y)) in atoms.iter().enumerate() {
            let difference = (x - y).map(|v| v - v.round());
            for n in
                range().flat_map(|k| range().flat_map(move |l| range().map(move |m| Vector3::new(k, l, m))))
            {
                let distance = (crystal.lattice * (difference + n)).norm();
                if i != j || n.norm() > 0.0 {
                    sum += ((a.number() * b.number()) as f64).sqrt() * (-0.5 * distance * distance).exp();
                }
            }
        }
    }
    sum
}

/// The same crystal with other values of the axes.
fn at(landscape: &Landscape, values: &[f64]) -> Crystal {
    let mut crystal = (*landscape.crystal).clone();
    for (axis, value) in landscape.axes.iter().zip(values) {
        crystal.orbits[axis.dof.orbit].coordinates[axis.dof.coordinate] = *value;
    }
    crystal
}

#[test]
fn lattices_near_to_a_higher_symmetry_are_mapped_by_their_own() {
    let mut random = Random(3);
    let hexagonal = Matrix3::new(4.0, -2.0, 0.0, 0.0, 2.0 * 3_f64.sqrt(), 0.0, 0.0, 0.0, 5.0);
    let face_centred = Matrix3::new(0.0, 2.5, 2.5, 2.5, 0.0, 2.5, 2.5, 2.5, 0.0);
    let lattices = [
        Matrix3::from_diagonal_element(4.0),
        Matrix3::from_diagonal(&Vector3::new(4.0, 4.0, 5.0)),
        hexagonal,
        face_centred,
    ];
    let mut maps = 0;
    for trial in 0..500 {
        let size = 3e-4 * 10_f64.powf(random.unit());
        let orthogonal = trial % 3 == 2;
        let strain =
            Matrix3::from_fn(|i, j| if orthogonal && i != j { 0.0 } else { 2.0 * random.unit() - 1.0 });
        let lattice = lattices[if orthogonal { trial % 2 } else { trial % 4 }] + strain * size;
        let x = Vector3::from_fn(|_, _| 0.1 + 0.15 * random.unit());
        // Of P 1, P -1, and P m m m where the cell is a box.
        let signs: &[[f64; 3]] = match trial % 3 {
            0 => &[[1.0; 3]],
            1 => &[[1.0; 3], [-1.0; 3]],
            _ => &[
                [1.0, 1.0, 1.0],
                [-1.0, 1.0, 1.0],
                [1.0, -1.0, 1.0],
                [1.0, 1.0, -1.0],
                [-1.0, -1.0, 1.0],
                [-1.0, 1.0, -1.0],
                [1.0, -1.0, -1.0],
                [-1.0, -1.0, -1.0],
            ],
        };
        let element = |symbol: &str| s2dpes::crystal::Element::from_symbol(symbol).unwrap();
        let mut structure = Structure {
            name: format!("trial {trial}"),
            lattice,
            species: vec![element("O"); signs.len()],
            positions: signs.iter().map(|s| x.component_mul(&Vector3::from(*s))).collect(),
            declared: None,
        };
        structure.species.push(element("Ti"));
        structure.positions.push(Vector3::zeros());
        let crystal = Arc::new(Crystal::new(&structure, 1e-5).unwrap());
        assert_eq!(crystal.group.number, [1, 2, 47][trial % 3], "{}", structure.name);
        let axis = |dof| Axis { dof, range: [0.0, 1.0], points: 6 };
        let axes: Vec<Axis> = Dof::all(&crystal).into_iter().take(2).map(axis).collect();
        let landscape = Landscape::new(crystal, axes, Thresholds::default()).unwrap();
        let values = nalgebra::DVector::from_fn(2, |_, _| 0.3 + 0.1 * random.unit());
        let expected = fingerprint(&at(&landscape, values.as_slice()));
        for map in &landscape.maps {
            let found = fingerprint(&at(&landscape, (&map.matrix * &values + &map.shift).as_slice()));
            assert!((found - expected).abs() < 1e-9, "{} {map:?}: {found} {expected}", structure.name);
        }
        maps += landscape.maps.len();
    }
    // The reflections of P m m m, and nothing of the higher symmetries.
    assert_eq!(maps, 167 + 167 + 166 * 4);
}
