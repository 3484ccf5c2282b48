//! Inputs that must not be taken for another crystal: those of `tests/data/faults`, and variants of each kind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use s2dpes::crystal::{Structure, read_structures};

#[path = "faults/formats.rs"]
mod formats;
#[path = "faults/groups.rs"]
mod groups;

use groups::with_origin;

fn inspect(path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_s2dpes")).args(["inspect", "--json"]).arg(path).output().unwrap()
}

/// Elements in alphabetical order with their counts, `O4Ti2`, and the number of the group, of what `inspect` prints.
fn answer(output: &Output) -> (String, u64) {
    let crystal: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for orbit in crystal["orbits"].as_array().unwrap() {
        *counts.entry(orbit["element"].as_str().unwrap().into()).or_default() +=
            orbit["multiplicity"].as_u64().unwrap();
    }
    let formula = counts.iter().map(|(element, n)| format!("{element}{n}")).collect();
    (formula, crystal["space_group"]["number"].as_u64().unwrap())
}

#[test]
fn every_fault_is_answered_as_it_should_be() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/faults");
    let table = std::fs::read_to_string(folder.join("FAULTS.tsv")).unwrap();
    for row in table.lines() {
        let [name, wanted, why] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        if wanted == "map" {
            let results = tempfile::tempdir().unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_s2dpes"))
                .args(["map", "--points", "4", "-o"])
                .args([results.path().join("x.h5"), folder.join(name)])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{name} ({why}): {output:?}");
            continue;
        }
        let output = inspect(&folder.join(name));
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        match (output.status.code(), wanted) {
            (Some(2), _) if wanted.starts_with("refuse") => {
                // File, line and way out.
                assert!(said.contains(&format!("{name}:")) && said.contains(';'), "{name} ({why}): {said}");
            }
            (Some(0), "warn") => {
                assert!(said.contains("WARN") && said.contains("site Si1"), "{name} ({why}): {said}")
            }
            (Some(0), _) if wanted != "refuse" => {
                let (formula, number) = wanted.trim_start_matches("refuse|").split_once(' ').unwrap();
                let (have, group) = answer(&output);
                let sorted = |text: &str| {
                    let mut parts: Vec<String> = Vec::new();
                    for c in text.chars() {
                        if c.is_ascii_uppercase() {
                            parts.push(c.into())
                        } else {
                            parts.last_mut().unwrap().push(c)
                        }
                    }
                    parts.sort();
                    parts.concat()
                };
                assert_eq!(
                    (sorted(&have), group.to_string()),
                    (sorted(formula), number.into()),
                    "{name} ({why})"
                );
            }
            (code, _) => panic!("{name} ({why}): {code:?} {said}"),
        }
    }
}

/// Reads a text as if it were a file of this name.
fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Vec<Structure>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_structures(&path).map_err(|error| {
        let message = error.to_string();
        message[message.rfind(name).unwrap() + name.len()..].to_string()
    })
}

/// Asserts the formula of the first structure, or how its refusal begins after `!`: `!:LINE: ...`; what follows `...` is
/// somewhere in it.
fn assert_answer(name: &str, text: &str, wanted: &str) {
    match (read(name, text), wanted.strip_prefix('!')) {
        (Ok(structures), None) => assert_eq!(structures[0].formula(), wanted, "{text}"),
        (Err(message), Some(wanted)) => {
            let (start, part) = wanted.split_once("...").unwrap_or((wanted, ""));
            assert!(message.starts_with(start) && message.contains(part), "{message}\n{text}");
            assert!(message.contains(';') && !message.contains('\n'), "a way out on one line: {message}");
        }
        (Ok(structures), Some(wanted)) => {
            panic!("{} is read, {wanted} expected:\n{text}", structures[0].formula())
        }
        (Err(message), None) => panic!("{wanted} is refused: {message}\n{text}"),
    }
}

/// Rutile: what stands before the sites from line 8 on, further columns, and the rows of titanium and oxygen.
fn rutile(before: &str, columns: &str, titanium: &str, oxygen: &str) -> String {
    format!(
        "data_r\n_cell_length_a 4.594\n_cell_length_b 4.594\n_cell_length_c 2.959\n_cell_angle_alpha 90\n\
         _cell_angle_beta 90\n_cell_angle_gamma 90\n{before}\nloop_\n_atom_site_label\n_atom_site_fract_x\n\
         _atom_site_fract_y\n_atom_site_fract_z\n{columns}\n{titanium}\n{oxygen}\n"
    )
}

const SYMBOL: &str = "_symmetry_space_group_name_H-M 'P 42/m n m'";

fn assert_rutile(cases: &[(&str, &str)]) {
    for (before, wanted) in cases {
        assert_answer("r.cif", &rutile(before, "", "Ti1 0 0 0", "O1 0.305 0.305 0"), wanted);
    }
}

#[test]
fn values_with_blanks_need_quotes() {
    assert_rutile(&[
        (SYMBOL, "O4Ti2"),
        ("_symmetry_space_group_name_H-M P42/mnm", "O4Ti2"),
        (
            "_symmetry_space_group_name_H-M P 42/m n m",
            "!:8: `_symmetry_space_group_name_H-M` has several values...'P 42/m n m'",
        ),
        ("_symmetry_space_group_name_H-M\nP 42/m n m", "!:9: ...quote what belongs together: 'P 42/m n m'"),
        ("_space_group_name_Hall -P 4n 2n", "!:8: `_space_group_name_Hall` has several values...'-P 4n 2n'"),
        (
            "_chemical_formula_sum O2 Ti _space_group_IT_number 136",
            "!:8: `_chemical_formula_sum` has several values...'O2 Ti'",
        ),
        (
            "loop_\n_symmetry_equiv_pos_as_xyz\nx, y, z\n-x, -y, z",
            "!:10: `x,` is no symmetry operation...in quotes",
        ),
        ("_symmetry_equiv_pos_as_xyz x, y, z", "!:8: `_symmetry_equiv_pos_as_xyz` has several values"),
        ("_symmetry_space_group_name_H-M P", "!:8: `P` is only the centring of a space group"),
        (
            "_symmetry_space_group_name_H-M 'P '\n_symmetry_equiv_pos_as_xyz x,y,z",
            "!:8: `P ` is only the centring",
        ),
        ("_symmetry_space_group_name_H-M 'P-'", "!:8: space group `P-` is not in the tables"),
        ("_symmetry_space_group_name_H-M ?\n_space_group_IT_number 136", "O4Ti2"),
    ]);
}

#[test]
fn a_stated_formula_holds_exactly_or_is_explained() {
    let of = |formula: &str| format!("{SYMBOL}\n_chemical_formula_sum {formula}");
    for (formula, wanted) in [
        ("'O2 Ti'", "O4Ti2"),
        ("TiO2", "O4Ti2"),
        ("'O2 Ti'\n_cell_formula_units_Z 2", "O4Ti2"),
        // The formula of the whole cell, as pymatgen writes it.
        ("'Ti2 O4'\n_cell_formula_units_Z 2", "O4Ti2"),
        ("'Ti2 O4'\n_cell_formula_units_Z 1", "O4Ti2"),
        ("?\n_cell_formula_units_Z ?", "O4Ti2"),
        // It cannot be compared, which the log says.
        ("'(Ti O2)n'", "O4Ti2"),
        ("'O2.00 Ti1.00'", "O4Ti2"),
        ("'O3 Ti'", "!:9: the atoms of the cell make O4Ti2...stated formula `O3 Ti` (O2 missing)"),
        ("'O Ti'", "!:9: the atoms...`O Ti` (Ti2 missing)"),
        ("'H O2 Ti'", "!:9: the atoms...(H2 missing)"),
        ("'O4 Ti2 H0.5'", "!:9: the atoms...(H0.5 missing)"),
        ("'O1.98 Ti'", "!:9: the atoms..."),
        ("'O2 Ti0.9 Zr0.1'", "!:9: the atoms...Zr0.2 missing"),
        ("'O8 Ti4'", "!:9: the atoms...(O4 Ti2 missing)"),
        (
            "'O2 Ti'\n_cell_formula_units_Z 4",
            "!:10: the atoms...2 times the stated formula `O2 Ti`, and _cell_formula_units_Z is 4",
        ),
        ("'O2 Ti'\n_cell_formula_units_Z 1", "!:10: ..._cell_formula_units_Z is 1"),
        ("'Ti2 O4'\n_cell_formula_units_Z 3", "!:10: ..._cell_formula_units_Z is 3"),
        ("'O2 Ti'\n_cell_formula_units_Z two", "!:10: _cell_formula_units_Z is `two`; write a whole number"),
    ] {
        assert_rutile(&[(of(formula).as_str(), wanted)]);
    }
}

#[test]
fn z_may_be_that_of_the_centred_or_the_primitive_cell() {
    // Rocksalt in its primitive cell and in its cubic one.
    let rocksalt = |a: f64, angle: f64, symmetry: &str, z: usize| {
        format!(
            "data_x\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha {angle}\n\
             _cell_angle_beta {angle}\n_cell_angle_gamma {angle}\n_chemical_formula_sum 'Ca O'\n_cell_formula_units_Z {z}\n\
             {symmetry}\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nCa1 0 0 0\n\
             O1 0.5 0.5 0.5\n"
        )
    };
    let cubic = "_space_group_name_H-M_alt 'F m -3 m'";
    for (z, wanted) in [(4, "Ca4O4"), (1, "Ca4O4"), (2, "!:9: "), (8, "!:9: "), (3, "!:9: ")] {
        assert_answer("x.cif", &rocksalt(4.8, 90.0, cubic, z), wanted);
    }
    for (z, wanted) in [(1, "CaO"), (4, "!:9: "), (2, "!:9: ")] {
        assert_answer(
            "x.cif",
            &rocksalt(4.8 / 2_f64.sqrt(), 60.0, "_symmetry_equiv_pos_as_xyz x,y,z", z),
            wanted,
        );
    }
}

#[test]
fn multiplicities_and_letters_hold() {
    let multiplicity = "_atom_site_symmetry_multiplicity";
    let letter = "_atom_site_Wyckoff_symbol";
    for (columns, titanium, oxygen, wanted) in [
        (multiplicity, "2", "4", "O4Ti2"),
        // The order of the site symmetry, as SHELX meant it once.
        (multiplicity, "8", "4", "O4Ti2"),
        (multiplicity, "?", "4", "O4Ti2"),
        (
            multiplicity,
            "2",
            "8",
            "!:16: site O1 has 4 atoms in the cell and its multiplicity is said to be 8",
        ),
        (multiplicity, "4", "4", "!:15: site Ti1 has 2 atoms"),
        (multiplicity, "8", "2", "!:15: site Ti1 has 2 atoms"),
        (
            multiplicity,
            "2",
            "0",
            "!:16: site O1 has _atom_site_symmetry_multiplicity `0`; write a whole number",
        ),
        ("_atom_site.site_symmetry_order", "8", "4", "O4Ti2"),
        ("_atom_site.site_symmetry_order", "2", "4", "!:15: 8 operations leave site Ti1"),
        (letter, "a", "f", "O4Ti2"),
        (letter, "2a", "4g", "O4Ti2"),
        (letter, "b", ".", "O4Ti2"),
        (letter, "c", "f", "!:15: site Ti1 is said to be on Wyckoff position `c`, which has 4 atoms"),
        (letter, "a", "j", "!:16: site O1 is said to be on Wyckoff position `j`, which has 8 atoms"),
        (
            letter,
            "a",
            "z",
            "!:16: site O1 is said to be on Wyckoff position `z`, which space group 136 does not have",
        ),
        (
            letter,
            "4a",
            "f",
            "!:15: site Ti1 is said to be on Wyckoff position `4a`, which space group 136 does not",
        ),
    ] {
        let text =
            rutile(SYMBOL, columns, &format!("Ti1 0 0 0 {titanium}"), &format!("O1 0.305 0.305 0 {oxygen}"));
        assert_answer("r.cif", &text, wanted);
    }
}

#[test]
fn labels_and_type_symbols_are_elements() {
    for (label, wanted) in [
        ("Ti1", "O4Ti2"),
        ("TI1", "O4Ti2"),
        ("Ti2A", "O4Ti2"),
        ("Ti_1", "O4Ti2"),
        ("Ti1'", "O4Ti2"),
        ("Ti4+", "O4Ti2"),
        ("D1", "H2O4"),
        ("Ti,Zr", "!:15: site Ti,Zr has no single clear element in label `Ti,Zr`"),
        ("Ti/Zr", "!:15: "),
        ("TiZr1", "!:15: "),
        ("Ti1Zr1", "!:15: "),
        ("Ti0.5Zr0.5", "!:15: "),
        ("T1", "!:15: site T1 has no single clear element in label `T1`"),
        ("T", "!:15: "),
        ("M1", "!:15: "),
        ("X", "!:15: "),
        ("Va", "!:15: "),
        ("OH", "!:15: "),
        ("O-H", "!:15: "),
        ("Wat", "!:15: "),
        ("H2O", "!:15: "),
        ("OW1", "!:15: "),
    ] {
        assert_answer("r.cif", &rutile(SYMBOL, "", &format!("{label} 0 0 0"), "O1 0.305 0.305 0"), wanted);
    }
    for (symbol, wanted) in [
        ("Ti", "O4Ti2"),
        ("Ti4+", "O4Ti2"),
        ("TI", "O4Ti2"),
        // The type symbol holds, and the log says that the label differs.
        ("Zr", "O4Zr2"),
        ("Ti,Zr", "!:15: site Ti1 has no single clear element in type symbol `Ti,Zr`"),
        ("Ti/Zr", "!:15: "),
        ("Ti+Zr", "!:15: "),
        ("0.5Ti", "!:15: "),
        ("Ti0.5", "!:15: "),
        ("OH", "!:15: "),
        ("O-H", "!:15: "),
        ("T", "!:15: "),
        ("Va", "!:15: "),
    ] {
        let text =
            rutile(SYMBOL, "_atom_site_type_symbol", &format!("Ti1 0 0 0 {symbol}"), "O1 0.305 0.305 0 O");
        assert_answer("r.cif", &text, wanted);
    }
    // A formula makes certain what a label leaves open.
    for (label, formula, wanted) in [
        ("OA1", "O2 Ti", "O4Ti2"),
        ("OW1", "O2 Ti", "O4Ti2"),
        ("OW1", "O2 Ti W", "!:17: "),
        ("OH1", "H2 O2 Ti", "!:17: "),
        ("OH1", "O2 Ti", "O4Ti2"),
    ] {
        let before = format!("{SYMBOL}\n_chemical_formula_sum '{formula}'");
        assert_answer("r.cif", &rutile(&before, "", "Ti1 0 0 0", &format!("{label} 0.305 0.305 0")), wanted);
    }
}

#[test]
fn disorder_and_hidden_hydrogens_are_refused() {
    let (group, assembly) = ("_atom_site_disorder_group", "_atom_site_disorder_assembly");
    for (column, value, wanted) in [
        (group, ".", "O4Ti2"),
        (group, "?", "O4Ti2"),
        (group, "0", "O4Ti2"),
        (group, "1", "!:16: site O1 has _atom_site_disorder_group `1`; s2dpes needs ordered crystals"),
        (group, "-1", "!:16: site O1 has _atom_site_disorder_group `-1`"),
        (group, "A", "!:16: site O1 has _atom_site_disorder_group `A`"),
        (assembly, ".", "O4Ti2"),
        (assembly, "A", "!:16: site O1 has _atom_site_disorder_assembly `A`"),
        ("_atom_site_attached_hydrogens", "0", "O4Ti2"),
        ("_atom_site_attached_hydrogens", ".", "O4Ti2"),
        ("_atom_site_attached_hydrogens", "1", "!:16: site O1 has `1` attached hydrogens without a position"),
        ("_atom_site_attached_hydrogens", "2", "!:16: site O1 has `2` attached hydrogens"),
        ("_atom_site_occupancy", "1.0(2)", "O4Ti2"),
        ("_atom_site_occupancy", "0.98", "!:16: site O1 has occupancy 0.98"),
        ("_atom_site_occupancy", "0", "!:16: site O1 has occupancy 0"),
    ] {
        let text = rutile(SYMBOL, column, "Ti1 0 0 0 .", &format!("O1 0.305 0.305 0 {value}"));
        assert_answer("r.cif", &text, wanted);
    }
    // What is told of the atoms elsewhere would be lost.
    let apart = format!("{SYMBOL}\nloop_\n_atom_site_occupancy\n0.5\n1");
    assert_rutile(&[(
        apart.as_str(),
        "!:10: _atom_site_occupancy stands apart from _atom_site_fract_x; write all",
    )]);
}

#[test]
fn tags_are_there_once() {
    let lines = |text: &str| format!("{SYMBOL}\n{text}");
    for (text, wanted) in [
        ("_cell_length_a 4.6", "!:9: `_cell_length_a` is here a second time, after line 2; keep one"),
        ("_CELL_LENGTH_A 4.594", "!:9: `_CELL_LENGTH_A` is here a second time"),
        ("_cell.length_a 4.594", "!:9: "),
        ("_symmetry_space_group_name_H-M 'P 1'", "!:9: ...after line 8"),
        ("loop_\n_x_id\n_cell_length_a\n1 4.6", "!:11: `_cell_length_a` is here a second time, after line 2"),
        ("loop_\n_atom_site_label\nTi1", "!:13: `_atom_site_label` is here a second time, after line 10"),
        ("loop_\n_x_y\nloop_\n_x_z\n1", "!:9: the loop of `_x_y` has no values"),
        ("loop_\n_x_y\n_x_z\n1 2 3", "!:12: the loop of _x_y ends 1 values into a row of 2"),
        ("_x_y", "!:9: `_x_y` has no value; write one, or `?`"),
        ("_x_y 'open\n", "!:9: the quote ' of `'open` is not closed in its line"),
        ("stop_", "!:9: `stop_` has no place in a CIF"),
        ("word", "!:9: `_symmetry_space_group_name_H-M` already has its value in line 8"),
    ] {
        assert_rutile(&[(lines(text).as_str(), wanted)]);
    }
    let whole = rutile(SYMBOL, "", "Ti1 0 0 0", "O1 0.305 0.305 0");
    assert_answer(
        "r.cif",
        &format!("CIF of rutile\n{whole}"),
        "!:1: `CIF` stands before any data block; start one",
    );
    assert_answer(
        "r.cif",
        &whole.replace("data_r\n", ""),
        "!:1: `_cell_length_a` stands before any data block",
    );
    assert_answer("r.cif", &format!("{whole};\nopen field"), "!:17: the text field is never closed");
    assert_answer("r.cif", &format!("{whole}O2 0.1 0.2\n"), "!:17: ");
    assert_answer("r.cif", &format!("\u{feff}{}", whole.replace('\n', "\r\n")), "O4Ti2");
    assert_answer(
        "r.cif",
        &format!("#\\#CIF_2.0\n{}", whole.replace("'P 42/m n m'", "'''P 42/m n m'''")),
        "O4Ti2",
    );
}

/// What the log says of a text.
fn said(name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let output = inspect(&path);
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_site_that_is_moved_is_said() {
    let site = |x: &str| with_origin("P m m m", [5.0, 7.0], "", &format!("Si1 {x} 0.2 0.3"));
    for (x, moved) in [
        ("0.008", Some("0.040")),
        ("0.4929", Some("0.035")),
        ("-0.003", Some("0.015")),
        ("0.001", None),
        ("0.5", None),
    ] {
        let said = said("x.cif", &site(x));
        match moved {
            Some(moved) => {
                assert!(said.contains(&format!("site Si1 is moved by {moved} Angstrom")), "{x}: {said}")
            }
            None => assert!(!said.contains("moved"), "{x}: {said}"),
        }
    }
    // Neither on the mirror nor an atom's distance from it.
    assert_answer(
        "x.cif",
        &site("0.015"),
        "!:15: site Si1 has 8 images, some of them barely 0.15 Angstrom apart; correct",
    );
    let thirds = "data_x\n_cell_length_a 3\n_cell_length_b 3\n_cell_length_c 5\n_cell_angle_alpha 90\n_cell_angle_beta 90\n\
        _cell_angle_gamma 120\n_symmetry_space_group_name_H-M 'P 63/m m c'\nloop_\n_atom_site_label\n_atom_site_fract_x\n\
        _atom_site_fract_y\n_atom_site_fract_z\nMg1 0.333 0.667 0.25\n";
    assert!(!said("x.cif", thirds).contains("WARN"));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let text = |before: &str| rutile(&format!("{SYMBOL}\n{before}"), "", "Ti1 0 0 0", "O1 0.305 0.305 0");
    let with = |before: &str| said("r.cif", &text(before));
    assert!(
        with("_chemical_formula_sum '(O2 Ti)n'").contains("the stated formula `(O2 Ti)n` cannot be compared")
    );
    assert!(with("_space_group_name_Hall 'P mine'").contains("space group `P mine` is not in the tables"));
    assert!(with("_chemical_formula_sum 'O2 Ti'").is_empty());
    let types = rutile(SYMBOL, "_atom_site_type_symbol", "Ti1 0 0 0 Zr", "O1 0.305 0.305 0 O");
    assert!(
        said("r.cif", &types).contains("labels and type symbols differ, and the type holds: site Ti1 (Zr)")
    );
    let spinel = with_origin(
        "F d -3 m",
        [8.08; 2],
        "",
        "Mg1 0.125 0.125 0.125\nAl1 0.5 0.5 0.5\nO1 0.2624 0.2624 0.2624",
    );
    assert!(said("x.cif", &spinel).contains("space group `F d -3 m` is taken with origin choice 2"));
}
