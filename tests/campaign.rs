//! Campaigns: computed, stored, resumed, refused.

mod common;
#[path = "campaign/file.rs"]
mod file;

use std::path::{Path, PathBuf};

use common::{CAMPAIGN, RANKS_CAMPAIGN, contents, data, model_bytes, on_cpus, write_model};
use s2dpes::campaign::{CampaignError, Options, Outcome, PrepareError, Report, run};
use s2dpes::cluster::{Channels, Crew, Stop, serve};
use s2dpes::config::Campaign;
use s2dpes::engine::{Place, Status};
use s2dpes::landscape::Point;
use s2dpes::store::{LandscapeResult, Results, RunRecord};
use tempfile::TempDir;

/// A folder with a model and a structure, and a campaign over them.
struct Setting {
    folder: TempDir,
}

impl Setting {
    fn new() -> Setting {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "mp0-L1");
        for name in ["perovskite-CaTiO3-Pnma", "rutile-TiO2"] {
            let file = format!("{name}.extxyz");
            std::fs::copy(data(&format!("golden/{file}")), folder.path().join(&file)).unwrap();
        }
        Setting { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn campaign(&self, text: &str) -> Campaign {
        Campaign::parse(text, &self.path("campaign.toml")).unwrap()
    }

    fn run(&self, text: &str) -> Result<Outcome, CampaignError> {
        self.run_with(text, false)
    }

    fn run_with(&self, text: &str, restart: bool) -> Result<Outcome, CampaignError> {
        self.run_on(text, restart, 0)
    }

    /// On so many threads; 0 for all.
    fn run_on(&self, text: &str, restart: bool, threads: usize) -> Result<Outcome, CampaignError> {
        let options = self.options(restart);
        run(&self.campaign(text), Crew::muster(Channels::alone(), on_cpus(threads))?, options)
    }

    fn options(&self, restart: bool) -> Options<'static> {
        let run = RunRecord {
            started: "2026-01-01T00:00:00Z".into(),
            version: "test".into(),
            ..RunRecord::default()
        };
        Options { restart, stop: Stop::by_hand(), run, report: Box::leak(Box::new(|_: &Report| {})) }
    }

    fn landscape(&self, structure: &str, name: &str) -> LandscapeResult {
        Results::open(&self.path("result.h5")).unwrap().landscape(structure, name).unwrap()
    }
}

/// Bits of everything that a landscape holds.
fn bits(landscape: &LandscapeResult) -> Vec<u64> {
    let arrays = [&landscape.distance_cost, &landscape.minimum_distance];
    let models = landscape.models.iter().map(|m| &m.energy);
    arrays.into_iter().chain(models).flatten().map(|v| v.to_bits()).collect()
}

#[test]
fn a_landscape_is_stored_with_everything_that_describes_it() {
    let setting = Setting::new();
    let outcome = setting.run(CAMPAIGN).unwrap();
    assert!(outcome.skipped.is_empty());
    let results = Results::open(&setting.path("result.h5")).unwrap();
    assert_eq!(results.campaign().unwrap(), CAMPAIGN);
    assert_eq!(results.runs().unwrap().len(), 1);
    assert_eq!(results.landscapes().unwrap(), [("CaTiO3".to_string(), "Ca1.x-Ca1.z".to_string())]);
    let landscape = setting.landscape("CaTiO3", "Ca1.x-Ca1.z");
    assert_eq!(landscape.protostructure, "AB3C_oP20_62_c_cd_a:Ca-O-Ti");
    assert_eq!(landscape.axes.len(), 2);
    assert_eq!(landscape.axes[0].values.len(), 10);
    assert_eq!((landscape.axes[1].orbit.as_str(), landscape.axes[1].wyckoff.as_str()), ("Ca1", "4c"));
    let model = &landscape.models[0];
    assert_eq!(model.energy.len(), 120);
    assert!(model.status.iter().all(|s| *s == Status::Done as u8));
    assert!(model.tile_states.iter().all(|s| *s == 1));
    assert!(model.energy.iter().all(|e| e.is_finite()));
    assert!(landscape.distance_cost.iter().any(|c| *c > 0.0));
    // Points that symmetry relates hold the same bits: (x, z) -> (x + 1/2, 1/2 - z).
    let at = |i: usize, j: usize| model.energy[i * 12 + j].to_bits();
    for (i, j) in (0..10).flat_map(|i| (0..12).map(move |j| (i, j))) {
        assert_eq!(at(i, j), at((i + 5) % 10, (18 - j) % 12));
    }
}

#[test]
fn stored_energies_are_those_of_single_structures() {
    let setting = Setting::new();
    setting.run(CAMPAIGN).unwrap();
    let landscape = setting.landscape("CaTiO3", "Ca1.x-Ca1.z");
    let potential = common::potential("mp0-L1");
    let model = common::first_head(&potential, s2dpes::work::Precision::Double);
    let file = setting.path("perovskite-CaTiO3-Pnma.extxyz");
    let structure = s2dpes::crystal::read_structure(&file).unwrap();
    let mut crystal = s2dpes::symmetry::Crystal::new(&structure, 0.01).unwrap();
    let evaluate = |crystal: s2dpes::symmetry::Crystal| {
        let thresholds = s2dpes::landscape::Thresholds::default();
        s2dpes::campaign::evaluate_crystal(crystal.into(), thresholds, &model, &Place::Cpu).unwrap().0
    };
    let reference = evaluate(crystal.clone());
    assert!((landscape.models[0].reference_energy - reference.energy).abs() < 1e-5);
    let orbit = crystal.orbits.iter().position(|o| o.name == "Ca1").unwrap();
    for (i, j) in [(0, 0), (3, 7), (9, 11)] {
        crystal.orbits[orbit].coordinates.x = landscape.axes[0].values[i];
        crystal.orbits[orbit].coordinates.z = landscape.axes[1].values[j];
        let expected = evaluate(crystal.clone());
        let index = Point((i * 12 + j) as u32).index();
        let energy = landscape.models[0].energy[index];
        assert!((energy - expected.energy).abs() < 2e-5 * expected.energy.abs().max(1.0), "{i} {j} {energy}");
        assert!((landscape.minimum_distance[index] - expected.minimum_distance).abs() < 1e-12);
        assert!((landscape.distance_cost[index] - expected.distance_cost).abs() < 1e-12);
    }
}

#[test]
fn tiles_threads_and_equivalence_do_not_change_a_bit() {
    let setting = Setting::new();
    setting.run(CAMPAIGN).unwrap();
    let expected = bits(&setting.landscape("CaTiO3", "Ca1.x-Ca1.z"));
    for tile in [1, 7, 100, 10_000] {
        let text = CAMPAIGN.replace("tile_points = 16", &format!("tile_points = {tile}"));
        setting.run_with(&text, true).unwrap();
        assert!(bits(&setting.landscape("CaTiO3", "Ca1.x-Ca1.z")) == expected, "tiles of {tile}");
    }
    for threads in [1, 3] {
        setting.run_on(CAMPAIGN, true, threads).unwrap();
        assert!(bits(&setting.landscape("CaTiO3", "Ca1.x-Ca1.z")) == expected, "{threads} threads");
    }
    // Evaluated one by one, equivalent points agree to rounding; their representatives to the bit.
    let text = CAMPAIGN.replace("tile_points = 16", "equivalence = \"none\"");
    setting.run_with(&text, true).unwrap();
    let full = setting.landscape("CaTiO3", "Ca1.x-Ca1.z");
    let energies = &expected[240..];
    let same = full.models[0].energy.iter().zip(energies).filter(|(e, b)| e.to_bits() == **b).count();
    assert!(same >= 60, "{same}");
    for (energy, bits) in full.models[0].energy.iter().zip(energies) {
        let other = f64::from_bits(*bits);
        assert!((energy - other).abs() < 2e-5 * other.abs().max(1.0), "{energy} {other}");
    }
}

#[test]
fn ranks_within_a_process_give_the_same_bits() {
    let setting = Setting::new();
    write_model(setting.folder.path(), "all-elements");
    let mut expected = None;
    for ranks in 1..=4 {
        let mut ends = Channels::group(ranks);
        let others = ends.split_off(1);
        std::thread::scope(|scope| {
            for mut end in others {
                scope.spawn(move || serve(&mut end, on_cpus(1), &Stop::by_hand()).unwrap());
            }
            let options = setting.options(true);
            let crew = Crew::muster(ends.remove(0), on_cpus(1)).unwrap();
            let outcome = run(&setting.campaign(RANKS_CAMPAIGN), crew, options).unwrap();
            assert!(outcome.skipped.is_empty() && outcome.tiles_done == outcome.tiles);
        });
        let contents = contents(&setting.path("result.h5"));
        assert_eq!(*expected.get_or_insert_with(|| contents.clone()), contents, "{ranks} ranks");
    }
}

#[test]
fn a_run_that_is_asked_to_stop_keeps_what_is_complete() {
    let setting = Setting::new();
    let text = CAMPAIGN.replace("points = 10", "points = 80").replace("points = 12", "points = 60");
    let stop = Stop::by_hand();
    let mut ask = |report: &Report| {
        if report.outcome.tiles_done > 0 {
            stop.ask();
        }
    };
    let options = Options { stop: stop.clone(), report: &mut ask, ..setting.options(false) };
    let crew = Crew::muster(Channels::alone(), on_cpus(1)).unwrap();
    let stopped = run(&setting.campaign(&text), crew, options).unwrap();
    assert_eq!(stopped.stopped.as_deref(), Some("SIGTERM"));
    assert!(stopped.tiles_done > 0 && stopped.tiles_done < stopped.tiles, "{stopped:?}");
    let model = &setting.landscape("CaTiO3", "Ca1.x-Ca1.z").models[0];
    assert_eq!(model.tile_states.iter().filter(|s| **s == 1).count(), stopped.tiles_done);
    let rest = setting.run(&text).unwrap();
    assert_eq!((rest.tiles_resumed, rest.stopped), (stopped.tiles_done, None));
    let resumed = contents(&setting.path("result.h5"));
    setting.run_with(&text, true).unwrap();
    assert!(contents(&setting.path("result.h5")) == resumed);
    // Asked before the start, it does not even make a file.
    std::fs::remove_file(setting.path("result.h5")).unwrap();
    let options = Options { stop, ..setting.options(false) };
    let error = run(&setting.campaign(&text), Crew::muster(Channels::alone(), on_cpus(1)).unwrap(), options);
    assert!(matches!(error, Err(CampaignError::Prepare(PrepareError::Stopped("SIGTERM")))));
    assert!(!setting.path("result.h5").exists());
}

#[test]
fn the_same_campaign_resumes_and_computes_nothing_twice() {
    let setting = Setting::new();
    let first = setting.run(CAMPAIGN).unwrap();
    assert_eq!(first.tiles_resumed, 0);
    let expected = bits(&setting.landscape("CaTiO3", "Ca1.x-Ca1.z"));
    // As if a run had been killed: some tiles open, their values gone.
    {
        let file = hdf5::File::open_rw(setting.path("result.h5")).unwrap();
        let group = file.group("CaTiO3/Ca1.x-Ca1.z/tiny").unwrap();
        let states = group.dataset("tile_state").unwrap();
        for tile in [1, 3] {
            states.write_slice(&[0_u8], tile..tile + 1).unwrap();
        }
    }
    let second = setting.run(CAMPAIGN).unwrap();
    assert_eq!(second.tiles_resumed, first.tiles_done - 2);
    assert!(second.points < first.points && second.points > 0);
    assert_eq!(bits(&setting.landscape("CaTiO3", "Ca1.x-Ca1.z")), expected);
    let third = setting.run(CAMPAIGN).unwrap();
    assert_eq!((third.points, third.tiles_resumed), (0, first.tiles_done));
    assert_eq!(Results::open(&setting.path("result.h5")).unwrap().runs().unwrap().len(), 3);
}

#[test]
fn a_row_of_a_start_that_was_killed_while_it_wrote_it_is_used_again() {
    let setting = Setting::new();
    setting.run(CAMPAIGN).unwrap();
    {
        let file = hdf5::File::open_rw(setting.path("result.h5")).unwrap();
        for column in ["started", "run"] {
            file.dataset(&format!("runs/{column}")).unwrap().resize(2).unwrap();
        }
    }
    let runs = || Results::open(&setting.path("result.h5")).unwrap().runs().unwrap();
    assert_eq!(runs().len(), 1);
    setting.run(CAMPAIGN).unwrap();
    assert_eq!(runs().len(), 2);
    assert!(runs().iter().all(|r| r.started == "2026-01-01T00:00:00Z" && r.ranks == 1 && r.seconds > 0.0));
}

#[test]
fn changed_inputs_are_refused_with_the_difference_named() {
    let setting = Setting::new();
    setting.run(CAMPAIGN).unwrap();
    let before = std::fs::read(setting.path("result.h5")).unwrap();
    let refuse = |text: &str, difference: &str| {
        let error = setting.run(text).unwrap_err().to_string();
        assert!(error.contains(difference) && error.contains("--restart"), "{error}");
    };
    let rutile = CAMPAIGN
        .replace("perovskite-CaTiO3-Pnma", "rutile-TiO2")
        .replace("Ca1.x", "O1.x")
        .replace(", { dof = \"Ca1.z\", points = 12 }", "");
    refuse(&CAMPAIGN.replace("points = 10", "points = 11"), "axes of CaTiO3/Ca1.x-Ca1.z");
    refuse(&CAMPAIGN.replace("tile_points = 16", "dtype = \"f64\""), "float64 now and float32 in the file");
    refuse(&CAMPAIGN.replace("tile_points = 16", "tile_points = 17"), "points_per_tile");
    refuse(&CAMPAIGN.replace("tile_points = 16", "equivalence = \"none\""), "equivalence");
    refuse(
        &CAMPAIGN.replace("\"tiny\"", "\"other\""),
        "the campaign has the model other of CaTiO3/Ca1.x-Ca1.z, which the file does not hold",
    );
    refuse(&rutile, "space_group_number");
    let distance = "[distance]\npairs = { \"O-Ca\" = 1.25 }";
    let difference = "the smallest distance in Angstrom of Ca-O is 1.250000 now and 1.9245";
    refuse(&format!("{CAMPAIGN}{distance}"), difference);
    std::fs::write(setting.path("mp0-L1.model"), model_bytes("all-elements")).unwrap();
    refuse(CAMPAIGN, "weights_sha256");
    assert!(std::fs::read(setting.path("result.h5")).unwrap() == before, "the file is untouched");
    // Starting over is possible, and only on demand.
    setting.run_with(CAMPAIGN, true).unwrap();
}

#[test]
fn what_is_added_or_taken_out_is_refused_by_name() {
    let setting = Setting::new();
    let model = "[[model]]\nname = \"second\"\nfile = \"mp0-L1.model\"\n";
    let landscape = "[[structure.landscape]]\nname = \"line\"\naxes = [ { dof = \"O1.z\", points = 4 } ]\n";
    let structure = "[[structure]]\nfile = \"rutile-TiO2.extxyz\"\nname = \"rutile\"\n\
                     [[structure.landscape]]\norbit = \"O\"\npoints = 4\n";
    for (addition, what) in [
        (model, "the model second of CaTiO3/Ca1.x-Ca1.z"),
        (landscape, "the landscape line of CaTiO3"),
        (structure, "the structure rutile"),
    ] {
        let more = format!("{CAMPAIGN}{addition}");
        for (first, second, lacking) in [
            (CAMPAIGN, more.as_str(), format!("the campaign has {what}, which the file does not hold")),
            (&more, CAMPAIGN, format!("the file holds {what}, which the campaign does not have")),
        ] {
            setting.run_with(first, setting.path("result.h5").exists()).unwrap();
            let error = setting.run(second).unwrap_err().to_string();
            assert!(error.contains(&lacking), "{error}");
            assert!(error.contains("give another output, or start over with --restart"), "{error}");
        }
    }
}

#[test]
fn a_structure_that_cannot_be_read_any_more_is_missed_with_the_reason() {
    let setting = Setting::new();
    let text = format!(
        "{CAMPAIGN}[[structure]]\nfile = \"rutile-TiO2.extxyz\"\nname = \"rutile\"\n\
         [[structure.landscape]]\norbit = \"O\"\npoints = 4\n"
    );
    setting.run(&text).unwrap();
    std::fs::remove_file(setting.path("rutile-TiO2.extxyz")).unwrap();
    let error = setting.run(&text).unwrap_err().to_string();
    assert!(error.contains("the file holds the structure rutile"), "{error}");
    assert!(error.contains("(left out is rutile: ") && error.contains("cannot be read"), "{error}");
}

#[test]
fn names_that_the_file_has_for_itself_are_refused() {
    let setting = Setting::new();
    for (name, replacement) in [("CaTiO3", "runs"), ("tiny", "energy")] {
        let text = CAMPAIGN.replace(&format!("\"{name}\""), &format!("\"{replacement}\""));
        let error = Campaign::parse(&text, &setting.path("campaign.toml")).unwrap_err().to_string();
        assert!(error.contains("cannot be used in the result file"), "{error}");
    }
    // Structures that are called after their files get names that can be used.
    for file in ["lattice.extxyz", "a\\b.extxyz"] {
        std::fs::copy(setting.path("perovskite-CaTiO3-Pnma.extxyz"), setting.path(file)).unwrap();
    }
    let text =
        CAMPAIGN.replace("perovskite-CaTiO3-Pnma.extxyz", "*a*.extxyz").replace("name = \"CaTiO3\"", "");
    let outcome = setting.run(&text.replace("x\", points = 10", "x\", points = 2")).unwrap();
    assert!(outcome.skipped.is_empty(), "{:?}", outcome.skipped);
    let landscapes = Results::open(&setting.path("result.h5")).unwrap().landscapes().unwrap();
    let structures: Vec<&str> = landscapes.iter().map(|(structure, _)| structure.as_str()).collect();
    assert_eq!(structures, ["a_b", "_lattice", "perovskite-CaTiO3-Pnma"]);
}

#[test]
fn a_file_that_is_no_result_is_never_overwritten() {
    let setting = Setting::new();
    std::fs::write(setting.path("result.h5"), "precious").unwrap();
    for restart in [false, true] {
        let error = setting.run_with(CAMPAIGN, restart).unwrap_err().to_string();
        assert!(error.contains("no readable result of s2dpes"), "{error}");
    }
    assert_eq!(std::fs::read(setting.path("result.h5")).unwrap(), b"precious");
}

#[test]
fn one_bad_structure_does_not_stop_the_others() {
    let setting = Setting::new();
    std::fs::write(setting.path("broken.cif"), "data_x\n_cell_length_a 4\n").unwrap();
    let one = "file = \"perovskite-CaTiO3-Pnma.extxyz\"\nname = \"CaTiO3\"";
    let axes = "axes = [ { dof = \"Ca1.x\", points = 10 }, { dof = \"Ca1.z\", points = 12 } ]";
    let text = CAMPAIGN.replace(one, "file = \"*.[ce][ix][ft]*\"").replace(axes, "orbit = \"O\"\npoints = 4");
    let outcome = setting.run(&text).unwrap();
    assert_eq!(outcome.skipped.len(), 1);
    assert!(outcome.skipped[0].why.contains("broken.cif"), "{:?}", outcome.skipped);
    let landscapes = Results::open(&setting.path("result.h5")).unwrap().landscapes().unwrap();
    assert_eq!(landscapes.len(), 2);
    assert_eq!(landscapes[1].1, "O1.x", "rutile's oxygen has one free coordinate");
    // All bad: nothing is computed and nothing is left behind.
    std::fs::remove_file(setting.path("result.h5")).unwrap();
    let text = CAMPAIGN.replace("perovskite-CaTiO3-Pnma.extxyz", "broken.cif");
    assert!(matches!(setting.run(&text), Err(CampaignError::Prepare(_))));
    assert!(!setting.path("result.h5").exists());
}

#[test]
fn a_model_that_lacks_an_element_is_left_out_for_that_structure_only() {
    let setting = Setting::new();
    write_model(setting.folder.path(), "aiida-mlip-test");
    let text = format!("{CAMPAIGN}[[model]]\nname = \"small\"\nfile = \"aiida-mlip-test.model\"\n");
    let outcome = setting.run(&text).unwrap();
    assert_eq!(outcome.skipped.len(), 1);
    assert_eq!(outcome.skipped[0].what, "CaTiO3/Ca1.x-Ca1.z/small");
    assert!(outcome.skipped[0].why.contains("does not know"), "{:?}", outcome.skipped);
}

#[test]
fn axes_may_be_one_or_three_and_parts_of_a_period() {
    let setting = Setting::new();
    let axes = "axes = [ { dof = \"Ca1.x\", points = 10 }, { dof = \"Ca1.z\", points = 12 } ]";
    let three = "axes = [ { dof = \"Ca1.x\", points = 3 }, { dof = \"O1.x\", points = 2, range = [0.45, 0.5] }, \
                 { dof = \"O2.y\", points = 3 } ]\n[[structure.landscape]]\nname = \"line\"\n\
                 axes = [ { dof = \"O1.z\", points = 5, range = [0.0, 0.2] } ]";
    setting.run(&CAMPAIGN.replace(axes, three)).unwrap();
    let cube = setting.landscape("CaTiO3", "Ca1.x-O1.x-O2.y");
    assert_eq!(cube.models[0].energy.len(), 18);
    assert!(cube.models[0].energy.iter().all(|e| e.is_finite()));
    let line = setting.landscape("CaTiO3", "line");
    assert_eq!(line.axes[0].values, [0.0, 0.05, 0.1, 0.15000000000000002, 0.2]);
}

#[test]
fn every_structure_of_the_campaign_set_is_mapped() {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path(), "all-elements");
    let text = format!(
        "[campaign]\noutput = \"all.h5\"\n[[model]]\nname = \"tiny\"\nfile = \"all-elements.model\"\n\
         [[structure]]\nfile = \"{}/*.extxyz\"\n[[structure.landscape]]\norbit = \"first-free\"\npoints = 4\n",
        data("campaign/structures").display()
    );
    let campaign = Campaign::parse(&text, &folder.path().join("c.toml")).unwrap();
    let (stop, run_record) = (Stop::by_hand(), RunRecord::default());
    let options = Options { restart: false, stop, run: run_record, report: &mut |_| {} };
    let outcome = run(&campaign, Crew::muster(Channels::alone(), on_cpus(0)).unwrap(), options).unwrap();
    // One structure holds americium, which the model does not know.
    assert_eq!(outcome.skipped.len(), 1, "{:?}", outcome.skipped);
    assert!(outcome.skipped[0].why.contains("Am"));
    let results = Results::open(Path::new(&campaign.output)).unwrap();
    assert_eq!(results.landscapes().unwrap().len(), 307);
    assert_eq!(outcome.points_without_energy, count_without_energy(&results));
}

/// Irreducible points are counted once by a run; here all nodes are looked at.
fn count_without_energy(results: &Results) -> usize {
    let mut without = 0;
    for (structure, name) in results.landscapes().unwrap() {
        let landscape = results.landscape(&structure, &name).unwrap();
        let model = &landscape.models[0];
        assert!(model.status.iter().all(|s| *s != Status::Open as u8), "{structure}");
        let index = &model.irreducible_index;
        let own = (0..model.energy.len()).filter(|i| index[*i] as usize == *i);
        without += own.filter(|i| model.status[*i] != Status::Done as u8).count();
        let finite = model.energy.iter().zip(&model.status).all(|(e, s)| e.is_finite() == (*s == 1));
        assert!(finite, "{structure}");
    }
    without
}
