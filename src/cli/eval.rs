//! `s2dpes eval`: energies of structures as they are.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use s2dpes::campaign::evaluate_crystal;
use s2dpes::cluster::ClusterError;
use s2dpes::crystal::{Format, Structure, read_structures_as};
use s2dpes::engine::{EngineChoice, Place};
use s2dpes::landscape::{Thresholds, structure_separation};
use s2dpes::potential::{DEFAULT, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};
use serde_json::{Value, json};

use super::table::table;
use super::{Ending, Failure, precision, threads, use_threads};

/// Energies of structures as they are.
///
/// Atoms that are symmetry images of one another (to within 1e-6 Angstrom) are evaluated once.
///
/// Example: s2dpes eval W2N3.extxyz
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A model file, or embedded:NAME.
    #[arg(long, short, default_value = DEFAULT)]
    model: String,
    /// CIF, POSCAR/CONTCAR or extended XYZ files; every frame is evaluated.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Format of the files, whatever their names: cif, poscar or extxyz.
    #[arg(long)]
    format: Option<Format>,
    /// Arithmetic: float32 or float64.
    #[arg(long, default_value = "float32", value_parser = precision)]
    dtype: Precision,
    /// Evaluate every atom of the file's cell.
    #[arg(long)]
    no_symmetry: bool,
    /// Head of a model that has several.
    #[arg(long)]
    head: Option<String>,
    /// Number of threads; all by default.
    #[arg(long, value_parser = threads)]
    threads: Option<usize>,
    /// What to compute on: cuda (a GPU), cpu, or auto (CPUs, which are quicker for single structures).
    #[arg(long, default_value = "auto")]
    engine: EngineChoice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Atoms count as images of one another when they are this close to it, in Angstrom: energies change by less than
/// float32 can tell.
const SYMPREC: f64 = 1e-6;

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    use_threads(arguments.threads)?;
    let place = match arguments.engine {
        EngineChoice::Auto | EngineChoice::Cpu => Place::Cpu,
        EngineChoice::Cuda => {
            Place::gpu(0).map_err(|e| Failure::input(ClusterError::NoGpu(e.to_string())))?
        }
    };
    let potential = Arc::new(Potential::load(&arguments.model).map_err(Failure::input)?);
    let head = potential.head(arguments.head.as_deref()).map_err(Failure::input)?;
    let model = Model { name: arguments.model.clone(), potential, head, precision: arguments.dtype };
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for file in &arguments.files {
        match read_structures_as(file, arguments.format) {
            Ok(structures) => {
                for (frame, structure) in structures.iter().enumerate() {
                    match evaluate((&model, &place), structure, arguments.no_symmetry) {
                        Ok(result) => results.push((file, frame, result)),
                        Err(why) => failures.push(format!("{}, frame {frame}: {why}", file.display())),
                    }
                }
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    if results.is_empty() {
        return Err(Failure::input(failures.join("\n")));
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{:#}", Value::Array(results.iter().map(|r| r.2.json(r.0, r.1)).collect()))?;
    } else {
        let heading = ["file", "frame", "atoms", "evaluated", "energy (eV)", "eV/atom", "shortest (A)"];
        let mut rows = vec![heading.map(String::from).to_vec()];
        rows.extend(results.iter().map(|(file, frame, r)| r.row(file, *frame)));
        write!(out, "{}", table(&rows))?;
    }
    failures.iter().for_each(|f| log::error!("{f}"));
    Ok(if failures.is_empty() { Ending::Complete } else { Ending::Partial })
}

/// Result of one frame.
struct Evaluated {
    atoms: usize,
    representatives: usize,
    /// eV per atom; NaN where the potential gives none.
    energy: f64,
    minimum_distance: f64,
    distance_cost: f64,
}

fn evaluate(
    (model, place): (&Model, &Place),
    structure: &Structure,
    no_symmetry: bool,
) -> Result<Evaluated, String> {
    let crystal = match no_symmetry {
        true => Crystal::without_symmetry(structure),
        false => Crystal::in_place(structure, SYMPREC),
    };
    let crystal = Arc::new(crystal.map_err(|e| e.to_string())?);
    let thresholds = Thresholds::default();
    let (result, scene) =
        evaluate_crystal(crystal, thresholds.clone(), model, place).map_err(|e| e.to_string())?;
    // The cost depends on the cell: that of the file is meant.
    let separation = structure_separation(structure, &thresholds).map_err(|e| e.to_string())?;
    Ok(Evaluated {
        atoms: structure.len(),
        representatives: scene.sites.len(),
        energy: result.energy,
        minimum_distance: separation.minimum,
        distance_cost: separation.cost,
    })
}

impl Evaluated {
    fn total(&self) -> f64 {
        self.energy * self.atoms as f64
    }

    fn json(&self, file: &std::path::Path, frame: usize) -> Value {
        json!({
            "file": file.display().to_string(),
            "frame": frame,
            "n_atoms": self.atoms,
            "n_representatives": self.representatives,
            "energy_eV": self.total(),
            "energy_per_atom_eV": self.energy,
            "min_distance_A": self.minimum_distance,
            "distance_cost_A": self.distance_cost,
        })
    }

    fn row(&self, file: &std::path::Path, frame: usize) -> Vec<String> {
        vec![
            file.display().to_string(),
            frame.to_string(),
            self.atoms.to_string(),
            self.representatives.to_string(),
            format!("{:.6}", self.total()),
            format!("{:.6}", self.energy),
            format!("{:.4}", self.minimum_distance),
        ]
    }
}
