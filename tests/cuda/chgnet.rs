//! CHGNet by kernels, on whole landscapes, against the CPU engine and the package.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use s2dpes::crystal::read_structure;
use s2dpes::engine::{Place, PointResult, Scene, Status};
use s2dpes::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use s2dpes::potential::{DEFAULT, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

use super::common::{copy_golden, data, first_head, json, structure};
use super::{bits, bits_of, device, energies, largest, program, shim, succeeded};

static POTENTIAL: LazyLock<Arc<Potential>> = LazyLock::new(|| Arc::new(Potential::load(DEFAULT).unwrap()));

fn chgnet(precision: Precision) -> Model {
    first_head(&POTENTIAL, precision)
}

/// A crystal of the campaign set along its first and last free coordinates.
fn scene(file: &str, nodes: [usize; 2]) -> (Arc<Scene>, Vec<Point>) {
    let structure = read_structure(&data(&format!("campaign/structures/{file}.extxyz"))).unwrap();
    let crystal = Arc::new(Crystal::new(&structure, 0.01).unwrap());
    let free = Dof::all(&crystal);
    let axis = |(dof, points): (&Dof, usize)| Axis { dof: *dof, range: [0.0, 1.0], points };
    let axes = [(&free[0], nodes[0]), (free.last().unwrap(), nodes[1])].map(axis).to_vec();
    let landscape = Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap());
    let points = landscape.grid.points().collect();
    (Arc::new(Scene::new(landscape, &POTENTIAL).unwrap()), points)
}

fn evaluate(scene: &Arc<Scene>, points: &[Point], precision: Precision, place: &Place) -> Vec<PointResult> {
    let mut engine = chgnet(precision).engine(&scene.landscape.elements(), place).unwrap();
    engine.evaluate(scene, points).unwrap()
}

/// Few and many angles, no symmetry, atoms that meet, two elements and three.
const CASES: [(&str, [usize; 2]); 5] = [
    ("aflow-268-A3B2_oP20_62_3c_2c", [3, 3]),
    ("spglib-tetragonal-POSCAR-099", [3, 5]),
    ("spglib-triclinic-POSCAR-001", [1, 3]),
    ("aflow-101-AB_cP8_198_a_a", [4, 4]),
    ("aflow-199-AB_oP2_25_b_a", [3, 5]),
];

#[test]
fn chgnet_landscapes_equal_those_of_the_cpu_engine() {
    let mut statuses = Vec::new();
    for (file, nodes) in CASES {
        let (scene, points) = scene(file, nodes);
        for (precision, bound, unphysical) in
            [(Precision::Single, 2e-6, 0.1), (Precision::Double, 1e-11, 1.0)]
        {
            let expected = evaluate(&scene, &points, precision, &Place::Cpu);
            let found = evaluate(&scene, &points, precision, &Place::Gpu(device()));
            let error = largest(&found, &expected, unphysical);
            assert!(error < bound, "{file}, {}: {error:e}", precision.name());
            statuses.extend(found.iter().map(|r| r.status));
        }
    }
    // Atoms that coincide have no energy on either.
    assert!(statuses.contains(&Status::Coinciding) && statuses.contains(&Status::Done));
}

/// Small crystals, from ideal ones to those whose atoms overlap, and an atom alone.
#[test]
fn chgnet_energies_are_those_of_the_package() {
    let records = json("golden/chgnet/energies.json");
    let mut compared = 0;
    for record in records.as_array().unwrap() {
        let (name, number) =
            (record["structure"].as_str().unwrap(), |key: &str| record[key].as_f64().unwrap());
        let crystal = Crystal::in_place(&structure(&format!("golden/{name}.extxyz")), 1e-6).unwrap();
        let landscape = Arc::new(Landscape::single_point(Arc::new(crystal), Thresholds::default()));
        let scene = Arc::new(Scene::new(landscape, &POTENTIAL).unwrap());
        let angles = scene.network.as_ref().unwrap().angles.len();
        if angles > 400 {
            continue;
        }
        compared += 1;
        let energy = |precision| evaluate(&scene, &[Point(0)], precision, &Place::Gpu(device()))[0].energy;
        let expected = number("energy_eV");
        let error = (energy(Precision::Double) - expected).abs();
        assert!(error < 1e-8 * expected.abs().max(1.0), "{name}: {error:e}");
        let error = (energy(Precision::Single) - expected).abs();
        let theirs = (number("energy_float32_eV") - expected).abs();
        assert!(error < theirs.max(1e-5), "{name}, float32: {error:e}");
    }
    assert!(compared > 25, "{compared}");
}

#[test]
fn chgnet_gives_the_same_bits_again_and_for_any_batch() {
    let (scene, points) = scene(CASES[1].0, [3, 5]);
    for precision in [Precision::Single, Precision::Double] {
        let model = chgnet(precision);
        let mut engine = model.engine(&scene.landscape.elements(), &Place::Gpu(device())).unwrap();
        let expected = bits(&engine.evaluate(&scene, &points).unwrap());
        for (seed, call) in [(3, 15), (4, 4), (5, 1)] {
            if !shim::on_gpu() {
                shim::seed(seed);
            }
            let calls = points.chunks(call).map(|points| engine.evaluate(&scene, points).unwrap());
            assert_eq!(bits(&calls.collect::<Vec<_>>().concat()), expected, "calls of {call}");
        }
        let reversed: Vec<Point> = points.iter().rev().copied().collect();
        let mut found = bits(&engine.evaluate(&scene, &reversed).unwrap());
        found.reverse();
        assert_eq!(found, expected, "in reverse");
    }
}

#[test]
fn chgnet_refuses_a_scene_of_another_potential_and_goes_on() {
    let (own, points) = scene(CASES[4].0, [1, 2]);
    let other = super::common::potential("all-elements");
    let bad = Arc::new(Scene::new(own.landscape.clone(), &other).unwrap());
    let model = chgnet(Precision::Single);
    let mut engine = model.engine(&own.landscape.elements(), &Place::Gpu(device())).unwrap();
    let expected = bits(&engine.evaluate(&own, &points).unwrap());
    let error = engine.evaluate(&bad, &points).unwrap_err().to_string();
    assert!(error.contains("prepared for another potential"), "{error}");
    let (unknown, _) = scene(CASES[1].0, [1, 1]);
    let error = engine.evaluate(&unknown, &[Point(0)]).unwrap_err().to_string();
    assert!(error.contains("was not prepared for"), "{error}");
    assert_eq!(bits(&engine.evaluate(&own, &points).unwrap()), expected);
}

#[test]
fn chgnet_tells_its_cost_and_memory_of_a_gpu() {
    let (scene, points) = scene(CASES[0].0, [3, 3]);
    let [single, double] = [Precision::Single, Precision::Double].map(|precision| {
        let model = chgnet(precision);
        let of = |place| {
            let mut engine = model.engine(&scene.landscape.elements(), &place).unwrap();
            engine.cost(&scene, &points).unwrap().steps.iter().map(|s| s.operations).sum::<f64>()
        };
        assert_eq!(of(Place::Gpu(device())), of(Place::Cpu));
        model.gpu_memory(&scene).unwrap()
    });
    assert!(single.0 > 1_000_000 && double.0 > single.0 * 3 / 2 && single.1 == 0, "{single:?} {double:?}");
}

/// Rutile in one batch, in small batches, and through sanitizers.
const CAMPAIGN: &str = r#"
[campaign]
output = "result.h5"
equivalence = "none"
[[model]]
name = "chgnet"
file = "embedded:chgnet-0.3.0"
[[structure]]
file = "rutile-TiO2.extxyz"
name = "rutile"
[[structure.landscape]]
axes = [ { dof = "O1.x", points = POINTS, range = [0.2, 0.4] } ]
"#;

fn campaign_folder(points: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_golden(folder.path(), "rutile-TiO2");
    let text = CAMPAIGN.replace("POINTS", &points.to_string());
    std::fs::write(folder.path().join("campaign.toml"), text).unwrap();
    folder
}

fn run(folder: &Path, output: &str, variables: &[(&str, &str)], rest: &[&str]) -> std::process::Output {
    program(folder, &[&["run", "campaign.toml", "-o", output], rest].concat(), variables)
}

#[test]
fn chgnet_campaigns_run_on_gpus_and_little_memory_makes_small_batches() {
    let folder = campaign_folder(11);
    let file = |name: &str| folder.path().join(name);
    let said = succeeded(&run(folder.path(), "gpu.h5", &[], &["--engine", "auto"]));
    assert!(said.contains("computing on GPUs"), "{said}");
    succeeded(&run(folder.path(), "cpu.h5", &[], &["--engine", "cpu"]));
    let (gpu, cpu) = (energies(&file("gpu.h5")), energies(&file("cpu.h5")));
    assert!(gpu.len() == cpu.len() && gpu.len() >= 11);
    for ((found, _), (expected, _)) in gpu.iter().zip(&cpu) {
        assert!((found - expected).abs() < 2e-6 * expected.abs().max(1.0), "{found} {expected}");
    }
    if shim::on_gpu() {
        return;
    }
    // The device claims to have more memory than it can give, as when a neighbour takes it in between.
    let run = |output: &str, memory: &str| {
        let variables = [("S2DPES_SHIM_MEMORY", memory), ("S2DPES_SHIM_CLAIM", "4000000000")];
        run(folder.path(), output, &variables, &["--engine", "cuda"])
    };
    let said = succeeded(&run("small.h5", "4000000"));
    assert!(said.contains("out of memory; going on with batches of "), "{said}");
    assert_eq!(bits_of(&file("small.h5")), bits_of(&file("gpu.h5")));
    let none = run("none.h5", "100000");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(3), "{said}");
    assert!(said.contains("out of memory") && !said.contains("panicked"), "{said}");
}

#[test]
fn sanitizers_find_nothing_in_chgnet() {
    if shim::on_gpu() {
        return;
    }
    let folder = campaign_folder(3);
    for precision in ["f32", "f64"] {
        let variables = super::sanitizers();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let rest = ["--restart", "--engine", "cuda", "--dtype", precision];
        succeeded(&run(folder.path(), "result.h5", &variables, &rest));
    }
}
