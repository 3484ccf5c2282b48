//! What structures of a campaign are called, and what happens where two want the same name.

mod common;

use std::path::Path;

use common::{program, write_model};
use s2dpes::store::Results;
use tempfile::TempDir;

/// A folder of calculations, `a/POSCAR` and so on, with a model.
fn setting(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path(), "all-elements");
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, POSCAR).unwrap();
    }
    folder
}

/// Rutile.
const POSCAR: &str = "rutile\n1.0\n4.59 0 0\n0 4.59 0\n0 0 2.96\nTi O\n2 4\nDirect\n0 0 0\n0.5 0.5 0.5\n\
                      0.305 0.305 0\n0.695 0.695 0\n0.195 0.805 0.5\n0.805 0.195 0.5\n";

/// Runs a campaign over files: exit code, what it said, and the structures of the result.
fn run(folder: &Path, structures: &str) -> (i32, String, Vec<String>) {
    let landscape = "[[structure.landscape]]\norbit = \"O\"\npoints = 4\n";
    let structures = structures.replace(';', "\n").replace("LANDSCAPE", landscape);
    let campaign = format!(
        "[campaign]\noutput = \"x.h5\"\n[[model]]\nname = \"tiny\"\nfile = \"all-elements.model\"\n\
         [[structure]]\n{structures}\n{landscape}"
    );
    std::fs::write(folder.join("x.toml"), campaign).unwrap();
    let (code, _, error) = program(folder, &[], &["run", "x.toml"]);
    let results = Results::open(&folder.join("x.h5"));
    let landscapes = results.map_or_else(|_| Vec::new(), |r| r.landscapes().unwrap());
    (code, error, landscapes.into_iter().map(|(structure, _)| structure).collect())
}

#[test]
fn a_pattern_over_folders_names_structures_after_them() {
    for (files, pattern, expected) in [
        (&["runs/a/POSCAR", "runs/b/POSCAR"][..], "\"runs/*/POSCAR\"", &["a", "b"][..]),
        (&["r/2/POSCAR", "r/10/POSCAR"], "\"r/*/POSCAR\"", &["2", "10"]),
        (&["r/a/1/CONTCAR", "r/b/1/CONTCAR"], "\"r/*/*/CONTCAR\"", &["a-1", "b-1"]),
        (&["r/a/POSCAR", "r/b/POSCAR", "r/c/POSCAR"], "\"r/{c,a}/POSCAR\"", &["c", "a"]),
        (&["a.vasp", "b/c.vasp", "b/d.vasp"], "[\"a.vasp\", \"b/*.vasp\"]", &["a", "c", "d"]),
        (&["a/POSCAR", "b/POSCAR"], "[\"a/POSCAR\", \"b/POSCAR\", \"*/POSCAR\"]", &["a", "b"]),
        (&["a/x.vasp", "b/x.vasp"], "[\"a/x.vasp\", \"b/x.vasp\"]", &["x", "b-x"]),
        (&["W2N3/POSCAR"], "\"W2N3/POSCAR\"", &["W2N3"]),
    ] {
        let folder = setting(files);
        let (code, error, names) = run(folder.path(), &format!("file = {pattern}"));
        assert_eq!(
            (code, names.iter().map(String::as_str).collect::<Vec<_>>()),
            (0, expected.to_vec()),
            "{error}"
        );
        let (code, error, _) = run(folder.path(), &format!("file = {pattern}"));
        assert!(code == 0 && error.contains("tiles were in the file already"), "{error}");
    }
}

#[test]
fn what_a_pattern_finds_that_is_no_structure_is_left_out() {
    let folder = setting(&["runs/POSCAR", "runs/POSCAR.2"]);
    std::fs::write(folder.path().join("runs/OUTCAR"), "").unwrap();
    std::fs::write(folder.path().join("runs/.POSCAR.swp"), "").unwrap();
    std::fs::create_dir(folder.path().join("runs/POSCAR.old")).unwrap();
    let (code, error, names) = run(folder.path(), "file = \"runs/*\"");
    assert_eq!((code, names), (3, vec!["POSCAR".to_string(), "POSCAR.2".into()]), "{error}");
    assert!(error.contains("left out: ") && error.contains("OUTCAR"), "{error}");
    assert!(!error.contains("swp") && !error.contains("POSCAR.old"), "{error}");
}

#[test]
fn a_clash_of_names_leaves_out_that_structure_only() {
    let folder = setting(&["a.vasp", "b.vasp", "c.vasp"]);
    let named = "name = \"x\";LANDSCAPE;[[structure]];";
    let structures = format!("file = \"a.vasp\";{named}file = \"b.vasp\";{named}file = \"c.vasp\"");
    let (code, error, names) = run(folder.path(), &structures);
    assert_eq!((code, names), (3, vec!["x".to_string(), "c".into()]), "{error}");
    assert!(error.contains("two structures are called `x`") && error.contains("b.vasp"), "{error}");
    let folder = setting(&["a.vasp"]);
    let twice = "file = \"a.vasp\";LANDSCAPE;[[structure]];file = \"*.vasp\"";
    let (code, error, names) = run(folder.path(), twice);
    assert_eq!((code, names), (3, vec!["a".to_string()]), "{error}");
    assert!(error.contains("has this file twice, as `a`"), "{error}");
}

#[test]
fn patterns_without_files_are_refused_with_their_place() {
    let folder = setting(&["a.vasp"]);
    for (file, reason) in [
        ("\"*.cif\"", "no file matches the pattern `*.cif`"),
        ("[\"a.vasp\", \"{b,c}*.cif\"]", "no file matches the pattern `{b,c}*.cif`"),
        ("\"a[.vasp\"", "the pattern `a[.vasp` cannot be understood"),
        ("[]", "no file in this list"),
        ("7", "x.toml"),
    ] {
        let (code, error, _) = run(folder.path(), &format!("file = {file}"));
        assert!(code == 2 && error.contains(reason) && error.contains('7'), "{file}: {error}");
    }
    let (code, error, _) = run(folder.path(), "file = [\"a.vasp\", \"a{,.b}.vasp\"];name = \"x\"");
    assert!(code == 2 && error.contains("each file has a name of its own"), "{error}");
}

#[test]
fn a_format_overrules_the_name_of_the_file() {
    let folder = setting(&["calculation.txt"]);
    for command in [
        &["inspect", "calculation.txt"][..],
        &["eval", "-m", "all-elements.model", "calculation.txt"],
        &["map", "-m", "all-elements.model", "--points", "4", "calculation.txt"],
    ] {
        let (code, _, error) = program(folder.path(), &[], command);
        assert_eq!(code, 2, "{command:?}: {error}");
        assert!(error.contains("the name does not tell the format"), "{error}");
        let (code, _, error) = program(folder.path(), &[], &[command, &["--format", "poscar"]].concat());
        assert_eq!(code, 0, "{command:?}: {error}");
        let (code, ..) = program(folder.path(), &[], &[command, &["--format", "cif"]].concat());
        assert_ne!(code, 0, "{command:?}");
    }
    let (code, error, names) = run(folder.path(), "file = \"calculation.txt\"\nformat = \"poscar\"");
    assert_eq!((code, names), (0, vec!["calculation.txt".to_string()]), "{error}");
    let (code, error, _) = run(folder.path(), "file = \"calculation.txt\"\nformat = \"vasp\"");
    assert_eq!(code, 2);
    assert!(
        error.contains("x.toml:8:10") && error.contains("this is not a format of structure files"),
        "{error}"
    );
}
