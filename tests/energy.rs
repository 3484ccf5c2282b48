//! Energies: those of mace-torch, and the same whatever shortcut symmetry offers.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{
    Random, campaign_files, evaluate, first_head, json, model, potential, structure, with_elements,
};
use nalgebra::{Matrix3, Rotation3, Vector3};
use rayon::prelude::*;
use s2dpes::campaign::evaluate_crystal;
use s2dpes::crystal::{Element, Structure, read_structure};
use s2dpes::engine::{Place, Scene};
use s2dpes::landscape::{Landscape, Point, Thresholds};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

/// eV per atom of a structure, with or without its symmetry.
fn energy(structure: &Structure, model: &Model, symmetry: bool) -> f64 {
    let crystal = match symmetry {
        true => Crystal::in_place(structure, 1e-6),
        false => Crystal::without_symmetry(structure),
    };
    evaluate_crystal(Arc::new(crystal.unwrap()), Thresholds::default(), model, &Place::Cpu).unwrap().0.energy
}

/// Golden records by model.
fn golden() -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut by_model: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for record in json("golden/energies.json").as_array().unwrap() {
        by_model.entry(record["model"].as_str().unwrap().to_string()).or_default().push(record.clone());
    }
    assert!(by_model.len() > 30, "{}", by_model.len());
    by_model
}

fn number(record: &serde_json::Value, key: &str) -> f64 {
    record[key].as_f64().unwrap_or_else(|| panic!("{key} of {record}"))
}

/// Calls `check` with every golden record: its name for messages, the energy per atom that we find with or without
/// symmetry, and the record.
fn for_every_record(precision: Precision, check: impl Fn(&str, f64, &serde_json::Value) + Sync) {
    golden().par_iter().for_each(|(name, records)| {
        let potential = potential(name);
        let structures: Vec<Structure> = (records.iter())
            .map(|r| structure(&format!("golden/{}.extxyz", r["structure"].as_str().unwrap())))
            .collect();
        let mut elements: Vec<Element> = structures.iter().flat_map(|s| s.species.clone()).collect();
        elements.sort();
        elements.dedup();
        let mut engines: BTreeMap<&str, _> = BTreeMap::new();
        for (record, structure) in records.iter().zip(&structures) {
            let head = record["head"].as_str().unwrap();
            let model = model(&potential, head, precision);
            let engine = engines.entry(head).or_insert_with(|| model.engine(&elements, &Place::Cpu).unwrap());
            for symmetry in [true, false] {
                let crystal = match symmetry {
                    true => Crystal::in_place(structure, 1e-6),
                    false => Crystal::without_symmetry(structure),
                };
                let crystal = Arc::new(crystal.unwrap());
                let landscape = Arc::new(Landscape::single_point(crystal, Thresholds::default()));
                let scene = Arc::new(Scene::new(landscape, &model.potential).unwrap());
                let energy = engine.evaluate(&scene, &[Point(0)]).unwrap()[0].energy;
                check(&format!("{name}, {}, symmetry {symmetry}", structure.name), energy, record);
            }
        }
    });
}

#[test]
fn float64_energies_are_those_of_mace_torch_for_every_flavour() {
    for_every_record(Precision::Double, |name, energy, record| {
        let (expected, interaction) = (number(record, "energy_eV"), number(record, "interaction_eV"));
        let found = energy * number(record, "n_atoms");
        let error = (found - expected).abs() / interaction.abs().max(1e-2);
        assert!(error < 1e-9, "{name}: {found} {expected} ({error:e})");
    });
}

#[test]
fn float32_energies_are_close_to_float64_ones_of_mace_torch_for_every_flavour() {
    for_every_record(Precision::Single, |name, energy, record| {
        let atoms = number(record, "n_atoms");
        let expected = number(record, "energy_eV") / atoms;
        // 1e-5 eV/atom for interactions of the size that real crystals have; random weights make much more of
        // it, above all where atoms nearly coincide. There float32 loses digits for everyone, and we must keep them in
        // proportion, or lose fewer than mace-torch does.
        let bound = 4e-6 * (number(record, "interaction_eV") / atoms).abs().max(2.5);
        let theirs = (number(record, "energy_float32_eV") / atoms - expected).abs();
        let error = (energy - expected).abs();
        assert!(error < bound.max(theirs), "{name}: {error:e} {bound:e} {theirs:e}");
    });
}

/// Every sixth structure of the campaign set.
fn some_campaign_structures() -> Vec<Structure> {
    campaign_files().iter().step_by(6).map(|f| read_structure(f).unwrap()).collect()
}

#[test]
fn orbit_reduced_energies_equal_full_ones_on_real_crystals() {
    let models = ["mp0-L1", "0b2-L2", "0b-L1"].map(|n| first_head(&potential(n), Precision::Double));
    let structures = some_campaign_structures();
    assert!(structures.len() > 50);
    let reduced: usize = (structures.par_iter().enumerate())
        .map(|(i, structure)| {
            let model = &models[i % models.len()];
            let structure = with_elements(structure, &model.potential);
            let crystal = Crystal::new(&structure, 0.01).unwrap();
            // The crystal as symmetrised, once more as a structure without symmetry.
            let (species, positions) = crystal.atoms().unzip();
            let full = Structure { lattice: crystal.lattice, species, positions, ..structure.clone() };
            let sites = crystal.orbits.len();
            let crystal = Arc::new(crystal);
            let (result, scene) =
                evaluate_crystal(crystal, Thresholds::default(), model, &Place::Cpu).unwrap();
            let expected = energy(&full, model, false);
            let error = (result.energy - expected).abs() / expected.abs().max(1.0);
            assert!(error < 1e-11, "{}: {} {expected} ({error:e})", structure.name, result.energy);
            assert_eq!(scene.sites.len(), sites);
            usize::from(sites < full.len())
        })
        .sum();
    assert!(reduced > 45, "symmetry has something to do in {reduced} of them");
}

#[test]
fn energies_do_not_change_with_rotation_translation_order_and_supercell() {
    let model = first_head(&potential("0b3-L1"), Precision::Double);
    let structure = structure("golden/triclinic-CaTiAlO-seven-atoms.extxyz");
    let expected = energy(&structure, &model, false);
    let same = |name: &str, changed: &Structure| {
        let found = energy(changed, &model, false);
        assert!((found - expected).abs() < 1e-11 * expected.abs().max(1.0), "{name}: {found} {expected}");
    };
    let mut random = Random(11);
    for _ in 0..3 {
        let axis = Vector3::from_fn(|_, _| random.unit() - 0.5).normalize();
        let turn = Rotation3::new(axis * 6.0 * random.unit()).into_inner();
        same("rotation", &Structure { lattice: turn * structure.lattice, ..structure.clone() });
        same("reflection", &Structure { lattice: -turn * structure.lattice, ..structure.clone() });
        let shift = Vector3::from_fn(|_, _| 4.0 * random.unit() - 2.0);
        let positions = structure.positions.iter().map(|x| x + shift).collect();
        same("translation", &Structure { positions, ..structure.clone() });
    }
    let reversed = Structure {
        species: structure.species.iter().rev().copied().collect(),
        positions: structure.positions.iter().rev().copied().collect(),
        ..structure.clone()
    };
    same("order", &reversed);
    // A cell with the same lattice points, and one twice as large.
    let skew = Matrix3::new(1.0, 2.0, -1.0, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0);
    let inverse = skew.try_inverse().unwrap();
    let skewed = Structure {
        lattice: structure.lattice * skew,
        positions: structure.positions.iter().map(|x| inverse * x).collect(),
        ..structure.clone()
    };
    same("skewed cell", &skewed);
    let halves =
        |x: &Vector3<f64>| [Vector3::new(x.x / 2.0, x.y, x.z), Vector3::new(x.x / 2.0 + 0.5, x.y, x.z)];
    let double = Structure {
        lattice: structure.lattice * Matrix3::from_diagonal(&Vector3::new(2.0, 1.0, 1.0)),
        species: structure.species.iter().flat_map(|e| [*e, *e]).collect(),
        positions: structure.positions.iter().flat_map(halves).collect(),
        ..structure.clone()
    };
    same("supercell", &double);
}

#[test]
fn an_atom_without_neighbours_has_the_energy_of_mace_torch_too() {
    // The golden set holds it; here the shape: one site, no pair.
    let structure = structure("golden/single-O-in-a-box.extxyz");
    let model = first_head(&potential("mp0-L1"), Precision::Double);
    let crystal = Arc::new(Crystal::in_place(&structure, 1e-6).unwrap());
    let (result, scene) = evaluate_crystal(crystal, Thresholds::default(), &model, &Place::Cpu).unwrap();
    assert!(scene.pairs.is_empty());
    assert!(result.energy.is_finite());
}

#[test]
fn unknown_elements_are_refused_by_name() {
    let model = first_head(&potential("mp0-L1"), Precision::Single);
    let structure = structure("golden/fcc-Al-primitive.extxyz");
    let known = model.potential.elements();
    let unknown = (1..=118).filter_map(Element::from_number).find(|e| !known.contains(e)).unwrap();
    let structure = Structure { species: vec![unknown], ..structure };
    let crystal = Arc::new(Crystal::without_symmetry(&structure).unwrap());
    let error =
        evaluate_crystal(crystal, Thresholds::default(), &model, &Place::Cpu).unwrap_err().to_string();
    assert!(error.contains(&format!("does not know {unknown}")), "{error}");
}

#[test]
fn coinciding_atoms_have_a_status_and_no_energy() {
    use s2dpes::engine::Status;
    let two = Structure {
        declared: None,
        name: "two".into(),
        lattice: Matrix3::from_diagonal_element(6.0),
        species: vec![Element::from_symbol("O").unwrap(); 2],
        positions: vec![Vector3::zeros(), Vector3::new(1e-5, 0.0, 0.0)],
    };
    let crystal = Arc::new(Crystal::without_symmetry(&two).unwrap());
    let landscape = Arc::new(Landscape::single_point(crystal, Thresholds::default()));
    let model = first_head(&potential("0b-L1"), Precision::Single);
    let result = evaluate(&landscape, &model, &[Point(0)])[0];
    assert_eq!(result.status, Status::Coinciding);
    assert!(result.energy.is_nan());
    assert!((result.minimum_distance - 6e-5).abs() < 1e-9);
}
