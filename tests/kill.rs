//! Ranks are killed at random moments, again and again: no finished tile is lost or computed twice.

#![cfg(feature = "mpi")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{LONG_CAMPAIGN, Random, contents, copy_w2n3, mpirun, ranks_in, send};
use s2dpes::store::Results;

/// The long campaign with small tiles and a second landscape.
fn campaign() -> String {
    let small_tiles = "[campaign]\ntile_points = 256";
    let second = "[[structure.landscape]]\n\
                  axes = [ { dof = \"N2.x\", points = 200 }, { dof = \"N2.z\", points = 200 } ]\n";
    LONG_CAMPAIGN.replace("[campaign]", small_tiles).replace("points = 600", "points = 700") + second
}

const KILLS: usize = 24;
const RANKS: usize = 3;

fn quiet(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).args(["run", "campaign.toml"]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Seconds that each finished tile took, by surface: a tile that is computed again takes another time.
fn finished(file: &Path) -> Vec<Vec<Option<u64>>> {
    // A process that has just been killed may hold its lock for a moment.
    let file = hdf5::FileBuilder::new().with_fapl(|p| p.file_locking(false)).open(file).unwrap();
    let read = |surface: &str| {
        let group = file.group(&format!("W2N3/{surface}/demo")).unwrap();
        let states = group.dataset("tile_state").unwrap().read_raw::<u8>().unwrap();
        let seconds = group.dataset("tile_seconds").unwrap().read_raw::<f64>().unwrap();
        let done = states.iter().zip(seconds).map(|(state, s)| (*state == 1).then(|| s.to_bits()));
        done.collect()
    };
    ["W1.x-N1.z", "N2.x-N2.z"].map(read).into()
}

fn count(tiles: &[Vec<Option<u64>>]) -> usize {
    tiles.iter().flatten().flatten().count()
}

/// Kills one rank, which the launcher answers by ending the others in its own time, or all of them and the launcher.
fn kill(mut job: Child, folder: &Path, random: &mut Random) {
    let ranks = ranks_in(folder);
    match (random.below(3), ranks.len()) {
        (0, 1..) => send("-KILL", ranks[random.below(ranks.len())]),
        _ => {
            job.kill().unwrap();
            ranks.iter().for_each(|rank| send("-KILL", *rank));
        }
    }
    job.wait().unwrap();
    // A launcher that was killed leaves its ranks to end on their own.
    while !ranks_in(folder).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn kills_at_random_moments_lose_no_finished_tile() {
    let folder = tempfile::tempdir().unwrap();
    copy_w2n3(folder.path());
    std::fs::write(folder.path().join("campaign.toml"), campaign()).unwrap();
    let file = folder.path().join("result.h5");
    let mut random = Random(7);
    let (mut before, mut kills, mut useful, mut longest) = (Vec::<Vec<Option<u64>>>::new(), 0, 0, 0.6);
    while kills < KILLS {
        let mut job = quiet(mpirun(RANKS), folder.path()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(0.25 + longest * random.unit()));
        if job.try_wait().unwrap().is_some_and(|status| status.success()) {
            // Done before the kill: begin again, and kill sooner.
            std::fs::remove_file(&file).unwrap();
            (before, longest) = (Vec::new(), longest / 2.0);
            continue;
        }
        kill(job, folder.path(), &mut random);
        kills += 1;
        if !file.exists() {
            continue;
        }
        let now = finished(&file);
        for (old, new) in before.iter().zip(&now) {
            assert!(old.iter().zip(new).all(|(old, new)| old.is_none() || old == new), "kill {kills}");
        }
        // On a busy machine ranks take longer to come to compute.
        match count(&now) > count(&before) {
            true => useful += 1,
            false => longest *= 1.25,
        }
        before = now;
        Results::open(&file).unwrap().landscape("W2N3", "W1.x-N1.z").unwrap();
    }
    assert!(useful >= 3, "hardly a run came to compute: {useful}");
    // Kills leave nothing behind but the file, and perhaps one that was being made.
    assert!(quiet(mpirun(RANKS), folder.path()).status().unwrap().success());
    let end = finished(&file);
    assert!(end.iter().flatten().all(Option::is_some));
    for (old, new) in before.iter().zip(&end) {
        assert!(old.iter().zip(new).all(|(old, new)| old.is_none() || old == new));
    }
    let resumed = contents(&file);
    std::fs::remove_file(&file).unwrap();
    let alone = quiet(Command::new(env!("CARGO_BIN_EXE_s2dpes")), folder.path()).status().unwrap();
    assert!(alone.success());
    assert!(contents(&file) == resumed);
}
