//! What to tell the user when a file cannot be opened, made or filled.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use hdf5::MinorErrorCode;

use super::StoreError;

/// The library's error in the user's words.
pub(super) fn explain(path: &Path, error: &hdf5::Error) -> StoreError {
    if is_locked(error) {
        return in_use(path);
    }
    if error.contains_minor(MinorErrorCode::NotHdf5) {
        return StoreError::new(path, "it is no HDF5 file, and so no result of s2dpes; name a result file");
    }
    let text = error.to_string();
    if text.contains("truncated file") {
        return StoreError::new(path, "its end is missing; copy it again, or remove it and run again");
    }
    let is_full = ["No space left", "quota", "write failed"].iter().any(|sign| text.contains(sign));
    if is_full {
        full(path, &text)
    } else {
        StoreError::new(
            path,
            format!("it is damaged, or of another version ({text}); copy it again, or compute it anew"),
        )
    }
}

/// Whether a file is written to or only read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The reason why a file cannot be opened, if it is the operating system's.
pub(super) fn check_access(path: &Path, access: Access) -> Result<(), StoreError> {
    // To open a pipe may take for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(StoreError::new(path, "it is a folder, device or pipe, not a result file"));
    }
    match OpenOptions::new().read(true).write(access == Access::Write).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(StoreError::new(path, "there is no such file")),
        Err(e) => Err(StoreError::new(path, format!("it cannot be opened ({e})"))),
    }
}

/// Why a file could not be made. The library does not always say that the disk is full: a file that takes no more does.
pub(super) fn explain_creation(path: &Path, partial: &Path, error: &hdf5::Error) -> StoreError {
    let append = || {
        let mut file = OpenOptions::new().append(true).open(partial)?;
        file.write_all(&[0; 1 << 16])?;
        file.sync_all()
    };
    match append() {
        Err(e) if is_full(&e) => full(path, &e.to_string()),
        _ => explain(path, error),
    }
}

/// Whether another process keeps the file for itself.
pub(super) fn is_locked(error: &hdf5::Error) -> bool {
    error.contains_minor(MinorErrorCode::CantLockFile) || error.to_string().contains("unable to lock file")
}

/// Somebody else writes the file, or reads it while we want to write.
pub(super) fn in_use(path: &Path) -> StoreError {
    StoreError::new(
        path,
        "another run is using the file, or another program has it open; wait until it is done, or give another \
         output. If there is none, the file system has no locks: export HDF5_USE_FILE_LOCKING=FALSE",
    )
}

/// Whether the disk or the quota is full.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// An error that more room mends.
pub(super) fn full(path: &Path, reason: &str) -> StoreError {
    let reason = format!("it cannot be written: the disk or the quota is full ({reason}); make room");
    StoreError::Machine { path: path.display().to_string(), reason }
}
