//! Paths and patterns of structure files -> files in order, each with what its structures are called.
//!
//! A structure is called after the parts of its path that the campaign file leaves open, joined by `-`: the components with
//! wildcards or braces, the file's own without its ending. So the name of a structure does not depend on which
//! others there are.
//!
//! ```text
//! file = "structures/*.cif"              structures/W2N3.cif     W2N3
//! file = "runs/*/POSCAR"                 runs/a/POSCAR           a
//! file = "runs/*/*/CONTCAR"              runs/a/1/CONTCAR        a-1
//! file = "runs/{a,b}/relax/POSCAR"       runs/a/relax/POSCAR     a
//! file = "runs/*/*.cif"                  runs/a/W2N3.cif         a-W2N3
//! file = "runs/**/POSCAR"                runs/a/1/POSCAR         a-1
//! file = "W2N3/start.cif"                W2N3/start.cif          start
//! file = "W2N3/POSCAR"                   W2N3/POSCAR             W2N3
//! ```

use std::cmp::Ordering;
use std::path::{Component, Path, PathBuf};

/// Surrounds what stood in braces.
const BRACE: char = '\u{1}';
const WILDCARDS: [char; 3] = ['*', '?', '['];

/// A structure file of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The folders that the name has.
    folders: Vec<String>,
    /// Whether the name of the file is a part of it.
    has_own: bool,
    /// All folders that the campaign file names.
    all_folders: Vec<String>,
}

impl NamedFile {
    /// What a structure is called: a short name, and one to take if that is taken. `own` is what the file calls it;
    /// `alone` whether it is the only one there.
    pub fn names(&self, own: &str, alone: bool) -> [String; 2] {
        let join = |folders: &[String], has_own: bool| {
            let parts = folders.iter().map(String::as_str);
            parts.chain(has_own.then_some(own)).collect::<Vec<_>>().join("-")
        };
        let has_own = self.has_own || !alone;
        [join(&self.folders, has_own), join(&self.all_folders, has_own || self.all_folders.is_empty())]
    }

    /// A file that is named without any pattern.
    fn plain(folder: &Path, written: &str) -> NamedFile {
        let mut all_folders = components(Path::new(written));
        let own = all_folders.pop().unwrap_or_default();
        all_folders.retain(|part| part != "..");
        let parent = all_folders.last().filter(|_| names_format_only(&own));
        let folders: Vec<String> = parent.into_iter().cloned().collect();
        NamedFile { path: folder.join(written), has_own: folders.is_empty(), folders, all_folders }
    }

    /// A file that a pattern, which counts from a folder, has found.
    fn found(path: PathBuf, folder: &Path, pattern: &[Part]) -> NamedFile {
        let parts = components(&path);
        let start = if pattern.first().is_some_and(|p| p.text == "/") { 0 } else { components(folder).len() };
        let pattern: Vec<&Part> = pattern.iter().filter(|p| p.text != "/").collect();
        let is_deep = |part: &&Part| part.text == "**";
        let (head, tail) = match (pattern.iter().position(is_deep), pattern.iter().rposition(is_deep)) {
            (Some(first), Some(last)) => (&pattern[..first], &pattern[last + 1..]),
            _ => (&pattern[..], &pattern[..0]),
        };
        let is_open = |place: usize| match place.checked_sub(start) {
            None => false,
            Some(i) if i < head.len() => head[i].is_open,
            Some(_) => (place + tail.len()).checked_sub(parts.len()).is_none_or(|i| tail[i].is_open),
        };
        let last = parts.len().saturating_sub(1);
        let folders: Vec<String> = (0..last).filter(|i| is_open(*i)).map(|i| parts[i].clone()).collect();
        let has_own = folders.is_empty() || is_open(last);
        let all_folders = parts[start.min(last)..last].iter().filter(|p| *p != "..").cloned().collect();
        NamedFile { path, folders, has_own, all_folders }
    }
}

/// A component of a pattern.
struct Part {
    /// `/` for the root.
    text: String,
    /// Whether it has wildcards or stood in braces.
    is_open: bool,
}

/// Why a pattern has no files.
pub(super) enum PatternError {
    /// It cannot be understood.
    Syntax(String),
    /// Nothing matches.
    Nothing,
    /// A folder cannot be looked into.
    Folder(String),
}

/// The files of a path or pattern below a folder; those of a pattern in natural order (`a2` before `a10`). A file that
/// is called like a pattern is meant itself.
pub(super) fn find(folder: &Path, written: &str) -> Result<Vec<NamedFile>, PatternError> {
    let alternatives = expand(written);
    let is_pattern = alternatives.len() > 1 || written.contains(WILDCARDS);
    if !is_pattern || folder.join(written).exists() {
        return Ok(vec![NamedFile::plain(folder, written)]);
    }
    let mut files: Vec<NamedFile> = Vec::new();
    for alternative in &alternatives {
        let found = find_one(folder, alternative)?;
        files.extend(
            found.into_iter().filter(|f| files.iter().all(|known| known.path != f.path)).collect::<Vec<_>>(),
        );
    }
    if files.is_empty() { Err(PatternError::Nothing) } else { Ok(files) }
}

/// The files of a pattern whose braces are expanded.
fn find_one(folder: &Path, alternative: &str) -> Result<Vec<NamedFile>, PatternError> {
    let part = |component: Component| Part {
        text: component.as_os_str().to_string_lossy().replace(BRACE, ""),
        is_open: component.as_os_str().to_string_lossy().contains([BRACE, '*', '?', '[']),
    };
    let pattern: Vec<Part> =
        Path::new(alternative).components().filter(|c| *c != Component::CurDir).map(part).collect();
    let plain = alternative.replace(BRACE, "");
    if !plain.contains(WILDCARDS) {
        return Ok(vec![NamedFile::found(folder.join(plain), folder, &pattern)]);
    }
    // Only what the user wrote is a pattern.
    let path = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(&plain);
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let matches =
        glob::glob_with(&path.to_string_lossy(), options).map_err(|e| PatternError::Syntax(e.to_string()))?;
    let mut paths = matches
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| PatternError::Folder(format!("{}: {}", e.path().display(), e.error())))?;
    paths.retain(|path| !path.is_dir());
    paths.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(paths.into_iter().map(|path| NamedFile::found(path, folder, &pattern)).collect())
}

/// Components without the root and `.`.
fn components(path: &Path) -> Vec<String> {
    let is_name = |c: &Component| matches!(c, Component::Normal(_) | Component::ParentDir);
    path.components().filter(is_name).map(|c| c.as_os_str().to_string_lossy().into_owned()).collect()
}

/// Whether a file's name says nothing but its format.
fn names_format_only(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_suffix(".gz").unwrap_or(&lower);
    let name = [".vasp", ".poscar", ".contcar"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(name);
    name == "poscar" || name == "contcar"
}

/// `a{b,c}d` -> `abd`, `acd`, as shells do; what came from braces is marked.
fn expand(pattern: &str) -> Vec<String> {
    let Some((open, close, commas)) = first_braces(pattern) else { return vec![pattern.to_string()] };
    let ends = commas.iter().copied().chain([close]);
    let starts = [open].into_iter().chain(commas.iter().copied());
    starts
        .zip(ends)
        .flat_map(|(start, end)| {
            let marked = pattern[start + 1..end].replace('/', &format!("{BRACE}/{BRACE}"));
            expand(&format!("{}{BRACE}{marked}{BRACE}{}", &pattern[..open], &pattern[close + 1..]))
        })
        .collect()
}

/// The first braces with a comma: where they open and close, and their own commas. Within `[...]` braces are letters.
fn first_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut found: Option<(usize, usize, Vec<usize>)> = None;
    let mut in_class = false;
    for (i, c) in pattern.char_indices() {
        match c {
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = pattern[i..].contains(']'),
            '{' => open.push((i, Vec::new())),
            ',' => {
                if let Some((_, commas)) = open.last_mut() {
                    commas.push(i);
                }
            }
            '}' => {
                if let Some((start, commas)) = open.pop()
                    && !commas.is_empty()
                    && found.as_ref().is_none_or(|(first, ..)| start < *first)
                {
                    found = Some((start, i, commas));
                }
            }
            _ => {}
        }
    }
    found
}

/// Order in which numbers count as such and folders come before what is in others with longer names.
fn natural(a: &str, b: &str) -> Ordering {
    let key = |c: char| if c == '/' { '\0' } else { c };
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (n, m) = (digits(left), digits(right));
        let (order, n, m) = if n > 0 && m > 0 {
            let (p, q) = (left[..n].trim_start_matches('0'), right[..m].trim_start_matches('0'));
            (p.len().cmp(&q.len()).then(p.cmp(q)), n, m)
        } else {
            (key(x).cmp(&key(y)), x.len_utf8(), y.len_utf8())
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[n..], &right[m..]);
    }
    left.len().cmp(&right.len()).then(a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of what a pattern finds, in order.
    fn names(folder: &Path, pattern: &str) -> Vec<String> {
        let files = find(folder, pattern).unwrap_or_default();
        files.iter().map(|f| f.names(own(&f.path).as_str(), true)[0].clone()).collect()
    }

    /// What readers call the only structure of a file.
    fn own(path: &Path) -> String {
        let stem = if path.to_string_lossy().ends_with(".cif") { path.file_stem() } else { path.file_name() };
        stem.unwrap().to_string_lossy().into_owned()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "runs/a/POSCAR",
            "runs/b/POSCAR",
            "runs/b/CONTCAR",
            "runs/a10/1/POSCAR",
            "runs/a2/1/POSCAR",
            "runs/a2/.hidden.cif",
            "runs/a2/x.cif",
            "y [1].cif",
            "p{q,r}.cif",
            "POSCAR",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn names_are_the_parts_that_a_pattern_leaves_open() {
        let folder = folder();
        for (pattern, expected) in [
            ("runs/*/POSCAR", vec!["a", "b"]),
            ("./runs/*/POSCAR", vec!["a", "b"]),
            ("runs/*/1/POSCAR", vec!["a2", "a10"]),
            ("runs/*/*/POSCAR", vec!["a2-1", "a10-1"]),
            ("runs/**/POSCAR", vec!["a", "a2-1", "a10-1", "b"]),
            ("**/1/POSCAR", vec!["runs-a2", "runs-a10"]),
            ("runs/b/*", vec!["CONTCAR", "POSCAR"]),
            ("runs/*/*CAR", vec!["a-POSCAR", "b-CONTCAR", "b-POSCAR"]),
            ("runs/{b,a}/POSCAR", vec!["b", "a"]),
            ("runs/{a2/1,a10/1}/POSCAR", vec!["a2-1", "a10-1"]),
            ("runs/{a{,2,10}/1,b}/POSCAR", vec!["a-1", "a2-1", "a10-1", "b"]),
            ("runs/*/*.cif", vec!["a2-x"]),
            ("runs/a2/x.cif", vec!["x"]),
            ("runs/a/POSCAR", vec!["a"]),
            ("POSCAR", vec!["POSCAR"]),
            ("../POSCAR", vec!["POSCAR"]),
            ("POSCAR*", vec!["POSCAR"]),
            // Files of these very names, which would be patterns.
            ("y [1].cif", vec!["y [1]"]),
            ("p{q,r}.cif", vec!["p{q,r}"]),
            ("nothing*", vec![]),
        ] {
            assert_eq!(names(folder.path(), pattern), expected, "{pattern}");
            let absolute = folder.path().join(pattern.trim_start_matches("./"));
            let absolute = names(Path::new("elsewhere"), absolute.to_str().unwrap());
            if !pattern.contains("POSCAR") || pattern.contains(WILDCARDS) {
                assert_eq!(absolute, expected, "absolute {pattern}");
            }
        }
    }

    #[test]
    fn more_files_do_not_rename_others() {
        let folder = folder();
        let before = names(folder.path(), "runs/*/*CAR");
        std::fs::create_dir_all(folder.path().join("more/a")).unwrap();
        std::fs::write(folder.path().join("runs/a/CONTCAR"), "").unwrap();
        let after = names(folder.path(), "runs/*/*CAR");
        assert!(after.len() > before.len() && before.iter().all(|name| after.contains(name)));
    }

    #[test]
    fn a_name_that_is_taken_grows_to_the_whole_path() {
        let folder = folder();
        let files = find(folder.path(), "runs/*/1/POSCAR").unwrap_or_default();
        assert_eq!(files[0].names("POSCAR", true), ["a2", "runs-a2-1"]);
        assert_eq!(files[0].names("POSCAR-7", false), ["a2-POSCAR-7", "runs-a2-1-POSCAR-7"]);
        assert_eq!(NamedFile::plain(folder.path(), "../s/x.cif").names("x", true), ["x", "s-x"]);
        assert_eq!(NamedFile::plain(folder.path(), "x.cif").names("x", true), ["x", "x"]);
    }

    #[test]
    fn braces_expand_as_in_shells() {
        let plain = |text: &str| expand(text).iter().map(|t| t.replace(BRACE, "")).collect::<Vec<_>>();
        assert_eq!(plain("a{b,c}d{1,2}"), ["abd1", "abd2", "acd1", "acd2"]);
        assert_eq!(plain("{a,{b,c}}"), ["a", "b", "c"]);
        for literal in ["a{b}c", "a{b", "a}b,c", "[{a,b}]", "plain"] {
            assert_eq!(plain(literal), [literal]);
        }
    }

    #[test]
    fn numbers_sort_by_value() {
        let mut names = ["a10", "a2", "a02", "b1", "a/2", "a", "a2b", "10", "9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9", "10", "a", "a/2", "a02", "a2", "a2b", "a10", "b1"]);
    }
}
