//! CHGNet 0.3.0: energies of the package, and the same whatever shortcut symmetry offers.

mod common;

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, LazyLock};

use common::{Random, campaign_files, compare_landscape, evaluate, first_head, json, map, structure};
use rayon::prelude::*;
use s2dpes::campaign::evaluate_crystal;
use s2dpes::crystal::{Structure, read_structure};
use s2dpes::engine::{Place, PointResult, Scene};
use s2dpes::landscape::{Equivalence, Landscape, Point, Relation, Thresholds};
use s2dpes::potential::{DEFAULT, EMBEDDED, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

static POTENTIAL: LazyLock<Arc<Potential>> = LazyLock::new(|| Arc::new(Potential::load(DEFAULT).unwrap()));

fn chgnet(precision: Precision) -> Model {
    first_head(&POTENTIAL, precision)
}

/// eV per atom of a structure, with or without its symmetry.
fn result(structure: &Structure, model: &Model, symmetry: bool) -> PointResult {
    let crystal = match symmetry {
        true => Crystal::in_place(structure, 1e-6),
        false => Crystal::without_symmetry(structure),
    };
    evaluate_crystal(Arc::new(crystal.unwrap()), Thresholds::default(), model, &Place::Cpu).unwrap().0
}

/// Golden records: structure, energy per atom in eV, and the package's in float32.
fn golden() -> Vec<(String, f64, f64)> {
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let records = json("golden/chgnet/energies.json");
    let record = |r: &serde_json::Value| {
        let name = r["structure"].as_str().unwrap().to_string();
        (name, number(&r["energy_eV"]), number(&r["energy_float32_eV"]))
    };
    records.as_array().unwrap().iter().map(record).collect()
}

#[test]
fn energies_are_those_of_the_package() {
    let records = golden();
    assert!(records.len() > 35, "{}", records.len());
    records.par_iter().for_each(|(name, expected, theirs)| {
        let structure = structure(&format!("golden/{name}.extxyz"));
        for symmetry in [true, false] {
            let double = result(&structure, &chgnet(Precision::Double), symmetry).energy;
            let error = (double - expected).abs();
            assert!(error < 1e-8 * expected.abs().max(1.0), "{name}, symmetry {symmetry}: {error:e}");
            // Where atoms nearly coincide, float32 loses digits for everyone.
            let single = result(&structure, &chgnet(Precision::Single), symmetry).energy;
            let error = (single - expected).abs();
            let bound = 1e-5_f64.max((theirs - expected).abs());
            assert!(error < bound, "{name}, symmetry {symmetry}, float32: {error:e}");
        }
    });
}

#[test]
fn landscapes_are_those_of_the_package() {
    for golden in json("golden/chgnet/landscapes.json").as_array().unwrap() {
        for (precision, relative) in [(Precision::Double, 1e-8), (Precision::Single, 1e-5)] {
            compare_landscape(golden, &chgnet(precision), |energy, _| relative * energy.abs().max(1.0));
        }
    }
}

#[test]
fn orbit_reduced_energies_equal_full_ones_on_real_crystals() {
    let model = chgnet(Precision::Double);
    let files: Vec<_> = campaign_files().into_iter().step_by(9).collect();
    let known = |s: &Structure| model.potential.check_elements(s.species.iter().copied()).is_ok();
    let reduced: usize = (files.par_iter())
        .map(|file| read_structure(file).unwrap())
        .filter(|structure| known(structure) && structure.len() <= 24)
        .map(|structure| {
            let crystal = Crystal::new(&structure, 0.01).unwrap();
            // The crystal as symmetrised, once more as a structure without symmetry.
            let (species, positions) = crystal.atoms().unzip();
            let full = Structure { lattice: crystal.lattice, species, positions, ..structure.clone() };
            let sites = crystal.orbits.len();
            let (found, _) =
                evaluate_crystal(Arc::new(crystal), Thresholds::default(), &model, &Place::Cpu).unwrap();
            let expected = result(&full, &model, false).energy;
            assert!((found.energy - expected).abs() < 1e-10, "{}: {found:?} {expected}", structure.name);
            usize::from(sites < full.len())
        })
        .sum();
    assert!(reduced > 15, "symmetry has something to do in {reduced} of them");
}

#[test]
fn bonds_may_be_merged_by_site_symmetry_or_not() {
    let landscape = map(&structure("golden/perovskite-CaTiO3-Pnma.extxyz"), ["Ca1.x", "O2.z"], 5);
    let model = chgnet(Precision::Double);
    let points: Vec<Point> = landscape.grid.points().collect();
    let merged = evaluate(&landscape, &model, &points);
    let scene = Arc::new(Scene::without_site_symmetry(landscape.clone(), &model.potential).unwrap());
    let whole = model.engine(&landscape.elements(), &Place::Cpu).unwrap().evaluate(&scene, &points).unwrap();
    for (merged, whole) in merged.iter().zip(&whole) {
        assert_eq!(merged.status, whole.status);
        assert!(
            merged.energy.is_nan() || (merged.energy - whole.energy).abs() < 1e-10,
            "{merged:?} {whole:?}"
        );
    }
    let network = |scene: &Scene| scene.network.as_ref().map_or(0, |n| n.bonds.len());
    let reduced = Scene::new(landscape, &model.potential).unwrap();
    assert!(network(&reduced) < network(&scene));
}

#[test]
fn equivalent_points_have_equal_energies() {
    let landscape = map(&structure("golden/Sn2S3-Pnma.extxyz"), ["Sn1.x", "Sn1.z"], 12);
    let relation = Some(Relation::Rotated);
    let irreducible = landscape.irreducible(Equivalence { relation, proper_only: false });
    let points: Vec<Point> = landscape.grid.points().collect();
    assert!(irreducible.points.len() <= points.len() / 2);
    let full = evaluate(&landscape, &chgnet(Precision::Double), &points);
    for (found, representative) in full.iter().zip(&irreducible.representative) {
        let same = &full[*representative as usize];
        assert_eq!(found.status, same.status);
        assert!(found.energy.is_nan() || (found.energy - same.energy).abs() < 1e-10, "{found:?} {same:?}");
    }
}

#[test]
fn results_are_the_same_bits_however_points_are_batched() {
    let landscape = map(&structure("golden/Sn2S3-Pnma.extxyz"), ["Sn1.x", "S2.z"], 9);
    for precision in [Precision::Single, Precision::Double] {
        let model = chgnet(precision);
        let points: Vec<Point> = landscape.grid.points().collect();
        let bits = |results: Vec<PointResult>| results.iter().map(|r| r.energy.to_bits()).collect::<Vec<_>>();
        let together = bits(evaluate(&landscape, &model, &points));
        for size in [1, 2, 7, 40] {
            let scene = Arc::new(Scene::new(landscape.clone(), &model.potential).unwrap());
            let mut engine = model.engine(&landscape.elements(), &Place::Cpu).unwrap();
            let parts = points.chunks(size).map(|part| bits(engine.evaluate(&scene, part).unwrap()));
            assert!(parts.flatten().eq(together.iter().copied()), "{precision:?}, {size} points at a time");
        }
    }
}

#[test]
fn mirror_images_of_quartz_have_the_same_energy() {
    let [right, left] = ["quartz", "quartz-mirror-image"].map(|name| {
        let structure = structure(&format!("golden/chgnet/{name}.extxyz"));
        (
            Crystal::in_place(&structure, 1e-6).unwrap().group.number,
            result(&structure, &chgnet(Precision::Double), true),
        )
    });
    assert_ne!(right.0, left.0, "the two are enantiomorphs");
    assert!((right.1.energy - left.1.energy).abs() < 1e-12, "{right:?} {left:?}");
}

#[test]
fn overlapping_atoms_make_a_false_basin_that_the_distance_cost_tells() {
    // Pressed together, the atoms of rutile cost energy down to 0.9 Angstrom; nearer than that the model pulls them.
    let at =
        |name: &str| result(&structure(&format!("golden/{name}.extxyz")), &chgnet(Precision::Single), true);
    let (real, near, nearer) =
        (at("rutile-TiO2"), at("chgnet/overlapping-rutile-0.9"), at("chgnet/overlapping-rutile-0.4"));
    assert!(real.distance_cost == 0.0 && near.energy > real.energy + 10.0, "{real:?} {near:?}");
    assert!(
        nearer.minimum_distance < near.minimum_distance && nearer.energy < near.energy - 5.0,
        "{nearer:?}"
    );
    assert!(near.distance_cost > 0.0 && nearer.distance_cost > near.distance_cost, "{nearer:?}");
}

/// The model's file with its pickle changed.
fn changed(edit: impl Fn(&mut Vec<u8>)) -> Result<Potential, String> {
    let (_, bytes) = EMBEDDED.iter().find(|(name, _)| DEFAULT.ends_with(name)).unwrap();
    let mut old = ZipArchive::new(Cursor::new(*bytes)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..old.len() {
        let mut member = old.by_index(index).unwrap();
        let name = member.name().unwrap().to_string();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        if name.ends_with("data.pkl") {
            edit(&mut content);
        }
        new.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
            .unwrap();
        new.write_all(&content).unwrap();
    }
    Potential::from_bytes("changed.pth.tar", new.finish().unwrap().into_inner()).map_err(|e| e.to_string())
}

fn place_of(what: &[u8], content: &[u8]) -> usize {
    content.windows(what.len()).position(|w| w == what).expect("what is to be changed")
}

/// Replaces bytes.
fn replace(from: &[u8], to: &[u8], content: &mut Vec<u8>) {
    let place = place_of(from, content);
    content.splice(place..place + from.len(), to.iter().copied());
}

/// Gives a hyperparameter another small number.
fn set(key: &[u8], value: u8, content: &mut [u8]) {
    let after = place_of(key, content) + key.len();
    let number = place_of(b"K", &content[after..]);
    content[after + number + 1] = value;
}

#[test]
fn other_hyperparameters_and_tensors_are_refused_by_name() {
    type Edit<'a> = &'a dyn Fn(&mut Vec<u8>);
    let edits: [(Edit, &str); 7] = [
        (&|c| set(b"num_radial", 30, c), "num_radial = 30, which is not supported; CHGNet 0.3.0 has 31"),
        (&|c| set(b"cutoff_coeff", 6, c), "cutoff_coeff = 6"),
        (&|c| replace(b"gMLP_norm", b"gMLP_narm", c), "gMLP_norm = nothing"),
        (&|c| replace(b"X\x05\x00\x00\x00layer", b"X\x05\x00\x00\x00batch", c), "norm = batch"),
        (&|c| replace(b"model_args", b"model_orgs", c), "dictionary"),
        (&|c| replace(b"readout_norm.weight", b"readout_norm.waight", c), "no tensor `readout_norm.weight`"),
        (
            &|c| {
                set(b"num_radial", 9, c);
                set(b"atom_graph_cutoff", 5, c);
            },
            "it is CHGNet 0.2.0, which is not supported",
        ),
    ];
    for (edit, reason) in edits {
        let error = changed(edit).unwrap_err();
        assert!(error.starts_with("changed.pth.tar: ") && error.contains(reason), "{error}");
    }
    assert_eq!(changed(|c| replace(b"MPtrj", b"MPxyz", c)).unwrap().heads(), ["MPxyz"]);
}

#[test]
fn damaged_files_are_refused_or_read() {
    let (_, bytes) = EMBEDDED.iter().find(|(name, _)| DEFAULT.ends_with(name)).unwrap();
    let (mut random, mut refused) = (Random(5), 0);
    for _ in 0..60 {
        let mut bytes = bytes.to_vec();
        match random.below(2) {
            0 => bytes.truncate(random.below(bytes.len())),
            // The pickle comes first.
            _ => (0..5).for_each(|_| bytes[random.below(20_000)] = random.below(256) as u8),
        }
        refused += usize::from(Potential::from_bytes("damaged", bytes).is_err());
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn elements_without_weights_are_refused_by_name() {
    let curium = s2dpes::crystal::Element::from_symbol("Cm").unwrap();
    let structure = Structure { species: vec![curium], ..structure("golden/fcc-Al-primitive.extxyz") };
    let crystal = Arc::new(Crystal::without_symmetry(&structure).unwrap());
    let error = evaluate_crystal(crystal, Thresholds::default(), &chgnet(Precision::Single), &Place::Cpu)
        .unwrap_err();
    assert!(
        error.to_string().contains("embedded:chgnet-0.3.0: it does not know Cm; it knows H He"),
        "{error}"
    );
}

#[test]
fn a_scene_of_another_potential_is_refused() {
    let crystal = Crystal::in_place(&structure("golden/rutile-TiO2.extxyz"), 1e-6).unwrap();
    let landscape = Arc::new(Landscape::single_point(Arc::new(crystal), Thresholds::default()));
    let scene = Arc::new(Scene::new(landscape.clone(), &common::potential("mp0-L1")).unwrap());
    let mut engine = chgnet(Precision::Single).engine(&landscape.elements(), &Place::Cpu).unwrap();
    let error = engine.evaluate(&scene, &[Point(0)]).unwrap_err().to_string();
    assert!(error.contains("prepared for another potential"), "{error}");
}
