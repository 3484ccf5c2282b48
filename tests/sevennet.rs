//! SevenNet: energies of the package sevenn, from checkpoints with random weights in its format and from SevenNet-0.

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use common::{data, json, structure};
use s2dpes::crystal::{Element, Structure};
use s2dpes::engine::{Place, Scene};
use s2dpes::landscape::{Landscape, Point, Thresholds};
use s2dpes::potential::Potential;
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

/// The checkpoint of SevenNet-0 (11 July 2024), if it is there: it is part of the package sevenn 0.10.1 and under GPL-3.0, so
/// that it is no part of this repository. `tests/reference/sevennet-0.sh` fetches it.
const SEVENNET_0: &str = "target/sevennet/checkpoint_sevennet_0.pth";

/// The bytes of a checkpoint.
fn bytes(name: &str) -> Option<Vec<u8>> {
    if name == "SevenNet-0" {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(SEVENNET_0);
        return std::fs::read(path).ok();
    }
    let file = std::fs::File::open(data(&format!("models/sevennet/{name}.pth.gz"))).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

fn potential(name: &str) -> Option<Arc<Potential>> {
    let potential = bytes(name).map(|bytes| Arc::new(Potential::from_bytes(name, bytes).unwrap()));
    if potential.is_none() {
        eprintln!("{name} is left out: {SEVENNET_0} is not there; tests/reference/sevennet-0.sh fetches it");
    }
    potential
}

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
        let Some(potential) = potential(&name) else { continue };
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

#[test]
fn float64_energies_are_those_of_sevenn() {
    for_every_record(Precision::Double, |name, energy, record| {
        let expected = record["energy_eV"].as_f64().unwrap();
        let error = (energy - expected).abs() / expected.abs().max(1.0);
        eprintln!("{name}: {energy} {expected} {error:e}");
    });
}
