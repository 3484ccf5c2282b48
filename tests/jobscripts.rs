//! The job scripts: what they ask Slurm for, what they start, and what they do with its exit code.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobscripts");

/// Notes what it was started with, then exits as it is told, or starts the program.
const SRUN: &str = r#"#!/bin/bash
echo "$*" > srun.log
echo "$SRUN_CPUS_PER_TASK $HDF5_USE_FILE_LOCKING ${SLURM_MPI_TYPE-}" > environment.log
if [ -n "${FAKE_CODE-}" ]; then exit "$FAKE_CODE"; fi
while [[ $1 == -* ]]; do shift; done
exec env -u SLURM_JOB_ID "$@"
"#;
const SCONTROL: &str = "#!/bin/bash\necho \"$*\" >> scontrol.log\nexit \"${FAKE_SCONTROL:-0}\"\n";
const MODULE: &str = "#!/bin/bash\necho \"$*\" >> module.log\n";

struct Script {
    name: String,
    text: String,
}

impl Script {
    /// Options of the lines that begin with a mark; those without a value have an empty one.
    fn options(&self, mark: &str) -> Vec<(&str, &str)> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix(mark));
        let option = |line| {
            let (option, comment) = str::split_once(line, ' ').unwrap_or((line, "# none"));
            assert!(comment.trim_start().starts_with('#'), "{}: {line}", self.name);
            let option = option.strip_prefix("--").unwrap_or_else(|| panic!("{}: {line}", self.name));
            option.split_once('=').unwrap_or((option, ""))
        };
        lines.map(option).collect()
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options("#SBATCH ").into_iter().find(|option| option.0 == name).map(|option| option.1)
    }

    /// Number of ranks: of the job, or of a node if the script counts by nodes.
    fn ranks(&self) -> usize {
        let ranks = self.option("ntasks").or_else(|| self.option("ntasks-per-node"));
        ranks.unwrap_or_else(|| panic!("{}", self.name)).parse().unwrap()
    }
}

fn scripts() -> Vec<Script> {
    let files = std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path());
    let scripts = files.filter(|file| file.extension().is_some_and(|e| e == "sh")).map(|file| Script {
        name: file.file_name().unwrap().to_str().unwrap().to_string(),
        text: std::fs::read_to_string(&file).unwrap(),
    });
    let scripts: Vec<Script> = scripts.collect();
    assert!(scripts.len() >= 9);
    scripts
}

/// A folder to submit from, with commands that stand for those of a cluster.
struct Cluster {
    folder: TempDir,
}

impl Cluster {
    fn new() -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("srun", SRUN), ("scontrol", SCONTROL), ("module", MODULE)] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Cluster { folder }
    }

    /// Runs a script as a job, which also a script for AMD GPUs agrees to.
    fn run(&self, script: &Script, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let mut job = Command::new("bash");
        job.arg(Path::new(FOLDER).join(&script.name)).args(arguments).current_dir(self.folder.path());
        job.env_remove("S2DPES").env_remove("SLURM_MPI_TYPE").env("S2DPES_AMD", "1");
        job.env("PATH", path).env("SLURM_JOB_ID", "42").env("SLURM_CPUS_PER_TASK", "2");
        job.envs(variables.iter().copied()).output().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a command noted; nothing if it was not called.
    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_script_is_bash() {
    for Script { name, text } in scripts() {
        assert!(["#!/bin/bash -l", "#!/bin/bash"].contains(&text.lines().next().unwrap()), "{name}");
        assert!(text.contains("\nset -euo pipefail\n"), "{name}");
        assert!(text.lines().count() < 45, "{name}");
        let check = Command::new("bash").arg("-n").arg(Path::new(FOLDER).join(&name)).output().unwrap();
        assert!(check.status.success(), "{name}: {}", stderr(&check));
    }
}

#[test]
fn every_script_asks_for_all_that_a_job_needs() {
    for script in scripts() {
        let name = &script.name;
        for option in ["job-name", "cpus-per-task", "time"] {
            assert!(script.option(option).is_some_and(|value| !value.is_empty()), "{name}: {option}");
        }
        let given = script.options(if name == "generic.sh" { "##SBATCH " } else { "#SBATCH " });
        for option in ["account", "partition"] {
            assert!(given.iter().any(|o| o.0 == option && !o.1.is_empty()), "{name}: {option}");
        }
        assert!(script.ranks() > 1, "{name}");
        assert_eq!(script.option("signal"), Some("USR1@300"), "{name}");
        assert_eq!(script.option("requeue"), Some(""), "{name}");
        assert_eq!(script.option("open-mode"), Some("append"), "{name}");
    }
}

#[test]
fn machines_with_gpus_get_one_rank_a_gpu() {
    let mut with_gpus = BTreeSet::new();
    for script in scripts() {
        for (option, value) in script.options("#SBATCH ").into_iter().filter(|o| o.0.starts_with("gpus")) {
            let gpus: usize = value.rsplit(':').next().unwrap().parse().unwrap();
            let ranks = match option {
                "gpus-per-task" => 1,
                "gpus" => script.option("ntasks").unwrap().parse().unwrap(),
                "gpus-per-node" => script.option("ntasks-per-node").unwrap().parse().unwrap(),
                other => panic!("{}: {other}", script.name),
            };
            assert_eq!(gpus, ranks, "{}", script.name);
            with_gpus.insert(script.name.clone());
        }
    }
    let expected = ["alvis.sh", "arrhenius.sh", "berzelius.sh", "dardel-gpugh.sh", "lumi-g.sh"];
    assert_eq!(with_gpus, expected.map(String::from).into());
}

#[test]
fn the_readme_has_a_row_for_every_script() {
    let readme = std::fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap();
    let cells = readme.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(2));
    let rows: Vec<&str> =
        cells.map(|cell| cell.trim().trim_matches('`')).filter(|c| c.ends_with(".sh")).collect();
    let names: BTreeSet<String> = scripts().into_iter().map(|script| script.name).collect();
    assert_eq!(rows.len(), names.len());
    assert_eq!(rows.into_iter().map(String::from).collect::<BTreeSet<_>>(), names);
}

#[test]
fn a_run_that_stopped_in_time_goes_back_to_the_queue() {
    for script in scripts() {
        let name = &script.name;
        let cluster = Cluster::new();
        let output = cluster.run(&script, &["my.toml"], &[("FAKE_CODE", "75")]);
        assert_eq!(output.status.code(), Some(75), "{name}: {}", stderr(&output));
        assert_eq!(cluster.log("scontrol.log"), "requeue 42\n", "{name}");
        let refused = cluster.run(&script, &["my.toml"], &[("FAKE_CODE", "75"), ("FAKE_SCONTROL", "1")]);
        assert_eq!(refused.status.code(), Some(75), "{name}");
        assert!(stderr(&refused).contains("submit the same command again"), "{name}");
    }
}

#[test]
fn other_exit_codes_end_the_job() {
    for script in scripts() {
        for code in [0, 1, 2, 3, 137] {
            let cluster = Cluster::new();
            let output = cluster.run(&script, &["my.toml"], &[("FAKE_CODE", &code.to_string())]);
            assert_eq!(output.status.code(), Some(code), "{}: {}", script.name, stderr(&output));
            assert!(!cluster.file("scontrol.log").exists(), "{}: {code}", script.name);
        }
    }
}

#[test]
fn srun_gets_the_campaign_and_its_environment() {
    for script in scripts() {
        let name = &script.name;
        let cluster = Cluster::new();
        cluster.run(&script, &["my campaign.toml"], &[("FAKE_CODE", "0")]);
        let command = cluster.log("srun.log");
        assert!(command.starts_with("--kill-on-bad-exit=0 --wait=60 "), "{name}: {command}");
        assert!(command.ends_with(" s2dpes run my campaign.toml\n"), "{name}: {command}");
        let mpi = if name == "arrhenius.sh" { "pmi2" } else { "" };
        assert_eq!(cluster.log("environment.log"), format!("2 BEST_EFFORT {mpi}\n"), "{name}");
        assert_eq!(cluster.log("module.log").contains("load "), name != "generic.sh", "{name}");
    }
    let generic = scripts().into_iter().find(|script| script.name == "generic.sh").unwrap();
    let cluster = Cluster::new();
    cluster.run(&generic, &["my.toml"], &[("FAKE_CODE", "0"), ("SLURM_MPI_TYPE", "pmix")]);
    assert_eq!(cluster.log("environment.log"), "2 BEST_EFFORT pmix\n");
}

#[test]
fn every_script_computes_a_campaign() {
    let structure = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/structures/W2N3_chgnet.extxyz");
    let campaign = format!(
        "[campaign]\noutput = \"my.h5\"\n\
         [[model]]\nname = \"demo-wn\"\nfile = \"embedded:demo-wn\"\n\
         [[structure]]\nfile = '{structure}'\n\
         [[structure.landscape]]\n\
         axes = [ {{ dof = \"N1.x\", points = 4 }}, {{ dof = \"N1.z\", points = 4 }} ]\n"
    );
    for script in scripts() {
        let cluster = Cluster::new();
        std::fs::write(cluster.file("my campaign.toml"), &campaign).unwrap();
        let program = [("S2DPES", env!("CARGO_BIN_EXE_s2dpes"))];
        let output = cluster.run(&script, &["my campaign.toml"], &program);
        assert_eq!(output.status.code(), Some(0), "{}: {}", script.name, stderr(&output));
        assert!(cluster.file("my.h5").exists(), "{}", script.name);
    }
}

#[test]
fn a_job_without_a_campaign_shows_the_usage() {
    for script in scripts() {
        for arguments in [&[][..], &["my.toml", "--restart"]] {
            let cluster = Cluster::new();
            let output = cluster.run(&script, arguments, &[("FAKE_CODE", "0")]);
            assert_eq!(output.status.code(), Some(2), "{}", script.name);
            let usage = format!("usage: sbatch jobscripts/{} CAMPAIGN.toml\n", script.name);
            assert_eq!(stderr(&output), usage);
            assert!(!cluster.file("srun.log").exists(), "{}", script.name);
        }
    }
}

#[test]
fn lumi_g_waits_for_an_engine_for_amd() {
    let script = scripts().into_iter().find(|script| script.name == "lumi-g.sh").unwrap();
    let cluster = Cluster::new();
    let output = cluster.run(&script, &["my.toml"], &[("FAKE_CODE", "0"), ("S2DPES_AMD", "")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no engine for AMD GPUs"));
    assert!(!cluster.file("srun.log").exists());
}
