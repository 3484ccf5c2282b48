//! What the program says: estimates, states, everything that is missing, and no less than what was asked for.

mod common;

use std::path::Path;

use common::{CAMPAIGN, campaign_folder, copy_golden, copy_w2n3, program, write_model};

/// Standard output of a command that succeeds.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let (code, out, error) = program(folder, &[], arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out
}

/// Bytes that a text such as `about 1.5 MiB` stands for.
fn bytes_in(plan: &str) -> f64 {
    let line = plan.lines().find(|line| line.starts_with("result file")).unwrap();
    let mut words = line.split("about ").nth(1).unwrap().split(' ');
    let number: f64 = words.next().unwrap().parse().unwrap();
    number
        * 1024_f64
            .powi(["B", "kiB", "MiB", "GiB"].iter().position(|u| Some(*u) == words.clone().next()).unwrap()
                as i32)
}

#[test]
fn plan_foresees_the_size_of_the_file() {
    let folder = campaign_folder();
    copy_w2n3(folder.path());
    copy_golden(folder.path(), "rutile-TiO2");
    write_model(folder.path(), "all-elements");
    let models = "[[model]]\nname = \"second\"\nfile = \"all-elements.model\"\n\
                  [[model]]\nname = \"third\"\nfile = \"all-elements.model\"\ndtype = \"float64\"\n";
    let many = format!(
        "[campaign]\noutput = \"result.h5\"\n[[model]]\nname = \"tiny\"\nfile = \"all-elements.model\"\n[[structure]]\n\
         file = \"{}/*POSCAR-1[0-1]*.extxyz\"\n[[structure.landscape]]\norbit = \"first-free\"\npoints = 4\n",
        common::data("campaign/structures").display()
    );
    let campaigns = [
        CAMPAIGN.replace("points = 10", "points = 1").replace("points = 12", "points = 1"),
        CAMPAIGN.replace("points = 10", "points = 90").replace("points = 12", "points = 70"),
        format!("{CAMPAIGN}{models}").replace("tile_points = 16", "tile_points = 4"),
        many,
    ];
    for campaign in campaigns {
        std::fs::write(folder.path().join("campaign.toml"), &campaign).unwrap();
        let plan = succeed(folder.path(), &["plan", "campaign.toml"]);
        succeed(folder.path(), &["run", "campaign.toml"]);
        let size = folder.path().join("result.h5").metadata().unwrap().len() as f64;
        let ratio = bytes_in(&plan) / size;
        assert!((0.9..1.1).contains(&ratio), "{ratio} of {size}: {plan}\n{campaign}");
        std::fs::remove_file(folder.path().join("result.h5")).unwrap();
    }
}

#[test]
fn plan_estimates_the_time_here_and_on_a_known_gpu() {
    let folder = campaign_folder();
    let seconds = |points: usize| {
        let large = CAMPAIGN.replace("points = 1", &format!("points = {points}"));
        std::fs::write(folder.path().join("campaign.toml"), large).unwrap();
        let plan = succeed(folder.path(), &["plan", "campaign.toml"]);
        let line = plan.lines().find(|line| line.ends_with("of this machine (estimate)")).unwrap();
        assert!(plan.contains("NVIDIA H100 (estimate from its record)"), "{plan}");
        let mut words = line.strip_prefix("about ").unwrap().split(' ');
        let number: f64 = words.next().unwrap().parse().unwrap();
        let units = [("s", 1.0), ("min", 60.0), ("h", 3600.0), ("days", 86_400.0)];
        let unit = words.next().unwrap();
        number * units.iter().find(|(name, _)| *name == unit).unwrap().1
    };
    // 48 and 25 times as many points; the machine may be busy.
    let (some, many) = (seconds(40), seconds(200));
    assert!(many > 5.0 * some, "{some} {many}");
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let folder = campaign_folder();
    let more = "[[model]]\nname = \"a\"\nfile = \"models/a.model\"\n[[model]]\nname = \"b\"\nfile = \"b.pth\"\n\
                [[model]]\nname = \"c\"\nfile = \"campaign.toml\"\n[[model]]\nname = \"d\"\nfile = \"mp0-L1.model\"\nhead = \"X\"\n";
    std::fs::write(folder.path().join("campaign.toml"), format!("{CAMPAIGN}{more}")).unwrap();
    for command in ["plan", "run"] {
        let (code, _, error) = program(folder.path(), &[], &[command, "campaign.toml"]);
        assert_eq!(code, 2, "{error}");
        for line in [
            "model `a`: models/a.model: it cannot be read",
            "model `b`: b.pth: it cannot be read",
            "model `c`: campaign.toml: ",
            "model `d`: mp0-L1.model: it has no head `X`",
            "`s2dpes model info FILE`",
        ] {
            assert!(error.contains(line), "{line} in {error}");
        }
        assert!(!error.contains("model `tiny`"), "{error}");
    }
}

#[test]
fn status_says_first_how_far_it_is() {
    let folder = campaign_folder();
    succeed(folder.path(), &["run", "campaign.toml"]);
    let tiles = |done: usize| {
        let file = hdf5::File::open_rw(folder.path().join("result.h5")).unwrap();
        let states = file.dataset("CaTiO3/Ca1.x-Ca1.z/tiny/tile_state").unwrap();
        let all = states.size();
        let values: Vec<u8> = (0..all).map(|tile| u8::from(tile < done)).collect();
        states.write_raw(&values).unwrap();
        all
    };
    let all = tiles(usize::MAX);
    for (done, word) in
        [(all, "complete".to_string()), (0, "not begun".into()), (2, format!("{} open", all - 2))]
    {
        tiles(done);
        let status = succeed(folder.path(), &["status", "result.h5"]);
        let first = format!("{done} of {all} tiles done, {} open, 0 failed", all - done);
        assert_eq!(status.lines().next(), Some(first.as_str()));
        let row = status.lines().find(|line| line.starts_with("CaTiO3/Ca1.x-Ca1.z/tiny")).unwrap();
        assert!(row.contains(&format!("{done} of {all} tiles")) && row.contains(&word), "{row}");
    }
}

#[test]
fn a_word_that_is_no_level_does_not_mute_the_program() {
    let folder = campaign_folder();
    std::fs::write(folder.path().join("bad.cif"), "data_x\n").unwrap();
    let more = "[[structure]]\nfile = \"bad.cif\"\n[[structure.landscape]]\norbit = \"O\"\npoints = 4\n";
    std::fs::write(folder.path().join("campaign.toml"), format!("{CAMPAIGN}{more}")).unwrap();
    let said = |log: &str| program(folder.path(), &[("S2DPES_LOG", log)], &["run", "campaign.toml"]);
    for (log, is_warned, has_errors, has_information) in [
        ("nonsense", true, true, true),
        ("s2dpes", true, true, true),
        ("warn,nonsense", true, true, true),
        ("info/regex", true, true, true),
        ("", false, true, true),
        ("error", false, true, false),
        ("WARN", false, true, false),
        ("s2dpes::store=debug", false, true, false),
        ("off", false, false, false),
    ] {
        let (code, _, error) = said(log);
        assert_eq!(code, 3, "{error}");
        assert_eq!(error.contains("is not a level"), is_warned, "{log}: {error}");
        assert_eq!(error.contains("left out: "), has_errors, "{log}: {error}");
        assert_eq!(error.contains("points in"), has_information, "{log}: {error}");
    }
}

#[test]
fn precisions_have_two_spellings_and_the_input_is_a_zero_of_energy() {
    let folder = campaign_folder();
    let structure = "perovskite-CaTiO3-Pnma.extxyz";
    let eval = |dtype: &str| {
        succeed(folder.path(), &["eval", "-m", "mp0-L1.model", structure, "--json", "--dtype", dtype])
    };
    assert_eq!(eval("f64"), eval("float64"));
    assert_eq!(eval("f32"), eval("float32"));
    assert_ne!(eval("f32"), eval("f64"));
    let (code, _, error) = program(folder.path(), &[], &["eval", structure, "--dtype", "double"]);
    assert!(code == 2 && error.contains("write float32 or float64"), "{error}");
    succeed(folder.path(), &["run", "campaign.toml", "--dtype", "float64"]);
    succeed(folder.path(), &["plot", "result.h5", "-o", "a.svg", "--relative-to", "input"]);
    succeed(folder.path(), &["plot", "result.h5", "-o", "b.svg", "--relative-to", "reference"]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("a.svg"), read("b.svg"));
}
