//! Where results and pictures may go: nothing that exists and is not ours is written over, and nothing of ours is left lying.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{CAMPAIGN, campaign_folder, program};

/// Standard error of a command that is refused.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let (code, out, error) = program(folder, &[], arguments);
    assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
    error
}

/// Everything below a folder: names, and the bytes of ordinary files.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            (path.display().to_string(), bytes)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn results_have_names_of_results() {
    let folder = campaign_folder();
    let structure = "perovskite-CaTiO3-Pnma.extxyz";
    let before = snapshot(folder.path());
    for (output, reason) in [
        ("x.png", "write x.h5"),
        ("x.SVG", "write x.h5"),
        ("x.toml", "write x.toml.h5"),
        ("campaign.toml", "not in .toml"),
        (structure, "not in .extxyz"),
        ("mp0-L1.model", "not in .model"),
        ("folder/", "names no file"),
    ] {
        for command in [&["run", "campaign.toml", "-o", output][..], &["map", structure, "-o", output]] {
            let error = refused(folder.path(), command);
            assert!(error.contains(reason), "{output}: {error}");
        }
        let other = CAMPAIGN.replace("result.h5", output);
        std::fs::write(folder.path().join("other.toml"), other).unwrap();
        for command in ["run", "plan"] {
            let error = refused(folder.path(), &[command, "other.toml"]);
            assert!(error.contains(reason) && error.contains("other.toml:3:10"), "{output}: {error}");
        }
        std::fs::remove_file(folder.path().join("other.toml")).unwrap();
    }
    assert!(snapshot(folder.path()) == before);
    for output in ["x", "x.HDF5", "x.nc"] {
        assert_eq!(program(folder.path(), &[], &["run", "campaign.toml", "-o", output]).0, 0);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_result_stays_as_it_is() {
    let folder = campaign_folder();
    let path = |name: &str| folder.path().join(name);
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, path(name)).unwrap();
    std::fs::write(path("notes.h5"), "precious").unwrap();
    std::fs::write(path("empty.h5"), "").unwrap();
    std::fs::hard_link(path("campaign.toml"), path("hard.h5")).unwrap();
    std::fs::create_dir(path("folder.h5")).unwrap();
    link("notes.h5", "link.h5");
    link("folder.h5", "to-folder.h5");
    link("circle.h5", "circle.h5");
    link("picture.png", "dangling.h5");
    link("/dev/null", "device.h5");
    assert!(Command::new("mkfifo").arg(path("pipe.h5")).status().unwrap().success());
    {
        let foreign = hdf5::File::create(path("foreign.h5")).unwrap();
        foreign.create_group("measured").unwrap();
    }
    let before = snapshot(folder.path());
    for (output, reason) in [
        ("notes.h5", "no readable result of s2dpes"),
        ("empty.h5", "no readable result of s2dpes"),
        ("hard.h5", "no readable result of s2dpes"),
        ("foreign.h5", "no readable result of s2dpes"),
        ("folder.h5", "it is a folder"),
        ("link.h5", "notes.h5: it exists and is no readable result of s2dpes"),
        ("to-folder.h5", "folder.h5: it is a folder"),
        ("circle.h5", "leads nowhere"),
        ("dangling.h5", "picture.png: results go to an HDF5 file"),
        ("device.h5", "device, pipe or socket"),
        ("pipe.h5", "device, pipe or socket"),
    ] {
        for more in [&[][..], &["--restart"]] {
            let arguments = [&["run", "campaign.toml", "-o", output], more].concat();
            let error = refused(folder.path(), &arguments);
            assert!(error.contains(reason) && !error.contains("--restart"), "{output}: {error}");
        }
        let error = refused(folder.path(), &["status", output]);
        assert!(error.contains(".h5: ") || error.contains(".png: "), "{output}: {error}");
    }
    assert!(snapshot(folder.path()) == before);
}

#[cfg(unix)]
#[test]
fn to_start_over_leaves_other_names_of_the_old_results_alone() {
    let folder = campaign_folder();
    assert_eq!(program(folder.path(), &[], &["run", "campaign.toml"]).0, 0);
    let kept = folder.path().join("kept.h5");
    std::fs::hard_link(folder.path().join("result.h5"), &kept).unwrap();
    let before = std::fs::read(&kept).unwrap();
    assert_eq!(program(folder.path(), &[], &["run", "campaign.toml", "--restart"]).0, 0);
    assert!(std::fs::read(&kept).unwrap() == before);
}

#[test]
fn a_picture_of_somebody_else_is_not_drawn_over() {
    let folder = campaign_folder();
    let picture = folder.path().join(if cfg!(feature = "figures") { "x.png" } else { "x.svg" });
    let map = [
        "map",
        "perovskite-CaTiO3-Pnma.extxyz",
        "Ca1.x",
        "--points",
        "6",
        "-m",
        "mp0-L1.model",
        "-o",
        "x.h5",
    ];
    std::fs::write(&picture, "precious").unwrap();
    let error = refused(folder.path(), &map);
    assert!(error.contains("no picture of s2dpes") && error.contains("-o"), "{error}");
    assert!(std::fs::read(&picture).unwrap() == b"precious" && !folder.path().join("x.h5").exists());
    std::fs::remove_file(&picture).unwrap();
    assert_eq!(program(folder.path(), &[], &map).0, 0);
    let drawn = std::fs::read(&picture).unwrap();
    // One of ours is drawn anew.
    std::fs::remove_file(folder.path().join("x.h5")).unwrap();
    assert_eq!(program(folder.path(), &[], &map).0, 0);
    assert!(s2dpes::plot::is_ours(&picture) && std::fs::read(&picture).unwrap() == drawn);
}

#[test]
fn what_a_killed_start_left_behind_is_removed_by_the_next() {
    let folder = campaign_folder();
    // A file of many structures takes a while to be made.
    let structures = common::data("campaign/structures");
    let campaign = format!(
        "[campaign]\noutput = \"result.h5\"\n[[model]]\nname = \"tiny\"\nfile = \"mp0-L1.model\"\n[[structure]]\n\
         file = \"{}/*POSCAR-0*.extxyz\"\n[[structure.landscape]]\norbit = \"first-free\"\npoints = 2\n{}",
        structures.display(),
        CAMPAIGN.split("mp0-L1.model\"").nth(1).unwrap()
    );
    std::fs::write(folder.path().join("many.toml"), campaign).unwrap();
    let partials = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".partial")).count()
    };
    let mut left = 0;
    for _ in 0..20 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
        command.current_dir(folder.path()).args(["run", "many.toml", "--restart"]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        while partials() == left && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        left = partials();
        if left > 0 {
            break;
        }
    }
    assert!(left > 0, "no start was killed while it made the file");
    let foreign = folder.path().join("result.h5.partial");
    std::fs::write(&foreign, "mine").unwrap();
    let (code, _, error) = program(folder.path(), &[], &["run", "campaign.toml", "--restart"]);
    assert!(code == 0 && error.contains("which a killed run left behind"), "{error}");
    assert_eq!((partials(), std::fs::read(foreign).unwrap()), (1, b"mine".to_vec()));
}

#[test]
fn of_runs_that_start_over_at_once_one_does() {
    let folder = campaign_folder();
    let structure = "perovskite-CaTiO3-Pnma.extxyz";
    let map = |points: &str, restart: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
        command.current_dir(folder.path()).args(["map", structure, "Ca1.x", "Ca1.z", "-m", "mp0-L1.model"]);
        command.args(["-o", "x.h5", "--points", points]).args(restart);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    assert!(map("4", &[]).wait().unwrap().success());
    for _ in 0..2 {
        // Long enough that none ends before the others have started.
        let runs: Vec<_> = (0..3).map(|_| map("400", &["--restart"])).collect();
        let outputs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
        let said = |code: i32| {
            let ended = outputs.iter().filter(move |output| output.status.code() == Some(code));
            ended.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!((said(0).len(), said(2).len()), (1, 2), "{outputs:?}");
        assert!(said(2).iter().all(|error| error.contains("another run is using")), "{outputs:?}");
        let (_, status, _) = program(folder.path(), &[], &["status", "x.h5"]);
        assert!(status.contains(" 0 open, 0 failed"), "{status}");
    }
}

#[test]
fn pictures_never_go_over_anything_else() {
    let folder = campaign_folder();
    let succeed =
        |arguments: &[&str]| assert_eq!(program(folder.path(), &[], arguments).0, 0, "{arguments:?}");
    let path = |name: &str| folder.path().join(name);
    succeed(&["run", "campaign.toml"]);
    std::fs::create_dir(path("folder.svg")).unwrap();
    std::fs::write(path("notes.svg"), "my notes").unwrap();
    std::fs::write(path("drawing.svg"), "<svg/>").unwrap();
    std::fs::write(path("thesis.pdf"), "%PDF-1.7 my thesis").unwrap();
    // A result file of a picture's name, and a link of such a name to the result file.
    std::fs::copy(path("result.h5"), path("picture.png")).unwrap();
    let mut refusals = vec![
        ("result.h5", ".svg, .png or .pdf"),
        ("folder.svg", "this is a folder"),
        ("notes.svg", "it exists and is no .svg picture"),
        ("drawing.svg", "it exists and is no .svg picture of s2dpes"),
        ("thesis.pdf", "it exists and is no .pdf picture of s2dpes"),
        ("picture.png", "it exists and is no .png picture"),
        ("no/such/x.svg", "the folder no/such does not exist"),
        ("x.gif", ".svg, .png or .pdf"),
    ];
    if cfg!(unix) {
        std::os::unix::fs::symlink("result.h5", path("link.svg")).unwrap();
        refusals.push(("link.svg", "this is the result file"));
    }
    let contents = || {
        let read = |name: &str| std::fs::read(path(name)).unwrap();
        ["result.h5", "notes.svg", "picture.png", "drawing.svg", "thesis.pdf"].map(read)
    };
    let before = contents();
    for (output, reason) in refusals {
        for option in ["--output", "--sheet"] {
            let message = refused(folder.path(), &["plot", "result.h5", option, output]);
            if cfg!(feature = "figures") || !output.ends_with("png") {
                assert!(message.contains(reason), "{output}: {message}");
            }
        }
    }
    assert!(contents() == before);
    // An earlier picture may be drawn anew.
    succeed(&["plot", "result.h5", "-o", "x.svg"]);
    let first = std::fs::read(path("x.svg")).unwrap();
    succeed(&["plot", "result.h5", "-o", "x.svg"]);
    assert!(std::fs::read(path("x.svg")).unwrap() == first);
}

#[cfg(unix)]
#[test]
fn results_go_where_a_link_leads() {
    let folder = campaign_folder();
    let succeed =
        |arguments: &[&str]| assert_eq!(program(folder.path(), &[], arguments).0, 0, "{arguments:?}");
    std::fs::create_dir(folder.path().join("scratch")).unwrap();
    std::os::unix::fs::symlink("scratch/real.h5", folder.path().join("result.h5")).unwrap();
    succeed(&["run", "campaign.toml"]);
    assert!(folder.path().join("scratch/real.h5").is_file());
    assert!(folder.path().join("result.h5").is_symlink());
    succeed(&["run", "campaign.toml", "--restart"]);
    assert!(folder.path().join("result.h5").is_symlink());
}

#[test]
fn a_file_in_use_is_left_alone_and_said_to_be_in_use() {
    let folder = campaign_folder();
    let succeed =
        |arguments: &[&str]| assert_eq!(program(folder.path(), &[], arguments).0, 0, "{arguments:?}");
    succeed(&["run", "campaign.toml"]);
    // As HDF5 locks it. Not through HDF5, whose descriptor the programs of other tests would inherit, and the lock with it.
    let file = std::fs::File::open(folder.path().join("result.h5")).unwrap();
    file.lock().unwrap();
    for arguments in [&["run", "campaign.toml"][..], &["run", "campaign.toml", "--restart"]] {
        let message = refused(folder.path(), arguments);
        assert!(message.contains("result.h5: another run is using the file"), "{message}");
        assert!(!message.contains("remove"), "{message}");
    }
    drop(file);
    succeed(&["run", "campaign.toml"]);
}
