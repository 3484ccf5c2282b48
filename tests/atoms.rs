//! Energies of single atoms are those of the packages: bonds the wrong way round or a wrong sign of an odd coupling may
//! leave the energy of a whole crystal as it is.

mod common;

use std::sync::Arc;

use common::{first_head, json, potential, sevennet, structure};
use nalgebra::Vector3;
use rayon::prelude::*;
use s2dpes::crystal::{Element, Structure};
use s2dpes::engine::{Engine, Place, Scene};
use s2dpes::landscape::{Embedding, Landscape, Point, Thresholds};
use s2dpes::potential::{DEFAULT, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};
use serde_json::Value;

/// The atom of the primitive cell that each site is, and its energy in eV: that of an atom of a scene where this site stands
/// for all atoms and the others for none.
fn site_energies(
    engine: &mut dyn Engine,
    crystal: &Arc<Crystal>,
    potential: &Potential,
) -> Vec<(usize, f64)> {
    let landscape = Arc::new(Landscape::single_point(crystal.clone(), Thresholds::default()));
    let scene = || Scene::new(landscape.clone(), potential).unwrap();
    let energy = |chosen: usize| {
        let mut scene = scene();
        for (k, site) in scene.sites.iter_mut().enumerate() {
            site.multiplicity = if k == chosen { scene.atom_count } else { 0 };
        }
        let atom = scene.sites[chosen].atom;
        (atom, engine.evaluate(&Arc::new(scene), &[Point(0)]).unwrap()[0].energy)
    };
    (0..scene().sites.len()).map(energy).collect()
}

/// The atom of the file that each atom of the primitive cell is; the crystal may have another origin than the file.
fn atoms_of_file(crystal: &Crystal, file: &Structure) -> Vec<usize> {
    let Embedding { lattice, atoms } = Embedding::primitive(crystal, &[]);
    let to_file = file.lattice.try_inverse().unwrap() * lattice;
    let at = |element: Element, x: Vector3<f64>| {
        (0..file.len()).find(|k| {
            let difference = (x - file.positions[*k]).map(|v| v - v.round());
            file.species[*k] == element && (file.lattice * difference).norm() < 1e-4
        })
    };
    let found = file.positions.iter().find_map(|x| {
        let origin = x - to_file * atoms[0].base;
        atoms.iter().map(|a| at(a.element, to_file * a.base + origin)).collect()
    });
    found.unwrap_or_else(|| panic!("{}: the crystal is not that of the file", file.name))
}

/// Compares the energies of the atoms of golden records with what a model gives, with symmetry and without it: no deviation
/// may reach the bound for a crystal whose atoms have energies up to so many eV.
fn check(records: &[&Value], model: &Model, bound: impl Fn(f64) -> f64) {
    let file = |r: &&Value| structure(&format!("golden/{}.extxyz", r["structure"].as_str().unwrap()));
    let files: Vec<Structure> = records.iter().map(file).collect();
    let elements: Vec<Element> = files.iter().flat_map(|s| s.species.clone()).collect();
    let mut engine = model.engine(&elements, &Place::Cpu).unwrap();
    for (record, file) in records.iter().zip(&files) {
        let expected = record["node_energies_eV"].as_array().unwrap();
        let expected: Vec<f64> = expected.iter().map(|e| e.as_f64().unwrap()).collect();
        let bound = bound(expected.iter().fold(0.0, |largest, e| e.abs().max(largest)));
        for crystal in [Crystal::in_place(file, 1e-6).unwrap(), Crystal::without_symmetry(file).unwrap()] {
            let (atoms, crystal) = (atoms_of_file(&crystal, file), Arc::new(crystal));
            for (atom, energy) in site_energies(&mut *engine, &crystal, &model.potential) {
                let (atom, group) = (atoms[atom], crystal.group.number);
                let error = (energy - expected[atom]).abs();
                assert!(
                    error < bound,
                    "{} {:?}, {} in group {group}, atom {atom}: {energy} {} ({error:e})",
                    record["model"],
                    model.precision,
                    file.name,
                    expected[atom]
                );
            }
        }
    }
}

/// 1e-5 eV; where atoms nearly coincide, energies are huge, and float32 keeps digits in proportion.
fn float32(largest: f64) -> f64 {
    if largest < 20.0 { 1e-5 } else { 1e-5 * largest }
}

#[test]
fn atoms_of_sevennet_have_the_energies_that_sevenn_gives() {
    let records = json("golden/sevennet/energies.json");
    let models: Vec<&[Value]> =
        records.as_array().unwrap().chunk_by(|a, b| a["model"] == b["model"]).collect();
    assert!(models.len() > 6, "{}", models.len());
    models.into_par_iter().for_each(|records| {
        let records: Vec<&Value> = records.iter().collect();
        for hand in ["sevennet/quartz", "sevennet/quartz-mirror-image"] {
            assert!(records.iter().any(|r| r["structure"] == hand), "{hand}");
        }
        if let Some(potential) = sevennet(records[0]["model"].as_str().unwrap()) {
            check(&records, &first_head(&potential, Precision::Double), |largest| 1e-11 * largest);
            check(&records, &first_head(&potential, Precision::Single), float32);
        }
    });
}

#[test]
fn atoms_of_chgnet_have_the_energies_that_the_package_gives() {
    let records = json("golden/chgnet/energies.json");
    let records: Vec<&Value> = records.as_array().unwrap().iter().collect();
    let potential = Arc::new(Potential::load(DEFAULT).unwrap());
    check(&records, &first_head(&potential, Precision::Double), |largest| 1e-8 * largest.max(1.0));
    check(&records, &first_head(&potential, Precision::Single), |_| 1e-5);
}

#[test]
fn atoms_of_mace_have_the_energies_that_mace_torch_gives() {
    let records = json("golden/energies.json");
    for name in ["mp0-L2", "layers-3"] {
        let of_model = records.as_array().unwrap().iter().filter(|r| r["model"] == name);
        let records: Vec<&Value> = of_model.collect();
        let potential = potential(name);
        assert_eq!(potential.heads().len(), 1, "{name}");
        check(&records, &first_head(&potential, Precision::Double), |largest| 1e-11 * largest);
        check(&records, &first_head(&potential, Precision::Single), |largest| 4e-6 * largest.max(2.5));
    }
}
