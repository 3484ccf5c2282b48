//! Where results may go: names that they can have, and what must not be written over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;
use super::scales;
use super::trouble::{Access, check_access, full, in_use, is_full, is_locked};

/// Endings of result files; those of netCDF, too, since every result can be read as netCDF-4.
const ENDINGS: [&str; 6] = ["h5", "hdf5", "hdf", "he5", "nc", "nc4"];
/// Endings of pictures, which are drawn of results.
const PICTURES: [&str; 5] = ["png", "svg", "pdf", "jpg", "jpeg"];
/// As many links as Linux follows.
const LINKS: usize = 40;
/// What another machine has left behind is removed when nobody has touched it for so long.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Refuses a path whose name results cannot have: that of a folder, or with the ending of something else.
pub fn check_name(path: &Path) -> Result<(), StoreError> {
    let names_folder = path.as_os_str().as_encoded_bytes().last() == Some(&b'/');
    let (Some(name), false) = (path.file_name(), names_folder) else {
        let reason = "this names no file for the results; write one such as results.h5";
        return Err(StoreError::new(path, reason));
    };
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let Some(ending) = ending.filter(|ending| !ENDINGS.contains(&ending.as_str())) else { return Ok(()) };
    let reason = if PICTURES.contains(&ending.as_str()) {
        let instead = path.with_extension("h5");
        let (instead, it) = (instead.display(), name.display());
        format!("results go to an HDF5 file, of which pictures such as {it} are drawn; write {instead}")
    } else {
        let instead = path.display();
        format!(
            "results go to an HDF5 file, and its name ends in .h5, .hdf5 or .nc, not in .{ending}; write {instead}.h5"
        )
    };
    Err(StoreError::new(path, reason))
}

/// Where a path leads: results go to the file that a link names, not into the link's place.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Whether a result of s2dpes is there already. Anything else that is there is refused: it is neither filled nor
/// written over.
pub(super) fn is_there(path: &Path) -> Result<bool, StoreError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(StoreError::new(path, format!("it cannot be looked at ({e})"))),
    };
    let what = if kind.is_symlink() {
        "it is a link that leads nowhere"
    } else if kind.is_dir() {
        "it is a folder"
    } else if !kind.is_file() {
        "it is a device, pipe or socket"
    } else if !is_ours(path)? {
        "it exists and is no readable result of s2dpes, and so is not touched"
    } else {
        return Ok(true);
    };
    Err(StoreError::new(path, format!("{what}; give another output")))
}

/// Whether an ordinary file is a result of s2dpes.
fn is_ours(path: &Path) -> Result<bool, StoreError> {
    check_access(path, Access::Write)?;
    match hdf5::File::open(path).and_then(|file| scales::read_text(&file, "source")) {
        Ok(source) => Ok(source.starts_with("s2dpes")),
        Err(error) if is_locked(&error) => Err(in_use(path)),
        Err(_) => Ok(false),
    }
}

/// Makes an empty file of a new name beside `path`, which nobody else has: `w2n3.h5.HOST-PID-NANOSECONDS.partial`.
pub(super) fn make_partial(path: &Path, host: &str) -> Result<PathBuf, StoreError> {
    let Some(name) = path.file_name() else {
        return Err(StoreError::new(path, "the output has no file name; write output = \"NAME.h5\""));
    };
    let folder = folder_of(path);
    if !folder.is_dir() {
        let folder = folder.display();
        let reason = format!("the folder {folder} does not exist; make it, or give another output");
        return Err(StoreError::new(path, reason));
    }
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let mut partial = name.to_owned();
    partial.push(format!(".{}-{}-{since}.partial", plain(host), std::process::id()));
    let partial = path.with_file_name(partial);
    match OpenOptions::new().create_new(true).write(true).open(&partial) {
        Ok(_) => Ok(partial),
        Err(e) if is_full(&e) => Err(full(path, &e.to_string())),
        Err(e) => {
            let reason = format!("it cannot be made ({e}); give another output");
            Err(StoreError::new(path, reason))
        }
    }
}

/// Moves a complete file to its name, at once or not at all. Without `replace`, what somebody else has put there in the
/// meantime stays; the answer says whether ours is in place.
pub(super) fn place(partial: &Path, path: &Path, replace: bool) -> std::io::Result<bool> {
    if replace {
        return fs::rename(partial, path).map(|()| true);
    }
    match fs::hard_link(partial, path) {
        Ok(()) => fs::remove_file(partial).map(|()| true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        // A file system without hard links: an empty file of that name is ours to replace.
        Err(_) => match OpenOptions::new().create_new(true).write(true).open(path) {
            Ok(_) => fs::rename(partial, path).map(|()| true),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e),
        },
    }
}

/// Removes what starts that were killed while they made the file have left beside it. Files of other names, of
/// processes that live, and those that are locked or recent on another machine are left alone.
pub(super) fn sweep(path: &Path, host: &str) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.flatten() {
        let maker = maker(&entry.file_name().to_string_lossy(), &name);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let (Some((machine, process)), true) = (maker, is_file)
            && is_abandoned(&entry.path(), machine == plain(host), process)
        {
            match fs::remove_file(entry.path()) {
                Ok(()) => log::info!("removed {}, which a killed run left behind", entry.path().display()),
                Err(e) => log::warn!("{} is left of a killed run ({e})", entry.path().display()),
            }
        }
    }
}

/// The machine and process that made a file, if its name is one that [`make_partial`] gives.
fn maker(file: &str, name: &str) -> Option<(String, u32)> {
    let parts = file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".partial")?;
    let (rest, since) = parts.rsplit_once('-')?;
    let (machine, process) = rest.rsplit_once('-')?;
    since.parse::<u128>().ok()?;
    Some((machine.to_string(), process.parse().ok()?))
}

/// Whether nobody is writing a file any more.
fn is_abandoned(file: &Path, is_from_here: bool, process: u32) -> bool {
    let Ok(opened) = File::open(file) else { return false };
    if matches!(opened.try_lock(), Err(TryLockError::WouldBlock)) {
        return false;
    }
    if is_from_here && Path::new("/proc/self").exists() {
        return !Path::new(&format!("/proc/{process}")).exists();
    }
    let changed = opened.metadata().and_then(|m| m.modified()).ok();
    changed.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LEFT_BEHIND)
}

/// The folder of a file, `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A host's name as a part of a file's name.
fn plain(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_pictures_and_other_files_are_refused_with_another_one() {
        for good in ["x.h5", "a/x.HDF5", "x.nc", "results", ".hidden", "../x.he5"] {
            assert!(check_name(Path::new(good)).is_ok(), "{good}");
        }
        for (bad, instead) in [
            ("x.png", "write x.h5"),
            ("a/x.SVG", "write a/x.h5"),
            ("x.toml", "write x.toml.h5"),
            ("W2N3_W1.x-W1.z", "write W2N3_W1.x-W1.z.h5"),
            ("x.h5.gz", "not in .gz"),
            ("new/", "names no file"),
            ("", "names no file"),
            ("..", "names no file"),
        ] {
            let message = check_name(Path::new(bad)).unwrap_err().to_string();
            assert!(message.contains(instead), "{message}");
        }
    }

    #[test]
    fn only_what_killed_runs_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, host) = (folder.path().join("x.h5"), "node-1");
        // The largest number that Linux gives a process is 2^22.
        let dead = ["x.h5.node_1-4194999-1.partial", "x.h5.node_1-4194999-2.partial"];
        let kept = [
            "x.h5.partial",
            "x.h5.node_1-4194999.partial",
            "x.h5.node_1-4194999-1.partial.bak",
            "y.h5.node_1-4194999-1.partial",
            "x.h5.node_2-4194999-1.partial",
            &format!("x.h5.node_1-{}-1.partial", std::process::id()),
        ];
        for name in dead.iter().chain(&kept) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let old = File::options().write(true).open(folder.path().join(dead[0])).unwrap();
        old.set_modified(std::time::SystemTime::now() - 2 * LEFT_BEHIND).unwrap();
        sweep(&path, host);
        let left = |name: &&str| folder.path().join(name).exists();
        assert!(!dead.iter().any(left) && kept.iter().all(left));
        // What another machine left goes when it is old, unless it is locked.
        let other = folder.path().join("x.h5.node_2-4194999-1.partial");
        let file = File::options().write(true).open(&other).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * LEFT_BEHIND).unwrap();
        file.lock().unwrap();
        sweep(&path, host);
        assert!(other.exists());
        drop(file);
        sweep(&path, host);
        assert!(!other.exists());
    }

    #[test]
    fn a_file_that_came_in_between_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.h5");
        let partial = make_partial(&path, "here").unwrap();
        fs::write(&path, "another's").unwrap();
        assert!(!place(&partial, &path, false).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"another's");
        assert!(place(&partial, &path, true).unwrap() && !partial.exists());
    }
}
