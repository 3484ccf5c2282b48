//! Compiled kernels in files, so that the compiler runs once for a machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::Version;

/// First word of a file; the number is that of the format.
const FORMAT: &str = "s2dpes-kernels-1";
/// End of a file's name.
const EXTENSION: &str = ".kernels";

/// A folder of compiled kernels. All that fails costs time only.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Nothing is kept without one.
    pub folder: Option<PathBuf>,
}

/// What the kernels were compiled from and for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Of a source, the options that change code, and an architecture.
    pub fn new(source: &str, options: &[String], architecture: u32) -> Key {
        let text = [FORMAT, &options.join("\n"), source].join("\n");
        Key(format!("sm_{architecture}-{}", &digest(text.as_bytes())[..32]))
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Cache {
    /// `S2DPES_CACHE_DIR`, or `s2dpes` in the user's folder for caches.
    pub fn of_environment() -> Cache {
        Cache { folder: folder(|name| std::env::var_os(name).map(PathBuf::from)) }
    }

    /// Kernels that a compiler of a version made; of any version, the newest first, if none is wanted.
    pub fn load(&self, key: &Key, version: Option<Version>) -> Option<(Version, Vec<u8>)> {
        let versions = match version {
            Some(version) => vec![version],
            None => self.versions(key),
        };
        versions.into_iter().find_map(|version| {
            let path = self.path(key, version)?;
            let bytes = fs::read(&path).ok()?;
            let image = opened(&bytes);
            if image.is_none() {
                log::debug!("{} is damaged", path.display());
            }
            Some((version, image?.to_vec()))
        })
    }

    /// Keeps kernels, if that is possible.
    pub fn store(&self, key: &Key, version: Version, image: &[u8]) {
        let Some(path) = self.path(key, version) else { return };
        if let Err(error) = write(&path, image) {
            log::debug!("compiled kernels cannot be kept in {} ({error})", path.display());
        }
    }

    /// Names and sizes of its files.
    pub fn files(&self) -> Vec<(String, u64)> {
        let entries = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        let mut files: Vec<(String, u64)> = (entries.into_iter().flatten().flatten())
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.len())))
            .filter(|(name, _)| name.ends_with(EXTENSION))
            .collect();
        files.sort();
        files
    }

    /// Whether files can be written.
    pub fn check_writable(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Err(io::Error::other("there is no folder")) };
        fs::create_dir_all(folder)?;
        let path = temporary(&folder.join("check"));
        fs::write(&path, b"s2dpes").and_then(|()| fs::remove_file(&path))
    }

    fn path(&self, key: &Key, version: Version) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}-nvrtc{version}{EXTENSION}", key.0)))
    }

    /// Of the compilers that have made files of a key, descending.
    fn versions(&self, key: &Key) -> Vec<Version> {
        let version = |name: &str| {
            let rest = name.strip_prefix(&key.0)?.strip_prefix("-nvrtc")?.strip_suffix(EXTENSION)?;
            let (major, minor) = rest.split_once('.')?;
            Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        let mut versions: Vec<Version> = self.files().iter().filter_map(|(name, _)| version(name)).collect();
        versions.sort_unstable();
        versions.reverse();
        versions
    }
}

fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let variable = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
    variable("S2DPES_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").filter(|p| p.is_absolute()).map(|p| p.join("s2dpes")))
        .or_else(|| variable("HOME").map(|p| p.join(".cache/s2dpes")))
}

/// Contents of a file that is whole.
fn opened(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let image = &bytes[end + 1..];
    (head.strip_prefix(FORMAT)?.trim() == digest(image)).then_some(image)
}

/// Appears at once, whoever else writes the same file.
fn write(path: &Path, image: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = temporary(path);
    let bytes = [format!("{FORMAT} {}\n", digest(image)).as_bytes(), image].concat();
    let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
    }
    written
}

/// A name beside a path that no other process or thread uses. Processes of other machines may have the same number.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let unique = format!("{}-{}-{count}", host.trim(), std::process::id());
    path.with_extension(format!("{unique}.new"))
}
