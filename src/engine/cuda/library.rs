//! Where the compiler's library is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cudarc::nvrtc::sys;

/// Variables that name a folder with libraries of CUDA, and where in it they are.
const VARIABLES: [(&str, &str); 7] = [
    ("CUDA_HOME", "lib64"),
    ("CUDA_PATH", "lib64"),
    ("CUDA_ROOT", "lib64"),
    ("NVHPC_ROOT", "cuda/lib64"),
    ("VIRTUAL_ENV", "lib/python3*/site-packages/nvidia/c*/lib"),
    ("CONDA_PREFIX", "lib"),
    ("CONDA_PREFIX", "lib/python3*/site-packages/nvidia/c*/lib"),
];
/// Folders with libraries of CUDA.
const FOLDERS: [&str; 2] = ["/usr/local/cuda/lib64", "/opt/cuda/lib64"];
/// Names that are looked for once their libraries are loaded, the newest first.
const NAMES: [&str; 2] = ["libnvrtc.so.13", "libnvrtc.so.12"];

/// Whether there is a library of the compiler: where the system's loader looks for it, or else where CUDA, `pip` or
/// `conda` install it.
pub(super) fn is_present() -> bool {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    // SAFETY: loads and unloads libraries of NVIDIA, whose initialisers do nothing that others notice.
    let is_known = || unsafe { sys::is_culib_present() };
    *PRESENT.get_or_init(|| is_known() || (preload(&candidates()) && is_known()))
}

/// Loads the first library that can be, for good: the loader then knows it by its name.
fn preload(candidates: &[PathBuf]) -> bool {
    candidates.iter().any(|path| {
        // SAFETY: as above.
        let library = unsafe { libloading::Library::new(path) };
        log::debug!("{}: {}", path.display(), if library.is_ok() { "loaded" } else { "cannot be loaded" });
        library.map(std::mem::forget).is_ok()
    })
}

/// Files that may be the library.
fn candidates() -> Vec<PathBuf> {
    let named = VARIABLES.iter().filter_map(|(variable, below)| {
        let folder = std::env::var(variable).ok().filter(|folder| !folder.is_empty())?;
        Some((glob::Pattern::escape(&folder), *below))
    });
    let known = FOLDERS.iter().map(|folder| (String::new(), *folder));
    let patterns = named.chain(known).map(|(folder, below)| format!("{folder}/{below}"));
    let folders = patterns.filter_map(|pattern| glob::glob(&pattern).ok()).flatten().flatten();
    folders.flat_map(|folder| NAMES.map(|name| folder.join(name))).filter(|p| Path::is_file(p)).collect()
}
