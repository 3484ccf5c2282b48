//! What the tests share: the files under `tests/data`.

#![allow(dead_code, reason = "every test file uses a part of this")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use nalgebra::Vector3;
use s2dpes::cluster::Wish;
use s2dpes::crystal::{Element, Structure, read_structure};
use s2dpes::engine::{EngineChoice, Place, PointResult, Scene, Status};
use s2dpes::landscape::{Axis, Dof, Landscape, Point, Thresholds};
use s2dpes::potential::Potential;
use s2dpes::store::Results;
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

/// A path below `tests/data`.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// A JSON file below `tests/data`.
pub fn json(path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(data(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The bytes of a stored model file.
pub fn model_bytes(name: &str) -> Vec<u8> {
    let open = |extension: &str| std::fs::File::open(data(&format!("models/{name}.{extension}.gz"))).ok();
    let file = open("model").or_else(|| open("pth")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A stored model.
pub fn potential(name: &str) -> Arc<Potential> {
    Arc::new(Potential::from_bytes(name, model_bytes(name)).unwrap())
}

/// The checkpoint of SevenNet-0 (11 July 2024), if it is there: it is part of the package sevenn 0.10.1 and under GPL-3.0, so
/// that it is no part of this repository. `tests/reference/sevennet-0.sh` fetches it.
const SEVENNET_0: &str = "target/sevennet/checkpoint_sevennet_0.pth";

/// A stored checkpoint of SevenNet, or SevenNet-0.
pub fn sevennet(name: &str) -> Option<Arc<Potential>> {
    let mut bytes = Vec::new();
    if name == "SevenNet-0" {
        let Ok(content) = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SEVENNET_0)) else {
            eprintln!(
                "{name} is left out: {SEVENNET_0} is not there; tests/reference/sevennet-0.sh fetches it"
            );
            return None;
        };
        bytes = content;
    } else {
        let file = std::fs::File::open(data(&format!("models/sevennet/{name}.pth.gz"))).unwrap();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    }
    Some(Arc::new(Potential::from_bytes(name, bytes).unwrap()))
}

/// A stored model as a campaign would use it.
pub fn model(potential: &Arc<Potential>, head: &str, precision: Precision) -> Model {
    let head = potential.head(Some(head)).unwrap();
    Model { name: "test".into(), potential: potential.clone(), head, precision }
}

/// The first head of a model.
pub fn first_head(potential: &Arc<Potential>, precision: Precision) -> Model {
    Model { name: "test".into(), potential: potential.clone(), head: 0, precision }
}

/// A structure below `tests/data`.
pub fn structure(path: &str) -> Structure {
    read_structure(&data(path)).unwrap()
}

/// All files of the campaign set, sorted.
pub fn campaign_files() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(data("campaign/structures")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 308);
    files
}

/// CPUs, whatever the machine has, and so many threads; 0 for as many as there are.
pub fn on_cpus(threads: usize) -> Wish {
    Wish { threads, engine: EngineChoice::Cpu }
}

/// Evaluates points of a landscape.
pub fn evaluate(landscape: &Arc<Landscape>, model: &Model, points: &[Point]) -> Vec<PointResult> {
    let scene = Arc::new(Scene::new(landscape.clone(), &model.potential).unwrap());
    let elements: Vec<_> = scene.sites.iter().map(|s| s.element).collect();
    model.engine(&elements, &Place::Cpu).unwrap().evaluate(&scene, points).unwrap()
}

/// The same crystal with these coordinates: its atoms described by other ones of their orbits, and with another origin.
fn with_coordinates(crystal: &Crystal, coordinates: &serde_json::Value) -> Crystal {
    let mut described = crystal.clone();
    for (dof, value) in coordinates.as_object().unwrap() {
        let dof = Dof::parse(dof, crystal).unwrap();
        described.orbits[dof.orbit].coordinates[dof.coordinate] = value.as_f64().unwrap();
    }
    let (before, after): (Vec<_>, Vec<_>) = (crystal.atoms().collect(), described.atoms().collect());
    let is_moved_by = |shift: Vector3<f64>| {
        let same = |x: Vector3<f64>, y: Vector3<f64>| (x + shift - y).map(|v| v - v.round()).amax() < 1e-4;
        before.iter().all(|(e, x)| after.iter().any(|(f, y)| e == f && same(*x, *y)))
    };
    assert!(after.iter().any(|(_, y)| is_moved_by(y - before[0].1)), "{}: another crystal", crystal.name);
    described
}

/// A landscape along two coordinates of a structure.
pub fn map(structure: &Structure, axes: [&str; 2], points: usize) -> Arc<Landscape> {
    map_of(Crystal::new(structure, 0.01).unwrap(), axes, points)
}

fn map_of(crystal: Crystal, axes: [&str; 2], points: usize) -> Arc<Landscape> {
    let crystal = Arc::new(crystal);
    let axis = |dof| Axis { dof: Dof::parse(dof, &crystal).unwrap(), range: [0.0, 1.0], points };
    let axes = axes.map(axis).to_vec();
    Arc::new(Landscape::new(crystal.clone(), axes, Thresholds::default()).unwrap())
}

/// Compares points of a landscape of the campaign set with a golden record of what a package gives there, eV per atom. No
/// deviation may reach the bound for such an energy and such a smallest distance; where the record has none, atoms coincide.
pub fn compare_landscape(golden: &serde_json::Value, model: &Model, bound: impl Fn(f64, f64) -> f64) {
    let name = golden["structure"].as_str().unwrap();
    let axes = [0, 1].map(|k| golden["axes"][k].as_str().unwrap());
    let nodes = golden["nodes_per_axis"].as_u64().unwrap() as usize;
    let crystal = Crystal::new(&structure(&format!("campaign/structures/{name}.extxyz")), 0.01).unwrap();
    let landscape = map_of(with_coordinates(&crystal, &golden["coordinates"]), axes, nodes);
    let list = |key: &str| golden[key].as_array().unwrap().clone();
    let points: Vec<Point> =
        list("nodes").iter().map(|n| Point(n.as_u64().unwrap().try_into().unwrap())).collect();
    let energies: Vec<Option<f64>> = list("energies_eV_per_atom").iter().map(|e| e.as_f64()).collect();
    assert_eq!([points.len(), energies.len()], [200; 2]);
    for ((found, expected), point) in evaluate(&landscape, model, &points).iter().zip(energies).zip(points) {
        let Some(expected) = expected else {
            assert_eq!(found.status, Status::Coinciding, "{name} {point:?}");
            continue;
        };
        let error = (found.energy - expected).abs();
        let bound = bound(expected, found.minimum_distance);
        let precision = model.precision;
        assert!(error < bound, "{} {precision:?}, {name} {point:?}: {found:?} {expected}", model.name);
    }
}

/// Numbers that look random and are the same every time.
pub struct Random(pub u64);

impl Random {
    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize % n
    }
}

/// Elements that replace those of a structure by ones that a model knows, in alphabetical order of the symbols, so that
/// orbits keep their order.
fn replacements(structure: &Structure, potential: &Potential) -> Vec<(Element, Element)> {
    let sorted = |mut elements: Vec<Element>| {
        elements.sort_by_key(|e| e.symbol());
        elements.dedup();
        elements
    };
    let (own, known) = (sorted(structure.species.clone()), sorted(potential.elements().to_vec()));
    own.iter().enumerate().map(|(i, e)| (*e, known[i % known.len()])).collect()
}

/// A structure with its elements replaced by those that a model knows.
pub fn with_elements(structure: &Structure, potential: &Potential) -> Structure {
    let replacements = replacements(structure, potential);
    let replace = |e: &Element| replacements.iter().find(|(own, _)| own == e).unwrap().1;
    Structure { species: structure.species.iter().map(replace).collect(), ..structure.clone() }
}

/// The name that a DOF such as `W1.x` has after [`with_elements`].
pub fn renamed(dof: &str, structure: &Structure, potential: &Potential) -> String {
    let symbol: String = dof.chars().take_while(|c| c.is_alphabetic()).collect();
    let replacements = replacements(structure, potential);
    let new = replacements.iter().find(|(own, _)| own.symbol() == symbol).unwrap().1;
    dof.replacen(&symbol, new.symbol(), 1)
}

/// Writes a stored model into a folder and returns its path.
pub fn write_model(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.model"));
    std::fs::write(&path, model_bytes(name)).unwrap();
    path
}

/// A campaign over one landscape, whose files are beside it.
pub const CAMPAIGN: &str = r#"
[campaign]
output = "result.h5"
tile_points = 16
[[model]]
name = "tiny"
file = "mp0-L1.model"
[[structure]]
file = "perovskite-CaTiO3-Pnma.extxyz"
name = "CaTiO3"
[[structure.landscape]]
axes = [ { dof = "Ca1.x", points = 10 }, { dof = "Ca1.z", points = 12 } ]
"#;

/// Runs the program in a folder: exit code, standard output, standard error.
pub fn program(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
    let output =
        command.current_dir(folder).envs(environment.iter().copied()).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let error = text(output.stderr);
    assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    (output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {error}")), text(output.stdout), error)
}

/// Starts the program on some ranks: with Open MPI, or with what `S2DPES_MPIRUN` says.
pub fn mpirun(ranks: usize) -> Command {
    let launcher = std::env::var("S2DPES_MPIRUN");
    let launcher = launcher.as_deref().unwrap_or("mpirun --allow-run-as-root --oversubscribe");
    let mut words = launcher.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["-n", &ranks.to_string(), env!("CARGO_BIN_EXE_s2dpes")]);
    command
}

/// Everything that a result file holds of its surfaces, bit by bit, but for tiles and times.
pub fn contents(file: &Path) -> BTreeMap<String, Vec<u64>> {
    let results = Results::open(file).unwrap();
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
    let mut contents = BTreeMap::new();
    for (structure, name) in results.landscapes().unwrap() {
        let landscape = results.landscape(&structure, &name).unwrap();
        let mut put = |what: String, values| contents.insert(format!("{structure}/{name}/{what}"), values);
        put("distance_cost".into(), bits(&landscape.distance_cost));
        put("minimum_distance".into(), bits(&landscape.minimum_distance));
        for axis in &landscape.axes {
            put(axis.name.clone(), bits(&axis.values));
        }
        for model in landscape.models {
            let wide = |values: Vec<u8>| values.into_iter().map(u64::from).collect();
            let index = model.irreducible_index.into_iter().map(u64::from).collect();
            put(format!("{}/energy", model.name), bits(&model.energy));
            put(format!("{}/reference_energy", model.name), bits(&[model.reference_energy]));
            put(format!("{}/status", model.name), wide(model.status));
            put(format!("{}/irreducible_index", model.name), index);
        }
    }
    contents
}

/// Processes of the program in a folder, by rank.
pub fn ranks_in(folder: &Path) -> Vec<u32> {
    let mut ranks = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
        let is_ours = std::fs::read_link(process.path().join("exe"))
            .is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_s2dpes")))
            && std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let rank = String::from_utf8_lossy(&environment).split('\0').find_map(|line| {
            let rank = line.strip_prefix("OMPI_COMM_WORLD_RANK=").or(line.strip_prefix("PMI_RANK="))?;
            rank.parse::<u32>().ok()
        });
        if let (true, Some(rank)) = (is_ours, rank) {
            ranks.push((rank, pid));
        }
    }
    ranks.sort_unstable();
    ranks.into_iter().map(|(_, pid)| pid).collect()
}

/// Sends a signal, written as for `kill`.
pub fn send(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// A folder with [`CAMPAIGN`] and what it needs.
pub fn campaign_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path(), "mp0-L1");
    let structure = "perovskite-CaTiO3-Pnma.extxyz";
    std::fs::copy(data(&format!("golden/{structure}")), folder.path().join(structure)).unwrap();
    std::fs::write(folder.path().join("campaign.toml"), CAMPAIGN).unwrap();
    folder
}

/// Two structures, one with landscapes of two axes and of one, for a model in both precisions.
pub const RANKS_CAMPAIGN: &str = r#"
[campaign]
output = "result.h5"
tile_points = 64
[[model]]
name = "single"
file = "all-elements.model"
[[model]]
name = "double"
file = "all-elements.model"
dtype = "float64"
[[structure]]
file = "perovskite-CaTiO3-Pnma.extxyz"
name = "CaTiO3"
[[structure.landscape]]
axes = [ { dof = "Ca1.x", points = 24 }, { dof = "Ca1.z", points = 20 } ]
[[structure.landscape]]
axes = [ { dof = "O1.z", points = 30, range = [0.1, 0.4] } ]
[[structure]]
file = "rutile-TiO2.extxyz"
name = "rutile"
[[structure.landscape]]
axes = [ { dof = "O1.x", points = 40 } ]
"#;

/// A campaign that takes several seconds; [`copy_w2n3`] brings its structure.
pub const LONG_CAMPAIGN: &str = r#"
[campaign]
output = "result.h5"
equivalence = "none"
[[model]]
name = "demo"
file = "embedded:demo-wn"
[[structure]]
file = "W2N3_chgnet.extxyz"
name = "W2N3"
[[structure.landscape]]
axes = [ { dof = "W1.x", points = 600 }, { dof = "N1.z", points = 600 } ]
"#;

/// Puts the W2N3 of the configs into a folder.
pub fn copy_w2n3(folder: &Path) {
    let structure = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/structures/W2N3_chgnet.extxyz");
    std::fs::copy(structure, folder.join("W2N3_chgnet.extxyz")).unwrap();
}

/// Puts a crystal of `tests/data/golden` into a folder.
pub fn copy_golden(folder: &Path, name: &str) {
    let file = data(&format!("golden/{name}.extxyz"));
    std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
}
