//! Campaigns over ranks: the same bits whatever their number, and an end in good order whatever happens.

#![cfg(feature = "mpi")]

mod common;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{LONG_CAMPAIGN as LONG, RANKS_CAMPAIGN as CAMPAIGN};
use common::{contents, copy_w2n3, data, mpirun, ranks_in, send, write_model};
use s2dpes::store::Results;
use serde_json::Value;
use tempfile::TempDir;

struct Setting {
    folder: TempDir,
}

impl Setting {
    fn new(campaign: &str) -> Setting {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "all-elements");
        for name in ["perovskite-CaTiO3-Pnma.extxyz", "rutile-TiO2.extxyz"] {
            std::fs::copy(data(&format!("golden/{name}")), folder.path().join(name)).unwrap();
        }
        copy_w2n3(folder.path());
        std::fs::write(folder.path().join("campaign.toml"), campaign).unwrap();
        Setting { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ready(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command on some ranks under MPI.
    fn ranks(&self, ranks: usize, arguments: &[&str]) -> Command {
        let mut command = self.ready(mpirun(ranks));
        command.args(arguments);
        command
    }

    /// The command on its own.
    fn alone(&self, arguments: &[&str]) -> Command {
        let mut command = self.ready(Command::new(env!("CARGO_BIN_EXE_s2dpes")));
        command.args(arguments);
        command
    }

    fn status(&self) -> Value {
        let output = self.alone(&["status", "--json", "result.h5"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until some tiles are done, then returns how many.
    fn wait_for_tiles(&self) -> u64 {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            if self.path("result.h5").exists() {
                let done = self.status()["surfaces"][0]["done"].as_u64().unwrap();
                if done > 0 {
                    return done;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no tile in a minute");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{:?}: {}", output.status, said(output)))
}

/// How a run ended that was told to stop: soon, with exit code 75.
fn assert_stopped(child: Child, signal: &str) {
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 75, "{}", said(&output));
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let stopped = format!("stopped by {signal}");
    assert!(
        said(&output).contains(&stopped) && said(&output).contains("the same command goes on"),
        "{}",
        said(&output)
    );
}

#[test]
fn any_number_of_ranks_gives_the_same_bits() {
    let setting = Setting::new(CAMPAIGN);
    let output = setting.alone(&["run", "campaign.toml"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    let expected = contents(&setting.path("result.h5"));
    assert_eq!(expected.len(), 3 * (2 + 2 * 4) + 4);
    assert!(expected["CaTiO3/Ca1.x-Ca1.z/single/status"].iter().all(|s| *s == 1));
    for ranks in 1..=4 {
        let output = setting.ranks(ranks, &["run", "campaign.toml", "--restart"]).output().unwrap();
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(contents(&setting.path("result.h5")) == expected, "{ranks} ranks");
        let runs = Results::open(&setting.path("result.h5")).unwrap().runs().unwrap();
        assert_eq!(runs[0].ranks as usize, ranks);
    }
    for tile in [5, 10_000] {
        let campaign = CAMPAIGN.replace("tile_points = 64", &format!("tile_points = {tile}"));
        std::fs::write(setting.path("campaign.toml"), campaign).unwrap();
        let output = setting.ranks(3, &["run", "campaign.toml", "--restart"]).output().unwrap();
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(contents(&setting.path("result.h5")) == expected, "tiles of {tile}");
    }
}

#[test]
fn signals_to_any_rank_stop_a_run_in_good_order_and_the_same_command_finishes_it() {
    let setting = Setting::new(LONG);
    let run = ["run", "campaign.toml"];
    // SIGUSR1 to the last of three ranks, as a batch system sends it to some or all.
    let child = setting.ranks(3, &run).spawn().unwrap();
    let first = setting.wait_for_tiles();
    let ranks = ranks_in(setting.folder.path());
    assert_eq!(ranks.len(), 3);
    send("-USR1", ranks[2]);
    assert_stopped(child, "SIGUSR1");
    let state = setting.status();
    let (done, open) = (&state["surfaces"][0]["done"], &state["surfaces"][0]["open"]);
    assert!(done.as_u64().unwrap() >= first && open.as_u64().unwrap() > 0, "{state}");
    // SIGTERM to a run of one process.
    let child = setting.alone(&run).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    send("-TERM", child.id());
    assert_stopped(child, "SIGTERM");
    let output = setting.ranks(2, &run).output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(said(&output).contains("tiles were in the file already"), "{}", said(&output));
    let state = setting.status();
    assert_eq!(state["surfaces"][0]["open"], 0);
    let ranks: Vec<u64> =
        state["runs"].as_array().unwrap().iter().map(|r| r["ranks"].as_u64().unwrap()).collect();
    assert_eq!(ranks, [3, 1, 2]);
    let stored = contents(&setting.path("result.h5"));
    let uninterrupted = setting.alone(&["run", "campaign.toml", "--restart"]).output().unwrap();
    assert_eq!(code(&uninterrupted), 0);
    assert!(contents(&setting.path("result.h5")) == stored);
}

#[test]
fn a_panic_on_a_rank_ends_the_job_and_loses_no_finished_tile() {
    let setting = Setting::new(CAMPAIGN);
    // The first tasks go to the ranks in turn; who gets later ones depends on times.
    for (task, rank) in [(0, "rank 0 "), (1, "rank 1 "), (2, "rank 2 "), (4, "rank "), (7, "rank ")] {
        let mut command = setting.ranks(3, &["run", "campaign.toml", "--restart"]);
        let output = command.env("S2DPES_FAULT", format!("panic:{task}")).output().unwrap();
        assert!(!output.status.success(), "{}", said(&output));
        let words = format!("panicked (asked to panic in task {task})");
        let is_said = said(&output).lines().any(|line| line.contains(rank) && line.contains(&words));
        assert!(is_said, "{}", said(&output));
    }
    let output = setting.ranks(3, &["run", "campaign.toml"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    let resumed = contents(&setting.path("result.h5"));
    let output = setting.alone(&["run", "campaign.toml", "--restart"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(contents(&setting.path("result.h5")) == resumed);
}

#[test]
fn what_fails_on_a_rank_is_named_and_the_rest_is_computed() {
    let setting = Setting::new(CAMPAIGN);
    let output = setting.ranks(2, &["run", "campaign.toml"]).env("S2DPES_FAULT", "fail:1").output().unwrap();
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(said(&output).contains("asked to fail in task 1"), "{}", said(&output));
    let state = setting.status();
    let surfaces = state["surfaces"].as_array().unwrap();
    let failed: Vec<&Value> = surfaces.iter().filter(|s| s["failed"] != 0).collect();
    assert_eq!(failed.len(), 1, "{state}");
    assert!(failed[0]["failure"].as_str().unwrap().contains("asked to fail in task 1"), "{state}");
    assert!(surfaces.iter().all(|s| s["open"] == 0), "{state}");
    // Next time it is tried again.
    let output = setting.ranks(2, &["run", "campaign.toml"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    let state = setting.status();
    assert!(
        state["surfaces"].as_array().unwrap().iter().all(|s| s["failed"] == 0 && s["failure"].is_null()),
        "{state}"
    );
}

#[test]
fn ranks_that_do_not_find_one_another_are_refused() {
    let setting = Setting::new(CAMPAIGN);
    let output = setting.alone(&["run", "campaign.toml"]).env("SLURM_NTASKS", "4").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        said(&output).contains("the Slurm job has 4 tasks") && said(&output).contains("srun"),
        "{}",
        said(&output)
    );
    let other_mpi = [("PMI_SIZE", "4"), ("PMI_RANK", "0")];
    let output = setting.alone(&["run", "campaign.toml"]).envs(other_mpi).output().unwrap();
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(said(&output).contains("SLURM_MPI_TYPE=pmi2"), "{}", said(&output));
    assert!(!setting.path("result.h5").exists());
}

#[test]
fn a_rank_that_no_launcher_has_started_says_so() {
    let setting = Setting::new(CAMPAIGN);
    for variables in [
        &[("OMPI_COMM_WORLD_RANK", "2"), ("OMPI_COMM_WORLD_SIZE", "4")][..],
        &[("PMI_RANK", "2"), ("PMI_SIZE", "4")],
        &[("SLURM_PROCID", "2"), ("SLURM_STEP_NUM_TASKS", "4")],
        &[("SLURM_PROCID", "2"), ("SLURM_NTASKS", "4")],
        &[("PMIX_RANK", "2")],
    ] {
        for (arguments, sign) in [
            (&["run", "campaign.toml"][..], ["tasks", "start"]),
            (&["map", "rutile-TiO2.extxyz"], ["tasks", "start"]),
            (&["run", "--no-such-option"], ["unexpected argument", "--no-such-option"]),
        ] {
            let output = setting.alone(arguments).envs(variables.iter().copied()).output().unwrap();
            assert_eq!(code(&output), 2, "{variables:?} {arguments:?}: {}", said(&output));
            let is_said = sign.iter().all(|sign| said(&output).contains(sign));
            assert!(is_said && said(&output).contains("error: "), "{variables:?}: {}", said(&output));
        }
    }
    assert!(!setting.path("result.h5").exists());
}

#[test]
fn bad_input_ends_all_ranks_with_one_message() {
    let setting = Setting::new(&CAMPAIGN.replace("all-elements", "no-such-file"));
    for (arguments, sign) in [
        (&["run", "campaign.toml"][..], "no-such-file"),
        (&["run", "nowhere.toml"], "nowhere.toml"),
        (&["run", "--no-such-option"], "unexpected argument"),
    ] {
        let output = setting.ranks(3, arguments).output().unwrap();
        assert_eq!(code(&output), 2, "{}", said(&output));
        let errors = said(&output).lines().filter(|l| l.starts_with("error: ") && l.contains(sign)).count();
        assert_eq!(errors, 1, "{}", said(&output));
    }
}

#[test]
fn a_full_disk_ends_all_ranks_with_a_sentence() {
    let setting = Setting::new(LONG);
    // Files may have 8 MiB, in blocks of 512 bytes: less than the result needs, more than MPI does.
    let launcher = mpirun(2);
    let words: Vec<String> = launcher.get_args().map(|w| w.to_string_lossy().into_owned()).collect();
    let (program, options) = words.split_last().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f 16384; exec {program} run campaign.toml");
    let mut shell = Command::new(launcher.get_program());
    shell.args(options).args(["sh", "-c", &script]);
    let output = setting.ready(shell).output().unwrap();
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("the disk or the quota is full"), "{}", said(&output));
    assert!(!setting.path("result.h5").exists());
}
