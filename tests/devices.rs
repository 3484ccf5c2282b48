//! What the program does with GPUs and without them: which engine it takes, what it says, compiled kernels on disk.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use s2dpes::store::Results;
use serde_json::Value;
use tempfile::TempDir;

/// A command in a folder that keeps kernels there and looks for libraries nowhere else than the loader does.
fn ready(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).env("S2DPES_CACHE_DIR", folder.join("cache"));
    for variable in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "NVHPC_ROOT", "VIRTUAL_ENV", "CONDA_PREFIX"] {
        command.env_remove(variable);
    }
    command
}

/// The program on a machine that shows no GPU.
fn without_gpus(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = ready(Command::new(env!("CARGO_BIN_EXE_s2dpes")), folder);
    command.env("CUDA_VISIBLE_DEVICES", "").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the file knows of the last start.
fn engine_of_last_run(folder: &Path) -> String {
    let results = Results::open(&folder.join("result.h5")).unwrap();
    results.runs().unwrap().last().unwrap().engine.clone()
}

/// Whether a text says why there is no GPU, with or without a driver.
fn says_why(text: &str) -> bool {
    let reasons =
        ["no CUDA driver (libcuda.so) was found", "the CUDA driver shows no GPU", "built without CUDA"];
    reasons.iter().any(|reason| text.contains(reason))
}

#[test]
fn without_a_gpu_a_run_takes_cpus_and_says_why() {
    let folder = common::campaign_folder();
    let output = without_gpus(folder.path(), &["run", "campaign.toml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let line = said.lines().find(|line| line.contains("computing on CPUs: ")).expect(&said);
    assert!(line.contains("INFO") && says_why(line), "{said}");
    assert!(engine_of_last_run(folder.path()).starts_with("cpu, "));
    let output = without_gpus(folder.path(), &["run", "campaign.toml", "--restart", "--engine", "cpu"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!text(&output.stderr).contains("computing on"), "{}", text(&output.stderr));
}

#[test]
fn a_gpu_that_is_wanted_and_not_there_is_an_error_with_the_way_out() {
    let folder = common::campaign_folder();
    let eval = ["eval", "--model", "mp0-L1.model", "perovskite-CaTiO3-Pnma.extxyz"];
    for command in [&["run", "campaign.toml"][..], &eval] {
        let output = without_gpus(folder.path(), &[command, &["--engine", "cuda"]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("error: GPUs were asked for, but ") && says_why(&said), "{said}");
        assert!(said.contains("`s2dpes doctor`") && output.stdout.is_empty(), "{said}");
    }
    assert!(!folder.path().join("result.h5").exists());
    let output = without_gpus(folder.path(), &eval);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let output = without_gpus(folder.path(), &["run", "campaign.toml", "--engine", "gpu"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("write auto, cuda or cpu"), "{said}");
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_without_gpus_end_with_one_message_if_gpus_are_wanted() {
    let folder = common::campaign_folder();
    let mut command = ready(common::mpirun(3), folder.path());
    command.env("CUDA_VISIBLE_DEVICES", "").args(["run", "campaign.toml", "--engine", "cuda"]);
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(
        said.lines().filter(|line| line.starts_with("error: GPUs were asked for")).count(),
        1,
        "{said}"
    );
    assert!(!folder.path().join("result.h5").exists());
}

#[test]
fn doctor_tells_what_there_is_and_what_is_missing() {
    let folder = common::campaign_folder();
    let output = without_gpus(folder.path(), &["doctor"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let report = text(&output.stdout);
    for topic in ["s2dpes ", "CPU ", "memory ", "MPI ", "launcher ", "HDF5 ", "pictures "] {
        assert_eq!(report.lines().filter(|line| line.starts_with(topic)).count(), 1, "{topic}: {report}");
    }
    let last = report.lines().last().unwrap();
    assert!(last.starts_with("`s2dpes run` computes on CPUs here: ") && says_why(last), "{report}");
    assert!(report.contains("needed to compute on"), "{report}");
    let output = without_gpus(folder.path(), &["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["engine"]["auto"], "cpu");
    assert!(says_why(report["engine"]["why"].as_str().unwrap()), "{report}");
    assert!(report["CPU"]["threads"].as_u64().unwrap() > 0 && report["HDF5"].is_string(), "{report}");
}

#[cfg(feature = "cuda")]
#[test]
fn kernels_are_compiled_for_architectures_only() {
    let folder = common::campaign_folder();
    for name in ["ninety", "sm_", "sm_90a", "compute_90"] {
        let output = without_gpus(folder.path(), &["doctor", "--compile", name]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{name} is no GPU architecture; write it as sm_90")), "{said}");
    }
}

/// Files of compiled kernels.
#[cfg(feature = "cuda")]
mod kernels {
    use std::path::PathBuf;

    use s2dpes::engine::cuda::Version;
    use s2dpes::engine::cuda::cache::{Cache, Key};

    use super::*;

    const OLD: Version = Version { major: 12, minor: 4 };
    const NEW: Version = Version { major: 12, minor: 10 };

    fn cache(folder: &TempDir) -> Cache {
        Cache { folder: Some(folder.path().join("a/b")) }
    }

    fn key(source: &str) -> Key {
        Key::new(source, &["--fmad=false".into()], 90)
    }

    fn only_file(cache: &Cache) -> PathBuf {
        let files = cache.files();
        assert_eq!(files.len(), 1, "{files:?}");
        cache.folder.as_ref().unwrap().join(&files[0].0)
    }

    #[test]
    fn come_back_for_the_same_source_options_and_architecture() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        assert_eq!(cache.load(&key("source"), Some(NEW)), None);
        cache.store(&key("source"), NEW, b"image");
        assert_eq!(cache.load(&key("source"), Some(NEW)), Some((NEW, b"image".to_vec())));
        let others =
            [key("Source"), Key::new("source", &[], 90), Key::new("source", &["--fmad=false".into()], 80)];
        for other in others {
            assert_eq!(cache.load(&other, Some(NEW)), None);
        }
        // Another compiler makes its own; where there is none, the newest is taken.
        assert_eq!(cache.load(&key("source"), Some(OLD)), None);
        assert_eq!(cache.load(&key("source"), None), Some((NEW, b"image".to_vec())));
        cache.store(&key("source"), OLD, b"old image");
        assert_eq!(cache.load(&key("source"), Some(OLD)), Some((OLD, b"old image".to_vec())));
        assert_eq!(cache.load(&key("source"), None).unwrap().0, NEW);
    }

    #[test]
    fn that_are_damaged_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.store(&key("source"), NEW, &[7; 1000]);
        let path = only_file(&cache);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = vec![Vec::new(), b"nonsense".to_vec(), [&whole[..], b"more"].concat()];
        damaged.extend([1, 20, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec()));
        for place in [0, 15, 30, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            damaged.push(bytes);
        }
        for bytes in damaged {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.load(&key("source"), Some(NEW)), None, "{} bytes", bytes.len());
            assert_eq!(cache.load(&key("source"), None), None);
        }
        cache.store(&key("source"), NEW, &[7; 1000]);
        assert_eq!(cache.load(&key("source"), None), Some((NEW, vec![7; 1000])));
    }

    #[test]
    fn are_whole_whoever_writes_them_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let cache = &cache;
                scope.spawn(move || {
                    for _ in 0..50 {
                        cache.store(&key("source"), NEW, &vec![thread; 100_000]);
                        let (_, image) = cache.load(&key("source"), Some(NEW)).unwrap();
                        assert!(image.len() == 100_000 && image.iter().all(|b| *b == image[0]));
                    }
                });
            }
        });
        only_file(&cache);
        assert_eq!(std::fs::read_dir(cache.folder.unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn that_cannot_be_kept_are_no_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        for folder in [Some(folder.path().join("file/folder")), None] {
            let cache = Cache { folder };
            cache.store(&key("source"), NEW, b"image");
            assert_eq!(cache.load(&key("source"), None), None);
            assert!(cache.files().is_empty() && cache.check_writable().is_err());
        }
    }
}

/// GPUs that are imitated.
#[cfg(feature = "cuda")]
mod imitated {
    use std::path::PathBuf;

    use super::*;

    /// A folder with imitations of the driver and the compiler, built once.
    fn shim() -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/build.sh");
        let output = Command::new(script).arg(&folder).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        folder
    }

    fn with(mut command: Command, libraries: &Path, gpus: usize) -> Command {
        command.env_remove("CUDA_VISIBLE_DEVICES").env("LD_LIBRARY_PATH", libraries);
        command.env("S2DPES_SHIM_DEVICES", gpus.to_string());
        command
    }

    /// Standard output and standard error of the program with one GPU.
    fn with_gpu(libraries: &Path, folder: &Path, arguments: &[&str]) -> (String, String) {
        let command = ready(Command::new(env!("CARGO_BIN_EXE_s2dpes")), folder);
        let output = with(command, libraries, 1).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }

    #[test]
    fn gpus_are_used_as_long_as_there_are_kernels() {
        let (shim, folder) = (shim(), common::campaign_folder());
        let (_, said) = with_gpu(&shim, folder.path(), &["run", "campaign.toml"]);
        assert!(said.contains("computing on GPUs: CPU shim"), "{said}");
        assert_eq!(engine_of_last_run(folder.path()), "cuda, CPU shim");
        let kept = std::fs::read_dir(folder.path().join("cache")).unwrap().count();
        assert!(kept > 0);
        // Without a compiler, what it has left is enough; without that, the reason is said.
        let driver_only = tempfile::tempdir().unwrap();
        std::fs::copy(shim.join("libcuda.so"), driver_only.path().join("libcuda.so")).unwrap();
        let (_, said) = with_gpu(driver_only.path(), folder.path(), &["run", "campaign.toml", "--restart"]);
        assert!(said.contains("computing on GPUs: CPU shim"), "{said}");
        std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
        let (_, said) = with_gpu(driver_only.path(), folder.path(), &["run", "campaign.toml", "--restart"]);
        let line = said.lines().find(|line| line.contains("GPUs stay idle: ")).expect(&said);
        assert!(line.contains("WARN") && line.contains("doctor --compile sm_90"), "{said}");
        assert!(engine_of_last_run(folder.path()).starts_with("cpu, "));
    }

    #[test]
    fn doctor_compiles_ahead() {
        let (shim, folder) = (shim(), common::campaign_folder());
        let (report, said) = with_gpu(&shim, folder.path(), &["doctor", "--compile", "sm_80,sm_90"]);
        assert!(report.contains("sm_80 float32: ") && report.contains("sm_90 float64: "), "{report}{said}");
        let (report, _) = with_gpu(&shim, folder.path(), &["doctor", "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["engine"]["auto"], "cuda");
        assert_eq!(report["GPUs"][0]["architecture"], "sm_90");
        assert_eq!(report["compiled_kernels"]["files"].as_array().unwrap().len(), 4);
    }

    #[cfg(feature = "mpi")]
    #[test]
    fn all_ranks_compute_on_gpus_or_none_does() {
        let (shim, folder) = (shim(), common::campaign_folder());
        let mut command = with(ready(common::mpirun(3), folder.path()), &shim, 2);
        let output = command.args(["run", "campaign.toml"]).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("computing on GPUs: 2 x CPU shim"), "{said}");
        assert!(said.contains("ranks 0 2 share GPU 0 (CPU shim)"), "{said}");
        assert_eq!(engine_of_last_run(folder.path()), "cuda, 2 x CPU shim on 1 node");
        // Rank 1 sees no GPU.
        let script =
            "case ${OMPI_COMM_WORLD_RANK-$PMI_RANK} in 1) export CUDA_VISIBLE_DEVICES= ;; esac; exec \"$@\"";
        let launcher = common::mpirun(3);
        let words: Vec<String> = launcher.get_args().map(|w| w.to_string_lossy().into_owned()).collect();
        let (program, options) = words.split_last().unwrap();
        for (engine, code) in [("auto", None), ("cuda", Some(2))] {
            let mut command = Command::new(launcher.get_program());
            command.args(options).args([
                "sh",
                "-c",
                script,
                "sh",
                program,
                "run",
                "campaign.toml",
                "--restart",
            ]);
            let mut command = with(ready(command, folder.path()), &shim, 2);
            let output = command.args(["--engine", engine]).output().unwrap();
            let said = text(&output.stderr);
            assert!(said.contains("rank 1 on ") && said.contains(": the CUDA driver shows no GPU"), "{said}");
            assert_eq!(output.status.code(), code.or(Some(0)), "{said}");
        }
        assert!(engine_of_last_run(folder.path()).starts_with("cpu, "));
    }
}
