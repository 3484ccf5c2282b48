//! Where pictures go, and what they must not overwrite.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use s2dpes::plot::{self, Format, PlotError, Svg};

use super::super::Failure;

/// Refuses, before anything is drawn, an output that is no picture's, is the result file, or holds something else.
pub(super) fn check(path: &Path, results: &Path) -> Result<(), Failure> {
    let format = Format::of(path).map_err(Failure::input)?;
    let refuse = |why: String| Err(Failure::input(format!("{}: {why}", path.display())));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return refuse(format!("the folder {} does not exist; make it, or name another", folder.display()));
    }
    if path.is_dir() {
        return refuse("this is a folder; name a file in it".into());
    }
    if let (Ok(a), Ok(b)) = (path.canonicalize(), results.canonicalize())
        && a == b
    {
        return refuse("this is the result file, which a picture would destroy; name another output".into());
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => refuse(format!("it cannot be looked at ({error}); name another output")),
        Ok(meta) if !meta.is_file() => refuse("it is no ordinary file; name another output".into()),
        Ok(meta) if meta.len() == 0 || plot::is_ours(path) => Ok(()),
        Ok(_) => refuse(format!(
            "it exists and is no .{} picture of s2dpes, so that it stays; name another output or move it",
            format.suffix()
        )),
    }
}

/// Writes a picture and says so.
pub(super) fn write(pages: &[Svg], path: &Path, dpi: f64) -> Result<(), Failure> {
    plot::write_pages(pages, path, dpi).map_err(|error| match error {
        // Half a picture is none.
        PlotError::Write { ref source, .. } if is_of_the_machine(source.kind()) => {
            let _ = std::fs::remove_file(path);
            Failure::other(error)
        }
        _ => Failure::input(error),
    })?;
    log::info!("{}", path.display());
    Ok(())
}

/// Whether writing failed for want of room, which another command line would not help.
fn is_of_the_machine(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// One name a landscape beside the result file: `w2n3.h5` -> `w2n3-STRUCTURE-LANDSCAPE.png`.
pub(super) fn default_names(
    results: &Path,
    landscapes: &[(String, String)],
    format: Option<Format>,
) -> Result<Vec<PathBuf>, Failure> {
    let default = if cfg!(feature = "figures") { Format::Png } else { Format::Svg };
    let suffix = format.unwrap_or(default).suffix();
    let stem = results.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut taken = HashSet::new();
    let mut names = Vec::new();
    for (structure, landscape) in landscapes {
        let name = usable(&format!("{stem}-{structure}-{landscape}"));
        let numbered = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
        // File systems may not tell capitals.
        let free =
            numbered.into_iter().find(|name| taken.insert(name.to_lowercase())).unwrap_or(name.clone());
        names.push(results.with_file_name(format!("{free}.{suffix}")));
    }
    Ok(names)
}

/// A name that every file system takes and every shell shows.
fn usable(name: &str) -> String {
    /// File systems take 255 bytes.
    const LONGEST: usize = 200;
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|\u{feff}".contains(c);
    let mut usable: String = name.chars().map(|c| if odd(c) { '_' } else { c }).collect();
    while usable.len() > LONGEST {
        usable.pop();
    }
    usable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names_differ_and_every_file_system_takes_them() {
        let landscapes =
            ["a:b", "a?b", "A_B", "a b", &"x".repeat(300)].map(|s| (s.to_owned(), "y".to_owned()));
        let names = default_names(Path::new("runs/r.h5"), &landscapes, Some(Format::Svg)).ok().unwrap();
        let names: Vec<String> = names.iter().map(|n| n.to_string_lossy().into_owned()).collect();
        assert_eq!(names[..4], ["a_b-y", "a_b-y-2", "A_B-y-3", "a b-y"].map(|n| format!("runs/r-{n}.svg")));
        assert!(names[4].len() < 230 && names[4].ends_with(".svg"));
    }
}
