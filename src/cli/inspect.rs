//! `s2dpes inspect`: what symmetry a structure has and what can vary.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use nalgebra::Matrix3;
use s2dpes::config::DEFAULT_SYMPREC;
use s2dpes::crystal::{Format, read_structures_as, to_extxyz};
use s2dpes::landscape::Dof;
use s2dpes::symmetry::{COORDINATES, Crystal, Finding, Protostructure, WyckoffPosition, findings};
use serde_json::{Value, json};

use super::table::table;
use super::{Ending, Failure};

/// Show the symmetry, orbits and free coordinates of a structure or a protostructure label.
///
/// Example: s2dpes inspect W2N3.cif
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A CIF, POSCAR/CONTCAR or extended XYZ file, or a label such as A3B2_oP20_62_3c_2c:N-W.
    input: String,
    /// Format of the file, whatever its name: cif, poscar or extxyz.
    #[arg(long)]
    format: Option<Format>,
    /// Tolerance of the symmetry search in Angstrom.
    #[arg(long, default_value_t = DEFAULT_SYMPREC)]
    symprec: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the symmetrised structures, in the cells and the order of their atoms that the file has, to a new extended
    /// XYZ file.
    #[arg(long, value_name = "OUT.extxyz")]
    write: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let path = PathBuf::from(&arguments.input);
    let mut out = std::io::stdout().lock();
    if !path.exists() && arguments.input.contains(':') && arguments.input.contains('_') {
        let label = Protostructure::parse(&arguments.input).map_err(Failure::input)?;
        let canonical = label.canonical_label().map_err(Failure::other)?;
        if arguments.json {
            writeln!(out, "{:#}", label_json(&label, &canonical))?;
        } else {
            write!(out, "{}", label_text(&label, &canonical))?;
        }
        return Ok(Ending::Complete);
    }
    let structures = read_structures_as(&path, arguments.format).map_err(Failure::input)?;
    let mut values = Vec::new();
    let (mut text, mut frames) = (String::new(), String::new());
    for structure in &structures {
        let crystal = Crystal::new(structure, arguments.symprec).map_err(Failure::input)?;
        let findings = findings(structure, &crystal, arguments.symprec);
        findings.iter().for_each(Finding::log);
        frames += &to_extxyz(&crystal.in_file_cell());
        if arguments.json {
            values.push(crystal_json(&crystal, &findings)?);
        } else {
            text += &crystal_text(&crystal, &path, &findings)?;
        }
    }
    if arguments.json {
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        text = format!("{value:#}\n");
    }
    if let Some(file) = &arguments.write {
        write_new(file, &frames)?;
    }
    write!(out, "{text}")?;
    Ok(Ending::Complete)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let is_xyz = path.extension().is_some_and(|e| e == "extxyz" || e == "xyz");
    if !is_xyz {
        return Err(Failure::input(format!("{}: --write needs a name with .extxyz or .xyz", path.display())));
    }
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => Failure::input(format!(
            "{}: --write does not write over what is there; give another name",
            path.display()
        )),
        _ => Failure::input(format!("{}: it cannot be written ({e})", path.display())),
    })
}

/// Names of the coordinates that a position frees.
fn free_names(position: &WyckoffPosition) -> Vec<String> {
    (0..3).filter(|j| position.free()[*j]).map(|j| COORDINATES[j].to_string()).collect()
}

/// a, b, c in Angstrom, alpha, beta, gamma in degrees.
fn cell_parameters(lattice: &Matrix3<f64>) -> [f64; 6] {
    let [a, b, c] = [0, 1, 2].map(|k| lattice.column(k).into_owned());
    let angle = |u: nalgebra::Vector3<f64>, v: nalgebra::Vector3<f64>| {
        (u.dot(&v) / (u.norm() * v.norm())).clamp(-1.0, 1.0).acos().to_degrees()
    };
    [a.norm(), b.norm(), c.norm(), angle(b, c), angle(a, c), angle(a, b)]
}

fn crystal_text(crystal: &Crystal, path: &Path, findings: &[Finding]) -> Result<String, Failure> {
    let labels = Protostructure::of(crystal);
    let (canonical, raw) = (labels.canonical_label().map_err(Failure::other)?, labels.raw_label());
    let [a, b, c, alpha, beta, gamma] = cell_parameters(&crystal.lattice);
    let group = &crystal.group;
    let mut text = format!("{}  ({}, {} atoms)\n", crystal.name, path.display(), crystal.file.atoms.len());
    text +=
        &format!("space group     {} ({}), Hall number {}\n", group.symbol, group.number, group.hall_number);
    text += &format!("Pearson symbol  {}\n", crystal.pearson);
    text += &format!("protostructure  {canonical}\n");
    if raw != canonical {
        text += &format!("  with the letters of this setting  {raw}\n");
    }
    text += &format!("lattice         a {a:.5}  b {b:.5}  c {c:.5} Angstrom\n");
    text += &format!("                alpha {alpha:.4}  beta {beta:.4}  gamma {gamma:.4} degrees\n");
    text += &format!("in file's axes  {}\n", crystal.file.transformation);
    findings.iter().for_each(|f| text += &format!("note            {f}\n"));
    text += &format!("\n{}", table(&orbit_rows(crystal)));
    text += &snippet(crystal, path);
    Ok(text)
}

fn orbit_rows(crystal: &Crystal) -> Vec<Vec<String>> {
    let heading = ["orbit", "element", "position", "site symmetry", "representative", "free coordinates"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for orbit in &crystal.orbits {
        let position = &crystal.group.wyckoff[orbit.position];
        let value = |j: usize| format!("{} = {:.6}", COORDINATES[j], orbit.coordinates[j]);
        let free: Vec<String> = (0..3).filter(|j| position.free()[*j]).map(value).collect();
        rows.push(vec![
            orbit.name.clone(),
            orbit.element.to_string(),
            format!("{}{}", position.multiplicity, position.letter),
            position.site_symmetry.to_string(),
            position.coordinates.to_string(),
            if free.is_empty() { "none".into() } else { free.join("  ") },
        ]);
    }
    rows
}

/// TOML to paste into a campaign: the first orbit with two free coordinates, or what there is.
fn snippet(crystal: &Crystal, path: &Path) -> String {
    let chosen: Vec<Dof> = Dof::first_free(crystal).into_iter().take(2).collect();
    if chosen.is_empty() {
        return "\nSymmetry fixes every coordinate: there is nothing to map.\n".into();
    }
    let axis = |d: &Dof| format!("{{ dof = \"{}\", points = 120 }}", d.name(crystal));
    let axes: Vec<String> = chosen.iter().map(axis).collect();
    let file = toml::Value::String(path.display().to_string());
    let base = if path.is_relative() { "  # counts from the folder of the campaign file" } else { "" };
    format!(
        "\n# for a campaign file\n[[structure]]\nfile = {file}{base}\n[[structure.landscape]]\naxes = [ {} ]\n",
        axes.join(", ")
    )
}

fn crystal_json(crystal: &Crystal, findings: &[Finding]) -> Result<Value, Failure> {
    let labels = Protostructure::of(crystal);
    let [a, b, c, alpha, beta, gamma] = cell_parameters(&crystal.lattice);
    let orbits: Vec<Value> = (crystal.orbits.iter())
        .map(|orbit| {
            let position = &crystal.group.wyckoff[orbit.position];
            let free = (0..3).filter(|j| position.free()[*j]);
            let values: serde_json::Map<String, Value> =
                free.map(|j| (COORDINATES[j].to_string(), json!(orbit.coordinates[j]))).collect();
            json!({
                "name": orbit.name,
                "element": orbit.element.symbol(),
                "letter": position.letter.to_string(),
                "multiplicity": position.multiplicity,
                "site_symmetry": position.site_symmetry,
                "representative": position.coordinates,
                "free": values,
            })
        })
        .collect();
    let rows = |m: &Matrix3<f64>| -> Vec<[f64; 3]> { m.row_iter().map(|r| [r[0], r[1], r[2]]).collect() };
    let transformation = &crystal.file.transformation;
    Ok(json!({
        "name": crystal.name,
        "space_group": { "number": crystal.group.number, "symbol": crystal.group.symbol,
                         "hall_number": crystal.group.hall_number },
        "pearson": crystal.pearson,
        "protostructure": labels.canonical_label().map_err(Failure::other)?,
        "protostructure_raw": labels.raw_label(),
        "lattice": { "a": a, "b": b, "c": c, "alpha": alpha, "beta": beta, "gamma": gamma, "vectors_A": rows(&crystal.lattice.transpose()) },
        // x_file = matrix x + shift.
        "transformation": { "matrix": rows(&transformation.linear), "shift": transformation.shift.as_slice() },
        "notes": findings.iter().map(Finding::to_string).collect::<Vec<_>>(),
        "n_atoms": crystal.atom_count(),
        "orbits": orbits,
    }))
}

fn label_text(label: &Protostructure, canonical: &str) -> String {
    let group = &label.group;
    let mut text = format!("space group     {} ({})\n", group.symbol, group.number);
    text += &format!("Pearson symbol  {}\n", label.pearson);
    text += &format!("protostructure  {canonical}\n");
    if label.raw_label() != canonical {
        text += &format!("  with the letters of this setting  {}\n", label.raw_label());
    }
    let heading = ["element", "position", "site symmetry", "representative", "free coordinates"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for (element, position) in &label.orbits {
        let position = &group.wyckoff[*position];
        let free = free_names(position);
        rows.push(vec![
            element.to_string(),
            format!("{}{}", position.multiplicity, position.letter),
            position.site_symmetry.to_string(),
            position.coordinates.to_string(),
            if free.is_empty() { "none".into() } else { free.join(" ") },
        ]);
    }
    format!("{text}\n{}{LABEL_ENDS}", table(&rows))
}

/// What can be done with a label.
const LABEL_ENDS: &str = "
A label has no lattice and no coordinates, so that there are no energies yet. Make a structure file (CIF, POSCAR or
extended XYZ) of a crystal with this label; then `s2dpes inspect FILE` shows its coordinates, and `s2dpes map FILE` maps
them.
";

fn label_json(label: &Protostructure, canonical: &str) -> Value {
    let orbits: Vec<Value> = (label.orbits.iter())
        .map(|(element, position)| {
            let position = &label.group.wyckoff[*position];
            json!({
                "element": element.symbol(),
                "letter": position.letter.to_string(),
                "multiplicity": position.multiplicity,
                "site_symmetry": position.site_symmetry,
                "representative": position.coordinates,
                "free": free_names(position),
            })
        })
        .collect();
    json!({
        "space_group": { "number": label.group.number, "symbol": label.group.symbol },
        "pearson": label.pearson,
        "protostructure": canonical,
        "protostructure_raw": label.raw_label(),
        "orbits": orbits,
    })
}
