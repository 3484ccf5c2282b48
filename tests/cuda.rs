//! The CUDA engine against the CPU engine, mace-torch and sevenn, on whole landscapes. Without a GPU the kernels run
//! through `tests/shim`; with `REQUIRE_GPU` set they run on one.

#![cfg(feature = "cuda")]

#[path = "cuda/chgnet.rs"]
mod chgnet;
mod common;
#[path = "shim/load.rs"]
mod shim;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use common::{data, first_head, json, potential, structure, with_elements};
use s2dpes::crystal::read_structure;
use s2dpes::engine::cuda::CudaReal;
use s2dpes::engine::cuda::device::Device;
use s2dpes::engine::cuda::mace::MaceEngine;
use s2dpes::engine::cuda::pairs::{Network, PairEngine};
use s2dpes::engine::cuda::sevennet::SevennetEngine;
use s2dpes::engine::{Engine, Place, PointResult, Scene, Status};
use s2dpes::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use s2dpes::potential::{Family, Potential};
use s2dpes::store::Results;
use s2dpes::symmetry::Crystal;
use s2dpes::work::Precision;
use sha2::{Digest, Sha256};

fn device() -> Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    let open = || {
        if !shim::on_gpu() {
            shim::load();
        }
        Device::open(0).unwrap()
    };
    DEVICE.get_or_init(open).clone()
}

/// A landscape of a crystal of the campaign set along its first and last free coordinates, with the model's elements.
fn landscape(file: &str, potential: &Potential, nodes: [usize; 2]) -> Arc<Landscape> {
    let structure = read_structure(&data(&format!("campaign/structures/{file}.extxyz"))).unwrap();
    let crystal = Arc::new(Crystal::new(&with_elements(&structure, potential), 0.01).unwrap());
    let free = Dof::all(&crystal);
    let axis = |(dof, points): (&Dof, usize)| Axis { dof: *dof, range: [0.0, 1.0], points };
    let axes = [(&free[0], nodes[0]), (free.last().unwrap(), nodes[1])].map(axis).to_vec();
    Arc::new(Landscape::new(crystal, axes, Thresholds::default()).unwrap())
}

/// An engine that keeps operators always, never, or where it decides to.
fn engine<T: CudaReal>(potential: &Potential, scene: &Scene, keep: Option<bool>) -> Box<dyn Engine> {
    let elements = scene.landscape.elements();
    match &potential.family {
        Family::Mace(mace) => keeping(MaceEngine::<T>::new(mace, &elements, 0, device()).unwrap(), keep),
        Family::Sevennet(of) => keeping(SevennetEngine::<T>::new(of, &elements, device()).unwrap(), keep),
        Family::Chgnet(_) => panic!("{} has no pair operators", potential.source),
    }
}

fn keeping<T: CudaReal, N: Network<T> + 'static>(
    engine: PairEngine<T, N>,
    keep: Option<bool>,
) -> Box<dyn Engine> {
    match keep {
        Some(keep) => Box::new(engine.keeping(keep)),
        None => Box::new(engine),
    }
}

fn bits(results: &[PointResult]) -> Vec<[u64; 3]> {
    let of = |r: &PointResult| [r.energy, r.distance_cost, r.minimum_distance].map(f64::to_bits);
    results.iter().map(of).collect()
}

/// Statuses and distances are equal; the largest difference of energies, as a share of those above 1 eV per atom.
fn difference(found: &[PointResult], expected: &[PointResult]) -> f64 {
    largest(found, expected, 1.0)
}

/// The same, where differences at points with atoms that are too close count by a weight.
fn largest(found: &[PointResult], expected: &[PointResult], unphysical: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let mut worst = 0.0_f64;
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.status, expected.status);
        assert_eq!(found.distance_cost.to_bits(), expected.distance_cost.to_bits());
        assert_eq!(found.minimum_distance.to_bits(), expected.minimum_distance.to_bits());
        if found.status == Status::Done {
            let weight = if expected.distance_cost > 0.0 { unphysical } else { 1.0 };
            worst =
                worst.max(weight * (found.energy - expected.energy).abs() / expected.energy.abs().max(1.0));
        }
    }
    worst
}

/// A campaign crystal for each kind of symmetry, and a flavour for each kind of block.
const CASES: [(&str, &str); 14] = [
    ("aflow-268-A3B2_oP20_62_3c_2c", "mp0-L1"),
    ("spglib-tetragonal-POSCAR-099", "0b2-L2"),
    ("spglib-triclinic-POSCAR-001", "0b-L1"),
    ("spglib-trigonal-POSCAR-161-2", "mp0-L2"),
    ("spglib-monoclinic-POSCAR-006", "layers-3"),
    ("spglib-orthorhombic-POSCAR-025", "layers-1-density"),
    ("aflow-199-AB_oP2_25_b_a", "channels-12"),
    ("aflow-101-AB_cP8_198_a_a", "random-0.3.16-density"),
    ("aflow-268-A3B2_oP20_62_3c_2c", "sevennet/small"),
    ("spglib-trigonal-POSCAR-161-2", "sevennet/poly-cut"),
    ("spglib-triclinic-POSCAR-001", "sevennet/uneven"),
    ("spglib-tetragonal-POSCAR-099", "sevennet/one-layer"),
    ("spglib-monoclinic-POSCAR-006", "sevennet/degree-3"),
    ("aflow-101-AB_cP8_198_a_a", "sevennet/odd-signs"),
];

/// SevenNet-0, if `tests/reference/sevennet-0.sh` has fetched it.
fn sevennet_0() -> Option<Arc<Potential>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sevennet/checkpoint_sevennet_0.pth");
    let bytes = std::fs::read(path).ok()?;
    Some(Arc::new(Potential::from_bytes("SevenNet-0", bytes).unwrap()))
}

/// Both engines in both precisions, over a landscape.
fn compare_landscapes(file: &str, potential: &Arc<Potential>, nodes: [usize; 2]) {
    let landscape = landscape(file, potential, nodes);
    let scene = Arc::new(Scene::new(landscape.clone(), potential).unwrap());
    let points: Vec<Point> = landscape.grid.points().collect();
    let elements = landscape.elements();
    // In float32 random weights make large parts that cancel where atoms are too close: 2e-5 there.
    for (precision, bound, unphysical) in [(Precision::Single, 2e-6, 0.1), (Precision::Double, 1e-11, 1.0)] {
        let model = first_head(potential, precision);
        let mut cpu = model.engine(&elements, &Place::Cpu).unwrap();
        let mut gpu = model.engine(&elements, &Place::Gpu(device())).unwrap();
        let expected = cpu.evaluate(&scene, &points).unwrap();
        let error = largest(&gpu.evaluate(&scene, &points).unwrap(), &expected, unphysical);
        assert!(error < bound, "{file}, {}, {}: {error:e}", potential.source, precision.name());
    }
}

#[test]
fn landscapes_equal_those_of_the_cpu_engine() {
    for (file, model) in CASES {
        compare_landscapes(file, &potential(model), [3, 5]);
    }
    if let Some(potential) = sevennet_0() {
        compare_landscapes("aflow-268-A3B2_oP20_62_3c_2c", &potential, [2, 3]);
    }
}

/// In float32 the error against float64 is no larger than that of the CPU engine in float32, give or take.
#[test]
fn float32_is_as_close_to_float64_as_on_cpus() {
    let (mut own, mut theirs) = (0.0_f64, 0.0_f64);
    for (file, model) in CASES {
        let potential = potential(model);
        let landscape = landscape(file, &potential, [2, 3]);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().collect();
        let exact = common::evaluate(&landscape, &first_head(&potential, Precision::Double), &points);
        let single = common::evaluate(&landscape, &first_head(&potential, Precision::Single), &points);
        theirs = theirs.max(difference(&single, &exact));
        own = own.max(difference(
            &engine::<f32>(&potential, &scene, None).evaluate(&scene, &points).unwrap(),
            &exact,
        ));
    }
    assert!(own < 2.0 * theirs + 1e-7, "{own:e} {theirs:e}");
}

#[test]
fn the_same_bits_come_out_again_and_for_any_batch() {
    for (file, model) in CASES[..3].iter().chain(&CASES[8..11]) {
        let potential = potential(model);
        let landscape = landscape(file, &potential, [4, 5]);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().collect();
        let mut engine = engine::<f32>(&potential, &scene, None);
        let expected = bits(&engine.evaluate(&scene, &points).unwrap());
        for (seed, call) in [(3, 20), (4, 7), (5, 1), (6, 13)] {
            if !shim::on_gpu() {
                shim::seed(seed);
            }
            let calls = points.chunks(call).map(|points| engine.evaluate(&scene, points).unwrap());
            assert_eq!(bits(&calls.collect::<Vec<_>>().concat()), expected, "{file}, calls of {call}");
        }
        let reversed: Vec<Point> = points.iter().rev().copied().collect();
        let mut found = bits(&engine.evaluate(&scene, &reversed).unwrap());
        found.reverse();
        assert_eq!(found, expected, "{file}, in reverse");
    }
}

#[test]
fn operators_that_are_kept_and_those_that_are_not_give_the_same_energies() {
    for (file, model) in [0, 2, 4, 8, 10, 12].map(|k| CASES[k]) {
        let potential = potential(model);
        let landscape = landscape(file, &potential, [3, 3]);
        let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
        let points: Vec<Point> = landscape.grid.points().collect();
        let mut kept = engine::<f64>(&potential, &scene, Some(true));
        let mut direct = engine::<f64>(&potential, &scene, Some(false));
        let expected = kept.evaluate(&scene, &points).unwrap();
        let error = difference(&direct.evaluate(&scene, &points).unwrap(), &expected);
        assert!(error < 1e-12, "{file}, {model}: {error:e}");
    }
}

/// Every flavour of tests/data/models, against mace-torch: its first crystal with atoms that see one another.
#[test]
fn float64_energies_are_those_of_mace_torch_for_every_flavour() {
    let golden = json("golden/energies.json");
    let mut seen: Vec<&str> = Vec::new();
    for record in golden.as_array().unwrap() {
        let text = |key: &str| record[key].as_str().unwrap();
        let number = |key: &str| record[key].as_f64().unwrap();
        let is_small = (2.0..12.0).contains(&number("n_atoms")) && number("interaction_eV").abs() > 0.1;
        if !is_small || seen.contains(&text("model")) {
            continue;
        }
        seen.push(text("model"));
        let potential = potential(text("model"));
        let model = common::model(&potential, text("head"), Precision::Double);
        let crystal = Crystal::in_place(&structure(&format!("golden/{}.extxyz", text("structure"))), 1e-6);
        let landscape = Landscape::single_point(Arc::new(crystal.unwrap()), Thresholds::default());
        let scene = Arc::new(Scene::new(Arc::new(landscape), &potential).unwrap());
        let mut engine = model.engine(&scene.landscape.elements(), &Place::Gpu(device())).unwrap();
        let found = engine.evaluate(&scene, &[Point(0)]).unwrap()[0].energy * number("n_atoms");
        let error = (found - number("energy_eV")).abs() / number("interaction_eV").abs();
        assert!(error < 1e-9, "{}, {}: {found} {error:e}", text("model"), text("structure"));
    }
    assert!(seen.len() > 30, "{}", seen.len());
}

/// Every stored checkpoint of SevenNet, and SevenNet-0 if it is there, against the package sevenn.
#[test]
fn float64_energies_are_those_of_sevenn() {
    let golden = json("golden/sevennet/energies.json");
    let mut checked = 0;
    let stored = ["small", "odd-signs", "poly-cut", "degree-3", "one-layer", "uneven"];
    let stored = stored.map(|name| (name, Some(potential(&format!("sevennet/{name}")))));
    for (name, potential) in stored.into_iter().chain([("SevenNet-0", sevennet_0())]) {
        let Some(potential) = potential else { continue };
        let model = first_head(&potential, Precision::Double);
        let records = golden.as_array().unwrap().iter().filter(|record| record["model"] == name);
        let small = |record: &&serde_json::Value| record["n_atoms"].as_f64().unwrap() < 12.0;
        for record in records.filter(small).step_by(if name == "SevenNet-0" { 4 } else { 1 }) {
            let crystal = structure(&format!("golden/{}.extxyz", record["structure"].as_str().unwrap()));
            let crystal = Crystal::in_place(&crystal, 1e-6).unwrap();
            let landscape = Landscape::single_point(Arc::new(crystal), Thresholds::default());
            let scene = Arc::new(Scene::new(Arc::new(landscape), &potential).unwrap());
            let mut engine = model.engine(&scene.landscape.elements(), &Place::Gpu(device())).unwrap();
            let found = engine.evaluate(&scene, &[Point(0)]).unwrap()[0].energy;
            let (found, expected) =
                (found * record["n_atoms"].as_f64().unwrap(), record["energy_eV"].as_f64().unwrap());
            let error = (found - expected).abs() / expected.abs().max(1.0);
            assert!(error < 1e-11, "{name}, {}: {found} {expected} {error:e}", record["structure"]);
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}

#[test]
fn coinciding_atoms_have_no_energy() {
    // Two orbits on the same threefold axes meet where their coordinates are equal.
    let potential = potential("mp0-L1");
    let landscape = landscape("aflow-101-AB_cP8_198_a_a", &potential, [4, 4]);
    let scene = Arc::new(Scene::new(landscape.clone(), &potential).unwrap());
    let points: Vec<Point> = landscape.grid.points().collect();
    let results = engine::<f32>(&potential, &scene, None).evaluate(&scene, &points).unwrap();
    let coinciding = results.iter().filter(|r| r.status == Status::Coinciding);
    assert!(coinciding.clone().count() > 0 && coinciding.clone().all(|r| r.energy.is_nan()));
    assert!(results.iter().any(|r| r.status == Status::Done));
}

/// The program with the shim's libraries, in a folder.
fn program(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
    with_shim(&mut command, folder).args(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn with_shim<'c>(command: &'c mut Command, folder: &Path) -> &'c mut Command {
    if !shim::on_gpu() {
        command.env("LD_LIBRARY_PATH", shim::build("shim", &[]));
    }
    command.current_dir(folder).env("S2DPES_CACHE_DIR", folder.join("cache"))
}

/// Energies of all surfaces of a file, and whether all distances there are physical.
fn energies(file: &Path) -> Vec<(f64, bool)> {
    let results = Results::open(file).unwrap();
    let landscapes = results.landscapes().unwrap().into_iter();
    let landscapes = landscapes.map(|(structure, name)| results.landscape(&structure, &name).unwrap());
    let of = |l: s2dpes::store::LandscapeResult| {
        let allowed: Vec<bool> = l.distance_cost.iter().map(|cost| *cost == 0.0).collect();
        let energies = l.models.into_iter().flat_map(|m| m.energy);
        energies.zip(allowed.into_iter().cycle()).collect::<Vec<_>>()
    };
    landscapes.flat_map(of).collect()
}

fn bits_of(file: &Path) -> Vec<u64> {
    energies(file).iter().map(|(energy, _)| energy.to_bits()).collect()
}

fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

#[test]
fn a_campaign_on_a_gpu_gives_what_it_gives_on_cpus() {
    let folder = common::campaign_folder();
    let run = |output: &str, engine: &str| {
        program(folder.path(), &["run", "campaign.toml", "-o", output, "--engine", engine], &[])
    };
    assert!(succeeded(&run("gpu.h5", "auto")).contains("computing on GPUs"));
    succeeded(&run("cpu.h5", "cpu"));
    let (gpu, cpu) = (energies(&folder.path().join("gpu.h5")), energies(&folder.path().join("cpu.h5")));
    assert!(gpu.len() > 10 && gpu.len() == cpu.len());
    assert!(cpu.iter().any(|(_, allowed)| *allowed));
    // Where atoms nearly coincide, random weights make large parts that cancel, and float32 loses digits.
    for ((found, _), (expected, allowed)) in gpu.iter().zip(&cpu) {
        let bound = if *allowed { 2e-6 } else { 2e-5 } * expected.abs().max(1.0);
        let close = (found - expected).abs() < bound;
        assert!(close || (found.is_nan() && expected.is_nan()), "{found} {expected}");
    }
}

#[test]
fn little_memory_makes_small_batches_and_the_same_bits() {
    if shim::on_gpu() {
        return;
    }
    let folder = common::campaign_folder();
    // The device claims to have more memory than it can give, as when a neighbour takes it in between.
    let run = |output: &str, memory: &str| {
        let arguments = ["run", "campaign.toml", "-o", output, "--engine", "cuda"];
        let variables = [("S2DPES_SHIM_MEMORY", memory), ("S2DPES_SHIM_CLAIM", "4000000000")];
        program(folder.path(), &arguments, &variables)
    };
    succeeded(&run("large.h5", "4000000000"));
    let expected = bits_of(&folder.path().join("large.h5"));
    let said = succeeded(&run("small.h5", "3000000"));
    assert!(said.contains("out of memory; going on with batches of "), "{said}");
    assert_eq!(bits_of(&folder.path().join("small.h5")), expected);
    let none = run("none.h5", "100000");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(3), "{said}");
    assert!(said.contains("out of memory") && !said.contains("panicked"), "{said}");
}

/// Files of the cache that are whole and hold what the driver refuses are compiled again.
#[test]
fn kept_kernels_that_the_driver_refuses_are_compiled_again() {
    if shim::on_gpu() {
        return;
    }
    let folder = common::campaign_folder();
    let run = || {
        let arguments = ["run", "campaign.toml", "--restart", "--engine", "cuda"];
        succeeded(&program(folder.path(), &arguments, &[("S2DPES_LOG", "s2dpes=debug")]))
    };
    assert!(run().contains("compiling kernels"));
    assert!(!run().contains("compiling kernels"));
    let mut spoiled = 0;
    for entry in std::fs::read_dir(folder.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let end = bytes.iter().position(|b| *b == b'\n').unwrap();
        let (head, image) = (String::from_utf8(bytes[..end].to_vec()).unwrap(), b"no kernels");
        let digest: String = Sha256::digest(image).iter().map(|b| format!("{b:02x}")).collect();
        let format = head.rsplit_once(' ').unwrap().0;
        std::fs::write(&path, [format!("{format} {digest}\n").as_bytes(), image].concat()).unwrap();
        spoiled += 1;
    }
    assert!(spoiled > 0 && run().contains("compiling kernels"));
    assert!(!run().contains("compiling kernels"));
}

#[test]
#[cfg(feature = "mpi")]
fn ranks_with_gpus_of_their_own_give_the_same_bits() {
    if shim::on_gpu() {
        return;
    }
    let folder = common::campaign_folder();
    succeeded(&program(folder.path(), &["run", "campaign.toml", "-o", "one.h5", "--engine", "cuda"], &[]));
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", "2", env!("CARGO_BIN_EXE_s2dpes")]);
    let output = with_shim(&mut command, folder.path())
        .args(["run", "campaign.toml", "-o", "two.h5", "--engine", "cuda"])
        .env("S2DPES_SHIM_DEVICES", "2")
        .output()
        .unwrap();
    let said = succeeded(&output);
    assert!(said.contains("GPU 0 1"), "{said}");
    assert_eq!(bits_of(&folder.path().join("two.h5")), bits_of(&folder.path().join("one.h5")));
}

/// What makes the program run with them.
fn sanitizers() -> [(&'static str, String); 4] {
    let libraries = shim::build("shim-sanitize", &["--sanitize"]);
    let asan = Command::new("c++").arg("-print-file-name=libasan.so").output().unwrap().stdout;
    [
        ("LD_LIBRARY_PATH", libraries.to_str().unwrap().to_string()),
        ("LD_PRELOAD", String::from_utf8(asan).unwrap().trim().to_string()),
        ("ASAN_OPTIONS", "detect_leaks=0".to_string()),
        ("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1".to_string()),
    ]
}

/// All kernels once more under AddressSanitizer and UndefinedBehaviorSanitizer, which end the program with a report.
#[test]
fn sanitizers_find_nothing() {
    if shim::on_gpu() {
        return;
    }
    let folder = common::campaign_folder();
    let variables = sanitizers();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
    for precision in ["f32", "f64"] {
        let arguments = ["run", "campaign.toml", "--restart", "--engine", "cuda", "--dtype", precision];
        succeeded(&program(folder.path(), &arguments, &variables));
    }
}
