//! Compares energies with reference energies of mace-torch, and radial tables with the functions that they tabulate;
//! prints Markdown.
//!
//! `cargo bench --bench accuracy -- FOLDER` for a folder with NAME.model files and the energies.json that
//! `tests/reference/foundation.py` leaves there; without a folder, for the small models under `tests/data`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use ndarray::Array2;
use s2dpes::campaign::evaluate_crystal;
use s2dpes::crystal::{Element, read_structure};
use s2dpes::engine::Place;
use s2dpes::engine::cpu::{Real, Table};
use s2dpes::landscape::Thresholds;
use s2dpes::potential::mace::Mace;
use s2dpes::potential::{Family, Potential};
use s2dpes::symmetry::Crystal;
use s2dpes::work::{Model, Precision};

#[derive(Parser)]
struct Arguments {
    folder: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long)]
    bench: bool,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folder = Arguments::parse().folder;
    let golden = folder.clone().unwrap_or(data.join("golden")).join("energies.json");
    let text = std::fs::read_to_string(&golden).map_err(|e| format!("{}: {e}", golden.display()))?;
    let records: Vec<serde_json::Value> = serde_json::from_str(&text)?;
    let mut by_model: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for record in records {
        by_model.entry(record["model"].as_str().unwrap_or_default().to_string()).or_default().push(record);
    }
    println!(
        "| model | records | f64, of the interaction | f32, eV/atom: median | worst | mace-torch's f32: median | worst | tables f32 | tables f64 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, records) in by_model {
        let potential = Arc::new(match &folder {
            Some(folder) => Potential::load(&folder.join(format!("{name}.model")).to_string_lossy())?,
            None => stored(&data, &name)?,
        });
        let Family::Mace(mace) = &potential.family else { panic!("{name} is no MACE") };
        let rows = records.iter().map(|r| compare(&data, &potential, r)).collect::<Result<Vec<_>, _>>()?;
        let worst = |k: usize| rows.iter().map(|r| r[k]).fold(0.0, f64::max);
        let (single, double) = (table_error::<f32>(mace), table_error::<f64>(mace));
        println!(
            "| {name} | {} | {:.0e} | {:.1e} | {:.1e} | {:.1e} | {:.1e} | {single:.0e} | {double:.0e} |",
            rows.len(),
            worst(0),
            median(&rows, 1),
            worst(1),
            median(&rows, 2),
            worst(2),
        );
    }
    Ok(())
}

fn median(rows: &[[f64; 3]], k: usize) -> f64 {
    let mut values: Vec<f64> = rows.iter().map(|r| r[k]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn stored(data: &Path, name: &str) -> Result<Potential, Failure> {
    let file = std::fs::File::open(data.join(format!("models/{name}.model.gz")))?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes)?;
    Ok(Potential::from_bytes(name, bytes)?)
}

/// Errors of one record: float64 over the interaction energy; our float32 against our float64, and mace-torch's float32
/// against its float64, in eV per atom, over the interaction energy per atom where that is larger than 1 eV.
fn compare(data: &Path, potential: &Arc<Potential>, record: &serde_json::Value) -> Result<[f64; 3], Failure> {
    let number = |key: &str| record[key].as_f64().ok_or(format!("{key} is missing"));
    let structure = record["structure"].as_str().ok_or("structure is missing")?;
    let structure = read_structure(&data.join(format!("golden/{structure}.extxyz")))?;
    let crystal = Arc::new(Crystal::in_place(&structure, 1e-6)?);
    let head = potential.head(record["head"].as_str())?;
    let energy = |precision| {
        let model = Model { name: "bench".into(), potential: potential.clone(), head, precision };
        evaluate_crystal(crystal.clone(), Thresholds::default(), &model, &Place::Cpu)
            .map(|(result, _)| result.energy)
    };
    let (single, double) = (energy(Precision::Single)?, energy(Precision::Double)?);
    let (atoms, interaction) = (number("n_atoms")?, number("interaction_eV")?.abs());
    let expected = number("energy_eV")? / atoms;
    let size = (interaction / atoms).max(1.0);
    Ok([
        (double - expected).abs() * atoms / interaction.max(1e-2),
        (single - double).abs() / size,
        (number("energy_float32_eV")? / atoms - expected).abs() / size,
    ])
}

/// The largest error of the last layer's radial functions between 0.4 Angstrom and the cutoff, over the largest value
/// there, for the first and the last element.
fn table_error<T: Real>(mace: &Mace) -> f64 {
    const COLUMNS: usize = 16;
    let pair: (Element, Element) = (mace.elements[0], mace.elements[mace.elements.len() - 1]);
    let Some(layer) = mace.layers.last() else { return 0.0 };
    let functions = |distances: &[f64]| {
        let mut basis = Array2::zeros((distances.len(), mace.radial.len()));
        for (r, mut row) in distances.iter().zip(basis.rows_mut()) {
            let mut values = vec![0.0; mace.radial.len()];
            mace.radial.evaluate(*r, pair, &mut values);
            row.assign(&ndarray::Array1::from(values));
        }
        let all = layer.network.evaluate(&basis);
        Array2::from_shape_fn((distances.len(), COLUMNS.min(all.ncols())), |(i, k)| all[(i, k)])
    };
    let table = Table::<T>::new(mace.radial.cutoff, T::TABLE_INTERVALS, functions);
    let (mut error, mut size) = (0.0_f64, 0.0_f64);
    let steps = 20_000;
    for i in 0..steps {
        let r = 0.4 + (mace.radial.cutoff - 0.4) * f64::from(i) / f64::from(steps);
        for (found, exact) in table.at(r).iter().zip(functions(&[r]).iter()) {
            error = error.max((found.to_f64() - exact).abs());
            size = size.max(exact.abs());
        }
    }
    error / size
}
