//! `s2dpes map`, and the model that is used where none is named.

mod common;

use std::path::Path;
use std::process::Command;

use common::{contents, data};
use serde_json::Value;

/// Standard output and error of a command that must end with a code.
fn s2dpes(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_s2dpes")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    (out, error)
}

#[test]
fn map_computes_a_landscape_draws_it_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // A name that looks like a pattern.
    let name = "rutile [TiO2].extxyz";
    std::fs::copy(data("golden/rutile-TiO2.extxyz"), folder.path().join(name)).unwrap();
    let arguments = ["map", name, "O1.x", "--points", "24"];
    s2dpes(folder.path(), &arguments, 0);
    let (result, picture) = (folder.path().join("rutile [TiO2].h5"), folder.path().join("rutile [TiO2].png"));
    assert!(picture.metadata().unwrap().len() > 1000);
    let first = contents(&result);
    assert!(first.keys().any(|k| k.ends_with("O1.x/chgnet-0.3.0/energy")), "{:?}", first.keys());
    std::fs::remove_file(&picture).unwrap();
    let (_, log) = s2dpes(folder.path(), &arguments, 0);
    assert!(log.contains("tiles were in the file already") && picture.exists(), "{log}");
    assert!(first == contents(&result));
    let (_, log) = s2dpes(folder.path(), &["map", name, "O1.x", "--points", "30"], 2);
    assert!(log.contains("--restart"), "{log}");
    s2dpes(folder.path(), &["map", name, "O1.x", "--points", "30", "--restart"], 0);
    let (_, log) = s2dpes(folder.path(), &["map", name, "O9.x", "-o", "other.h5"], 2);
    assert!(
        log.contains("`O9.x` is not a free coordinate") && !folder.path().join("other.h5").exists(),
        "{log}"
    );
}

#[test]
fn map_takes_any_model_and_finds_coordinates_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    common::copy_w2n3(folder.path());
    let model = common::write_model(folder.path(), "all-elements");
    let model = model.to_str().unwrap();
    let arguments =
        ["map", "W2N3_chgnet.extxyz", "--points", "6", "--model", model, "-o", "mine.h5", "--dtype", "f64"];
    s2dpes(folder.path(), &arguments, 0);
    assert!(folder.path().join("mine.png").exists());
    let found = contents(&folder.path().join("mine.h5"));
    assert!(found.keys().any(|k| k.ends_with("N1.x-N1.z/all-elements/energy")), "{:?}", found.keys());
}

#[test]
fn the_model_inside_the_program_is_used_where_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(data("golden/rutile-TiO2.extxyz"), folder.path().join("rutile.extxyz")).unwrap();
    let campaign = "[campaign]\noutput = \"x.h5\"\n[[structure]]\nfile = \"rutile.extxyz\"\n\
                    [[structure.landscape]]\naxes = [ { dof = \"O1.x\", points = 12 } ]\n";
    std::fs::write(folder.path().join("x.toml"), campaign).unwrap();
    let (plan, _) = s2dpes(folder.path(), &["plan", "--cost", "x.toml"], 0);
    assert!(plan.contains("rutile/O1.x/chgnet-0.3.0") && plan.contains("messages along angles"), "{plan}");
    s2dpes(folder.path(), &["run", "x.toml"], 0);
    let (status, _) = s2dpes(folder.path(), &["status", "x.h5"], 0);
    assert!(status.contains("rutile/O1.x/chgnet-0.3.0"), "{status}");
    let eval = |model: &[&str]| {
        let arguments = [&["eval", "--json", "rutile.extxyz"], model].concat();
        let value: Value = serde_json::from_str(&s2dpes(folder.path(), &arguments, 0).0).unwrap();
        value[0]["energy_per_atom_eV"].as_f64().unwrap()
    };
    assert_eq!(eval(&[]), eval(&["--model", "embedded:chgnet-0.3.0"]));
    let (list, _) = s2dpes(folder.path(), &["model", "list"], 0);
    assert!(list.contains("embedded:chgnet-0.3.0") && list.contains("embedded:demo-wn"), "{list}");
    let (info, _) = s2dpes(folder.path(), &["model", "info", "embedded:chgnet-0.3.0", "--json"], 0);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(
        (info["architecture"].as_str(), info["elements"].as_array().unwrap().len()),
        (Some("CHGNet"), 94)
    );
}
