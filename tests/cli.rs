//! The program as its users run it: output, exit codes, sentences.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use common::{Random, data, write_model};
use s2dpes::crystal::read_structure;
use serde_json::Value;
use tempfile::TempDir;

fn s2dpes(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a command that must succeed.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = s2dpes(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a command that must fail with a code, and print nothing.
fn fail(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = s2dpes(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(!message.contains("panicked"), "{message}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    message
}

/// The shared campaign with more points.
static CAMPAIGN: LazyLock<String> = LazyLock::new(|| {
    let campaign =
        common::CAMPAIGN.replace("points = 10", "points = 20").replace("points = 12", "points = 20");
    assert_eq!(campaign.matches("points = 20").count(), 2);
    campaign
});

/// A folder with models and structures, and the campaign of the tests.
fn setting() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path(), "mp0-L1");
    for file in ["perovskite-CaTiO3-Pnma.extxyz", "rutile-TiO2.extxyz", "fcc-Al-primitive.extxyz"] {
        std::fs::copy(data(&format!("golden/{file}")), folder.path().join(file)).unwrap();
    }
    std::fs::write(folder.path().join("campaign.toml"), &*CAMPAIGN).unwrap();
    folder
}

#[test]
fn inspect_shows_the_symmetry_and_a_snippet_that_runs() {
    let folder = setting();
    let out = succeed(folder.path(), &["inspect", "perovskite-CaTiO3-Pnma.extxyz"]);
    for part in
        ["P n m a (62)", "oP20", "AB3C_oP20_62_c_cd_a:Ca-O-Ti", "Ca1    Ca       4c", ".m.", "x,1/4,z"]
    {
        assert!(out.contains(part), "{part} in {out}");
    }
    let snippet = &out[out.find("[[structure]]").unwrap()..];
    let counts = "file = \"perovskite-CaTiO3-Pnma.extxyz\"  # counts from the folder of the campaign file";
    assert!(snippet.contains(counts), "{snippet}");
    let absolute = folder.path().join("rutile-TiO2.extxyz");
    assert!(!succeed(folder.path(), &["inspect", absolute.to_str().unwrap()]).contains("# counts"));
    let campaign = format!(
        "[campaign]\noutput = \"x.h5\"\n[[model]]\nname = \"m\"\nfile = \"mp0-L1.model\"\n{}",
        snippet.replace("120", "4")
    );
    std::fs::write(folder.path().join("snippet.toml"), campaign).unwrap();
    succeed(folder.path(), &["run", "snippet.toml"]);
}

#[test]
fn inspect_writes_the_symmetrised_crystal_in_the_cell_of_its_file() {
    let folder = setting();
    let name = "anatase-TiO2-primitive";
    std::fs::copy(data(&format!("golden/{name}.extxyz")), folder.path().join("in.extxyz")).unwrap();
    let out = succeed(folder.path(), &["inspect", "in.extxyz", "--write", "out.extxyz"]);
    assert!(out.contains("in file's axes  b + c, a + c, a + b; origin 0, 0, 0"), "{out}");
    let [read, written] =
        ["in", "out"].map(|n| read_structure(&folder.path().join(format!("{n}.extxyz"))).unwrap());
    assert_eq!(written.species, read.species);
    assert!((written.lattice - read.lattice).amax() < 1e-6);
    for (a, b) in written.positions.iter().zip(&read.positions) {
        assert!((a - b).amax() < 1e-6, "{a} {b}");
    }
    let message = fail(folder.path(), &["inspect", "in.extxyz", "--write", "in.extxyz"], 2);
    assert!(message.contains("does not write over what is there"), "{message}");
    let message = fail(folder.path(), &["inspect", "in.extxyz", "--write", "out.cif"], 2);
    assert!(message.contains(".extxyz"), "{message}");
}

#[test]
fn the_head_in_use_is_said() {
    let folder = setting();
    write_model(folder.path(), "heads-2");
    let arguments = ["eval", "--model", "heads-2.model", "rutile-TiO2.extxyz"];
    let said = |arguments: &[&str]| text(&s2dpes(folder.path(), arguments).stderr);
    let message = said(&arguments);
    assert!(message.contains("heads-2.model has the heads pbe, r2scan; `pbe` is used"), "{message}");
    assert!(!said(&[&arguments[..], &["--head", "r2scan"]].concat()).contains("is used"));
}

#[test]
fn inspect_tells_of_a_crystal_with_noise() {
    let folder = setting();
    let exact = std::fs::read_to_string(folder.path().join("rutile-TiO2.extxyz")).unwrap();
    let mut random = Random(1);
    let noisy = exact.lines().enumerate().map(|(i, line)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let noise = |w: &str| (w.parse::<f64>().unwrap() + 0.006 * (random.unit() - 0.5)).to_string();
        if i < 2 {
            line.to_string()
        } else {
            format!("{} {}", words[0], words[1..].iter().copied().map(noise).collect::<Vec<_>>().join(" "))
        }
    });
    let noisy: Vec<String> = noisy.collect();
    std::fs::write(folder.path().join("noisy.extxyz"), noisy.join("\n") + "\n").unwrap();
    let arguments = ["inspect", "noisy.extxyz", "--symprec", "0.001"];
    let out = succeed(folder.path(), &arguments);
    let notes: Vec<&str> = out.lines().filter(|l| l.starts_with("note ")).collect();
    let last = "at symprec 0.001, but P 4_2/m n m (136) at symprec 0.0";
    assert!(notes.last().is_some_and(|n| n.contains(last)), "{out}");
    let json = succeed(folder.path(), &[&arguments[..], &["--json"]].concat());
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["notes"].as_array().unwrap().len(), notes.len());
    assert_eq!(value["transformation"]["matrix"][0][0], 1.0);
    assert!(value["transformation"]["shift"][2].as_f64().unwrap().abs() < 1e-3);
}

#[test]
fn inspect_prints_json() {
    let folder = setting();
    let out = succeed(folder.path(), &["inspect", "--json", "rutile-TiO2.extxyz"]);
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["space_group"]["number"], 136);
    assert_eq!(value["protostructure"], "A2B_tP6_136_f_a:O-Ti");
    let oxygen = &value["orbits"][0];
    assert_eq!((oxygen["name"].as_str(), oxygen["letter"].as_str()), (Some("O1"), Some("f")));
    assert!((oxygen["free"]["x"].as_f64().unwrap() - 0.3053).abs() < 1e-3);
    let titanium = &value["orbits"][1];
    assert_eq!(titanium["free"].as_object().unwrap().len(), 0);
}

#[test]
fn inspect_reads_labels() {
    let folder = setting();
    let out = succeed(folder.path(), &["inspect", "A4B2C_hP14_187_g_in_gh:Cu-O-S"]);
    assert!(out.contains("AB4C2_hP14_187_g_hn_gi:Cu-O-S"), "{out}");
    assert!(out.contains("6n") && out.contains("x z"), "{out}");
    assert!(
        out.contains("A label has no lattice and no coordinates") && out.contains("s2dpes map FILE"),
        "{out}"
    );
    let out = succeed(folder.path(), &["inspect", "--json", "A3B2_oP20_62_3c_2c:N-W"]);
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["orbits"].as_array().unwrap().len(), 5);
    let message = fail(folder.path(), &["inspect", "A3B2_oP20_62_3c_2q:N-W"], 2);
    assert!(message.contains("no Wyckoff position q"), "{message}");
}

#[test]
fn eval_prints_one_object_a_frame() {
    let folder = setting();
    let two = std::fs::read_to_string(folder.path().join("rutile-TiO2.extxyz")).unwrap().repeat(2);
    std::fs::write(folder.path().join("two.extxyz"), two).unwrap();
    let arguments = ["eval", "--model", "mp0-L1.model", "two.extxyz", "fcc-Al-primitive.extxyz", "--json"];
    let frames: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();
    let frames = frames.as_array().unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!((frames[1]["frame"].as_u64(), frames[1]["n_atoms"].as_u64()), (Some(1), Some(6)));
    assert_eq!(frames[0]["n_representatives"], 2);
    let energy = |frame: &Value, key: &str| frame[key].as_f64().unwrap();
    assert!((energy(&frames[0], "energy_eV") - 6.0 * energy(&frames[0], "energy_per_atom_eV")).abs() < 1e-9);
    assert!((energy(&frames[0], "min_distance_A") - 1.9465375).abs() < 1e-6);
    assert!(energy(&frames[0], "distance_cost_A") >= 0.0);
    let more = ["--dtype", "f64", "--no-symmetry", "--threads", "1", "--head", "Default"];
    let full: Value =
        serde_json::from_str(&succeed(folder.path(), &[&arguments[..], &more[..]].concat())).unwrap();
    assert_eq!(full[0]["n_representatives"], 6);
    assert!((energy(&full[0], "energy_per_atom_eV") - energy(&frames[0], "energy_per_atom_eV")).abs() < 1e-4);
}

#[test]
fn eval_goes_on_after_a_bad_file_and_says_so() {
    let folder = setting();
    let output = s2dpes(
        folder.path(),
        &["eval", "--model", "mp0-L1.model", "missing.cif", "rutile-TiO2.extxyz", "--json"],
    );
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("missing.cif"));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().len(), 1);
    let message = fail(folder.path(), &["eval", "--model", "mp0-L1.model", "missing.cif"], 2);
    assert!(message.contains("missing.cif: cannot be read"), "{message}");
}

#[test]
fn model_info_names_what_a_file_holds() {
    let folder = setting();
    let out = succeed(folder.path(), &["model", "info", "mp0-L1.model"]);
    for part in
        ["MACE", "RealAgnosticResidualInteractionBlock -> 8x0e+8x1o", "6 Angstrom", "sha256", "float64"]
    {
        assert!(out.contains(part), "{part} in {out}");
    }
    let value: Value =
        serde_json::from_str(&succeed(folder.path(), &["model", "info", "mp0-L1.model", "--json"])).unwrap();
    assert_eq!(value["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(value["heads"][0], "Default");
    assert!(fail(folder.path(), &["model", "info", "campaign.toml"], 2).contains("not a model file"));
}

#[test]
fn plan_run_and_plot_go_hand_in_hand() {
    let folder = setting();
    let plan = succeed(folder.path(), &["plan", "campaign.toml"]);
    assert!(plan.contains("CaTiO3/Ca1.x-Ca1.z/tiny  20 x 20     400          200"), "{plan}");
    assert!(!folder.path().join("result.h5").exists());
    assert_eq!(succeed(folder.path(), &["run", "campaign.toml"]), "", "results are in the file");
    succeed(folder.path(), &["plot", "result.h5"]);
    let picture = if cfg!(feature = "figures") { "png" } else { "svg" };
    assert!(folder.path().join(format!("result-CaTiO3-Ca1.x-Ca1.z.{picture}")).exists());
    let options =
        ["--relative-to", "reference", "--range", "-1,3", "--width", "double", "--colours", "cividis"];
    succeed(folder.path(), &[&["plot", "result.h5", "-o", "a.svg"], &options[..]].concat());
    let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
    assert!(svg.contains("AB3C_oP20_62_c_cd_a"), "the label is in the title");
    for (arguments, reason) in [
        (&["plot", "missing.h5"][..], "missing.h5"),
        (&["plot", "campaign.toml"], "campaign.toml"),
        (&["plot", "result.h5", "--structure", "X"], "there is CaTiO3/Ca1.x-Ca1.z"),
        (&["plot", "result.h5", "--models", "X"], "there is tiny"),
        (&["plot", "result.h5", "--difference", "X"], "\"X\""),
        (&["plot", "result.h5", "-o", "x.gif"], ".svg, .png or .pdf"),
        (&["plot", "result.h5", "--range", "3"], "LOW,HIGH"),
    ] {
        let message = fail(folder.path(), arguments, 2);
        assert!(message.contains(reason), "{arguments:?}: {message}");
    }
}

#[test]
fn plot_draws_as_it_is_told() {
    let folder = setting();
    let path = |name: &str| folder.path().join(name);
    succeed(folder.path(), &["run", "campaign.toml"]);
    succeed(folder.path(), &["plot", "result.h5", "--format", "svg", "--title", "none", "--levels", "4"]);
    let few = std::fs::read_to_string(path("result-CaTiO3-Ca1.x-Ca1.z.svg")).unwrap();
    assert!(!few.contains("AB3C_oP20"), "no title");
    succeed(folder.path(), &["plot", "result.h5", "-o", "x.svg", "--title", "My <crystal>", "--size", "5"]);
    let many = std::fs::read_to_string(path("x.svg")).unwrap();
    assert!(many.contains("My &lt;crystal&gt;") && many.contains("width=\"5.0000in\""));
    assert!(many.matches("fill-rule").count() > few.matches("fill-rule").count() + 5, "more levels");
    succeed(folder.path(), &["plot", "result.h5", "--sheet", "sheet.svg", "--masked", "hide"]);
    assert!(std::fs::read_to_string(path("sheet.svg")).unwrap().contains("CaTiO3 Ca1.x Ca1.z"));
    if cfg!(feature = "figures") {
        succeed(folder.path(), &["plot", "result.h5", "--format", "pdf"]);
        assert!(std::fs::read(path("result-CaTiO3-Ca1.x-Ca1.z.pdf")).unwrap().starts_with(b"%PDF"));
        let bytes = |dpi: &str| {
            succeed(folder.path(), &["plot", "result.h5", "-o", "x.png", "--dpi", dpi]);
            std::fs::read(path("x.png")).unwrap()
        };
        // Width in the header: 3.4 inches.
        assert_eq!(
            [bytes("100")[16..20].to_vec(), bytes("200")[16..20].to_vec()],
            [[0, 0, 1, 84], [0, 0, 2, 168]]
        );
        assert!(
            fail(folder.path(), &["plot", "result.h5", "-o", "x.png", "--dpi", "5"], 2)
                .contains("20 to 1200")
        );
    }
    for (option, value, reason) in [
        ("--format", "gif", "svg, png, pdf"),
        ("--masked", "gone", "pale, hide"),
        ("--levels", "1", "from 2 to 64"),
        ("--width", "wide", "single, double, and inches"),
        ("--size", "100", "from 2 to 40 inches"),
    ] {
        let message = fail(folder.path(), &["plot", "result.h5", option, value], 2);
        assert!(message.contains(reason), "{option}: {message}");
    }
}

#[test]
fn runs_that_start_at_once_leave_one_whole_file() {
    let folder = setting();
    let expected = succeed(folder.path(), &["run", "campaign.toml", "--output", "alone.h5"]);
    assert_eq!(expected, "");
    for round in 0..4 {
        let name = format!("round-{round}.h5");
        let start = |_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
            command.current_dir(folder.path()).args(["run", "campaign.toml", "--output", &name]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..4).map(start).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let message = text(&output.stderr);
            // Whoever does not get the file says so; whoever comes later finds it complete.
            let in_use = output.status.code() == Some(2) && message.contains("another run is using");
            assert!(in_use || output.status.code() == Some(0), "{:?} {message}", output.status);
        }
        succeed(folder.path(), &["run", "campaign.toml", "--output", &name]);
        let energies = |file: &str| {
            let results = s2dpes::store::Results::open(&folder.path().join(file)).unwrap();
            let landscape = results.landscape("CaTiO3", "Ca1.x-Ca1.z").unwrap();
            assert_eq!(landscape.axes[0].values[1], 0.05);
            landscape.models[0].energy.iter().map(|e| e.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(energies(&name), energies("alone.h5"));
    }
    let left = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn files_that_cannot_be_opened_or_made_are_explained_in_words() {
    let folder = setting();
    succeed(folder.path(), &["run", "campaign.toml"]);
    let whole = std::fs::read(folder.path().join("result.h5")).unwrap();
    std::fs::write(folder.path().join("cut.h5"), &whole[..20_000]).unwrap();
    for (arguments, reason) in [
        (&["plot", "missing.h5"][..], "missing.h5: there is no such file"),
        (&["plot", "campaign.toml"], "campaign.toml: it is no HDF5 file"),
        (&["plot", "cut.h5"], "cut.h5: its end is missing; copy it again"),
        (&["run", "campaign.toml", "-o", "no/such/x.h5"], "the folder no/such does not exist; make it"),
    ] {
        let message = fail(folder.path(), arguments, 2);
        assert!(message.contains(reason), "{arguments:?}: {message}");
        assert!(!message.contains("errno") && !message.contains("H5F"), "{message}");
    }
    let missing = CAMPAIGN.replace("name = \"CaTiO3\"", "").replace("perovskite", "nowhere");
    std::fs::write(folder.path().join("campaign.toml"), missing).unwrap();
    let message = fail(folder.path(), &["plan", "campaign.toml"], 2);
    assert_eq!(message.matches("nowhere-CaTiO3-Pnma.extxyz").count(), 1, "{message}");
}

#[test]
fn bad_campaigns_end_with_code_2_and_leave_nothing_behind() {
    let folder = setting();
    std::fs::write(folder.path().join("half.cif"), HALF_OCCUPIED).unwrap();
    let perovskite = "perovskite-CaTiO3-Pnma.extxyz";
    for (from, to, reason) in [
        ("Ca1.x", "Ca1.y", "`Ca1.y` is not a free coordinate of CaTiO3; free are: Ca1 (4c: x z)"),
        ("points = 20", "points = 0", "campaign.toml:12:"),
        ("points = 20", "pionts = 20", "unknown field `pionts`"),
        ("\"mp0-L1.model\"", "\"nowhere.model\"", "nowhere.model: it cannot be read"),
        (perovskite, "nowhere.cif", "nowhere.cif: cannot be read"),
        (perovskite, "half.cif", "half.cif:17: "),
        (perovskite, "campaign.toml", "reads CIF"),
        (perovskite, "*.nothing", "no file matches"),
        (perovskite, "fcc-Al-primitive.extxyz", "is not a free coordinate"),
        ("output = \"result.h5\"", "output = \"no/such/folder/result.h5\"", "no/such/folder/result.h5"),
        ("output = \"result.h5\"", "output = \"result.h5\"\nsymprec = 7.0", "symprec"),
        ("name = \"tiny\"", "name = \"a/b\"", "cannot be used in the result file"),
        ("[[model]]", "[[modell]]", "unknown field `modell`"),
        ("[campaign]", "[campaign", "TOML parse error"),
    ] {
        let campaign = CAMPAIGN.replacen(from, to, 1);
        assert_ne!(campaign, *CAMPAIGN, "{from}");
        std::fs::write(folder.path().join("campaign.toml"), campaign).unwrap();
        let message = fail(folder.path(), &["run", "campaign.toml"], 2);
        assert!(message.contains(reason), "{to}: {message}");
        let left = std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().contains(".h5"));
        assert_eq!(left.count(), 0, "{to}");
    }
    let twice = CAMPAIGN.replace("[[structure]]", "[[structure]]\nfile = \"rutile-TiO2.extxyz\"\nname = \"CaTiO3\"\n[[structure.landscape]]\norbit = \"O\"\npoints = 4\n[[structure]]");
    std::fs::write(folder.path().join("campaign.toml"), twice).unwrap();
    let output = s2dpes(folder.path(), &["run", "campaign.toml"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("two structures are called `CaTiO3`"), "{message}");
}

const HALF_OCCUPIED: &str = "data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Ca1 Ca 0 0 0 1.0
O1 O 0.5 0.5 0.5 0.5
";

#[test]
fn a_campaign_with_one_bad_structure_ends_with_code_3_and_names_it() {
    let folder = setting();
    std::fs::write(folder.path().join("half.cif"), HALF_OCCUPIED).unwrap();
    let more = "[[structure]]\nfile = \"half.cif\"\n[[structure.landscape]]\norbit = \"O\"\npoints = 4\n";
    std::fs::write(folder.path().join("campaign.toml"), format!("{}{more}", *CAMPAIGN)).unwrap();
    let output = s2dpes(folder.path(), &["run", "campaign.toml"]);
    assert_eq!(output.status.code(), Some(3));
    let log = text(&output.stderr);
    assert!(log.contains("left out: half.cif") || log.contains("half.cif:17"), "{log}");
    assert!(folder.path().join("result.h5").exists());
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let folder = setting();
    let campaign = CAMPAIGN
        .replace("points = 20", "points = 60")
        .replace("tile_points = 16", "tile_points = 9\nequivalence = \"none\"");
    std::fs::write(folder.path().join("campaign.toml"), &campaign).unwrap();
    let whole = campaign.replace("result.h5", "whole.h5");
    std::fs::write(folder.path().join("whole.toml"), whole).unwrap();
    succeed(folder.path(), &["run", "whole.toml"]);
    let mut random = Random(std::process::id().into());
    let mut kills = 0;
    // Sooner at first, since a fast machine is done before long.
    for attempt in 1..=12 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_s2dpes"))
            .current_dir(folder.path())
            .args(["run", "campaign.toml"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(random.below(30 * attempt) as u64));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0);
    succeed(folder.path(), &["run", "campaign.toml"]);
    let read = |file: &str| -> (Vec<u64>, Vec<u8>) {
        let results = s2dpes::store::Results::open(&folder.path().join(file)).unwrap();
        let landscape = results.landscape("CaTiO3", "Ca1.x-Ca1.z").unwrap();
        let model = &landscape.models[0];
        let values = model.energy.iter().chain(&landscape.distance_cost).map(|v| v.to_bits());
        (values.collect(), [model.status.clone(), model.tile_states.clone()].concat())
    };
    assert!(read("result.h5") == read("whole.h5"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = setting();
    let mut child = Command::new(env!("CARGO_BIN_EXE_s2dpes"))
        .current_dir(folder.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}

#[test]
fn version_and_help_say_what_this_is() {
    let folder = setting();
    assert!(succeed(folder.path(), &["--version"]).starts_with("s2dpes 0."));
    let help = succeed(folder.path(), &["--help"]);
    for command in ["inspect", "eval", "map", "plan", "run", "plot", "model"] {
        assert!(help.contains(command), "{command}");
        assert!(succeed(folder.path(), &[command, "--help"]).len() > 80);
    }
    let help = succeed(folder.path(), &["inspect", "--help"]);
    assert!(help.contains("Example: s2dpes inspect W2N3.cif"), "{help}");
    let help = succeed(folder.path(), &["run", "--help"]);
    assert!(help.contains("The same command goes on where an earlier one was stopped"), "{help}");
    let _: PathBuf = folder.keep();
}
