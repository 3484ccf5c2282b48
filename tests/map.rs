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
    let (result, picture) =
        (folder.path().join("rutile_TiO2_-O1.x.h5"), folder.path().join("rutile_TiO2_-O1.x.png"));
    assert!(picture.metadata().unwrap().len() > 1000);
    let first = contents(&result);
    assert!(first.keys().any(|k| k.ends_with("O1.x/chgnet-0.3.0/energy")), "{:?}", first.keys());
    std::fs::remove_file(&picture).unwrap();
    let (_, log) = s2dpes(folder.path(), &arguments, 0);
    assert!(log.contains("tiles were in the file already") && picture.exists(), "{log}");
    assert!(first == contents(&result));
    let (_, log) = s2dpes(folder.path(), &["map", name, "O1.x", "--points", "30"], 2);
    assert!(log.contains("--restart") && log.contains("in 30 points now and"), "{log}");
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
fn results_of_other_axes_and_models_go_to_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    common::copy_w2n3(folder.path());
    common::write_model(folder.path(), "all-elements");
    let map = |arguments: &[&str]| {
        s2dpes(folder.path(), &[&["map", "W2N3_chgnet.extxyz", "--points", "6"], arguments].concat(), 0)
    };
    map(&["-m", "embedded:demo-wn"]);
    map(&["W1.x", "-m", "embedded:demo-wn"]);
    map(&["W1.x", "-m", "embedded:demo-wn", "--dtype", "float64"]);
    map(&["W1.x", "-m", "all-elements.model", "-m", "demo=embedded:demo-wn", "--head", "demo=Default"]);
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".h5"))
        .collect();
    for expected in [
        "W2N3_chgnet-N1.x-N1.z-demo-wn.h5",
        "W2N3_chgnet-W1.x-demo-wn.h5",
        "W2N3_chgnet-W1.x-demo-wn-float64.h5",
        "W2N3_chgnet-W1.x-all-elements-demo-Default.h5",
    ] {
        assert!(names.contains(&expected.to_string()), "{expected} in {names:?}");
    }
    let both = contents(&folder.path().join("W2N3_chgnet-W1.x-all-elements-demo-Default.h5"));
    for model in ["all-elements", "demo"] {
        assert!(both.contains_key(&format!("W2N3_chgnet/W1.x/{model}/energy")), "{:?}", both.keys());
    }
}

#[test]
fn map_takes_ranges_points_symprec_and_a_scale_of_distances() {
    let folder = tempfile::tempdir().unwrap();
    common::copy_w2n3(folder.path());
    let arguments = ["map", "W2N3_chgnet.extxyz", "W1.x", "W1.z", "-m", "embedded:demo-wn", "-o", "x.h5"];
    let more = ["--points", "5,3", "--range", "-0.25,0.25", "--range", "W1.z=0.2:0.4", "--symprec", "0.02"];
    s2dpes(folder.path(), &[&arguments[..], &more, &["--distance-scale", "0"]].concat(), 0);
    let results = s2dpes::store::Results::open(&folder.path().join("x.h5")).unwrap();
    let landscape = results.landscape("W2N3_chgnet", "W1.x-W1.z").unwrap();
    let ends = |place: usize| {
        let values = &landscape.axes[place].values;
        (values.len(), values[0], values[values.len() - 1])
    };
    assert_eq!((ends(0), ends(1)), ((5, -0.25, 0.25), (3, 0.2, 0.4)));
    assert!(landscape.distance_cost.iter().all(|cost| *cost == 0.0));
    assert!(results.campaign().unwrap().contains("symprec = 0.02"));
    for (more, reason) in [
        (&["--points", "3,4,5"][..], "--points has 3 numbers, and the axes are W1.x and W1.z"),
        (&["--points", "0"], "from 1 to 1000000"),
        (&["--range", "N1.x=0,0.5"], "--range is given for N1.x"),
        (&["--range", "0.5,0.2"], "goes up"),
        (&["--range", "0,2"], "at most one period"),
        (&["--range", "0.1"], "LOW,HIGH"),
        (&["--range", "0.1,0.2", "--points", "1"], "needs 2 --points"),
        (&["--symprec", "2"], "below 1 Angstrom"),
        (&["--distance-scale", "-1"], "the scale of the radii"),
        (&["--head", "X"], "no head `X`"),
        (&["--threads", "0"], "from 1 to 4096"),
    ] {
        let (_, log) = s2dpes(folder.path(), &[&arguments[..], more].concat(), 2);
        assert!(log.contains(reason), "{more:?}: {log}");
    }
}

#[test]
fn what_cannot_be_mapped_is_said_with_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(data("golden/rutile-TiO2.extxyz")).unwrap();
    std::fs::write(folder.path().join("two.extxyz"), text.repeat(2)).unwrap();
    std::fs::write(folder.path().join("energy.extxyz"), &text).unwrap();
    let aluminium = data("golden/fcc-Al-primitive.extxyz").display().to_string();
    for (arguments, reason) in [
        (
            &["map", "A3B2_oP20_62_3c_2c:N-W"][..],
            "`s2dpes inspect A3B2_oP20_62_3c_2c:N-W` shows what is free",
        ),
        (&["map", "nowhere.cif"], "nowhere.cif: cannot be read"),
        (&["map", "two.extxyz"], "holds 2 structures (two-0, two-1), and map takes one"),
        (&["map", &aluminium], "symmetry fixes every coordinate"),
        (&["map", "energy.extxyz", "-m", "a.model", "-m", "b.pth"], "there is no model file a.model, b.pth"),
    ] {
        let (_, log) = s2dpes(folder.path(), arguments, 2);
        assert!(log.contains(reason), "{arguments:?}: {log}");
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "nothing is left behind");
    // A name that the result file has for itself.
    let (_, log) = s2dpes(folder.path(), &["map", "energy.extxyz", "--points", "4"], 0);
    assert!(log.contains("\"energy\" is called `_energy` in the result file"), "{log}");
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
