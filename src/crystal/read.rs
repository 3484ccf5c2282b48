use std::path::{Path, PathBuf};
use std::{fs, io};

use super::text::Complaint;
use super::{Structure, cif, extxyz, poscar};

/// Why a structure file was refused: the file, the line where one is to blame, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system could not deliver the file.
    #[error("{}: cannot be read: {reason}", .path.display())]
    Io {
        /// The file as the caller named it.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The file's name names no format.
    #[error(
        "{}: the name does not tell the format; s2dpes reads CIF (*.cif), VASP (POSCAR*, CONTCAR*, *.vasp, \
         *.poscar) and extended XYZ (*.xyz, *.extxyz): rename, unpack or convert the file",
        .path.display()
    )]
    UnknownFormat {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// One structure was asked for and the file holds several.
    #[error("{}: holds {count} structures; {remedy}", .path.display())]
    NotOne {
        /// The file as the caller named it.
        path: PathBuf,
        /// How many structures it holds.
        count: usize,
        /// How to get a file that holds one.
        remedy: &'static str,
    },
    /// The text of the file is not a crystal that s2dpes can use.
    #[error("{}{}: {complaint}", .path.display(), .line.map(|n| format!(":{n}")).unwrap_or_default())]
    Content {
        /// The file as the caller named it.
        path: PathBuf,
        /// The line to blame, counted from 1.
        line: Option<usize>,
        /// What is wrong there and what to do about it.
        complaint: String,
    },
}

#[derive(Clone, Copy)]
enum Format {
    Cif,
    Poscar,
    Extxyz,
}

impl Format {
    /// The format that a file's name announces, and what to call the structure in it.
    fn of(path: &Path) -> Option<(Format, String)> {
        let lossy = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        let name = lossy(path.file_name()?);
        let stem = lossy(path.file_stem()?);
        let lower = name.to_ascii_lowercase();
        let extension = path.extension().map(lossy).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "cif" => Some((Format::Cif, stem)),
            "xyz" | "extxyz" => Some((Format::Extxyz, stem)),
            "vasp" | "poscar" => Some((Format::Poscar, stem)),
            "gz" | "bz2" | "xz" | "zst" | "zip" => None,
            // What follows the dot of `POSCAR.W2N3` is no extension: it tells one POSCAR from another.
            _ if lower.starts_with("poscar") || lower.starts_with("contcar") => Some((Format::Poscar, name)),
            _ => None,
        }
    }
}

/// All structures of a file, in order.
///
/// The name tells the format, whatever its case: `*.cif`; `POSCAR*`, `CONTCAR*`, `*.vasp`, `*.poscar`;
/// `*.xyz`, `*.extxyz`. A structure is called after its file's stem; where there are several, a dash and
/// the CIF block's name or the frame's number from 0 follow. The list is never empty.
pub fn read_structures(path: &Path) -> Result<Vec<Structure>, ReadError> {
    if Format::of(path).is_none() {
        return Err(ReadError::UnknownFormat { path: path.to_path_buf() });
    }
    let bytes = fs::read(path).map_err(|reason| ReadError::Io { path: path.to_path_buf(), reason })?;
    parse(path, &bytes)
}

/// All structures in what the file at `path` holds.
fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Structure>, ReadError> {
    let (format, name) =
        Format::of(path).ok_or_else(|| ReadError::UnknownFormat { path: path.to_path_buf() })?;
    let text = plain(bytes);
    match format {
        Format::Cif => cif::parse(&text, &name),
        Format::Poscar => poscar::parse(&text, &name).map(|structure| vec![structure]),
        Format::Extxyz => extxyz::parse(&text, &name),
    }
    .map_err(|Complaint { line, text }| ReadError::Content {
        path: path.to_path_buf(),
        line,
        complaint: text,
    })
}

/// The only structure of a file; an error when the file holds several.
pub fn read_structure(path: &Path) -> Result<Structure, ReadError> {
    let mut structures = read_structures(path)?;
    match (structures.pop(), structures.len()) {
        (Some(structure), 0) => Ok(structure),
        (last, rest) => Err(ReadError::NotOne {
            path: path.to_path_buf(),
            count: rest + usize::from(last.is_some()),
            remedy: match Format::of(path) {
                Some((Format::Extxyz, _)) => "one is needed here: keep one frame and delete the others",
                _ => "one is needed here: keep one data block and delete the others",
            },
        }),
    }
}

/// Text with `\n` line ends and without a byte order mark; bytes that are not UTF-8 become U+FFFD.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A linear congruential generator: noise that is the same in every run.
    struct Noise(u64);

    impl Noise {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) as usize) % bound
        }
    }

    #[test]
    fn no_file_makes_the_readers_panic() {
        const ABSURD: [&str; 12] = [
            "1e400",
            "-nan",
            "999999999999999999999",
            "1e-320",
            "((",
            "é",
            "'",
            "\"",
            "\n;",
            "loop_ ",
            "\0",
            "\n",
        ];
        let mut noise = Noise(20_261_122);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/structures");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let whole = fs::read(&path).unwrap();
            let check = |bytes: &[u8]| {
                for structure in parse(&path, bytes).unwrap_or_default() {
                    assert!((1..=10_000).contains(&structure.len()));
                    assert!(structure.lattice.iter().all(|x| x.is_finite()));
                    assert!(structure.positions.iter().flatten().all(|x| x.is_finite()));
                }
            };
            (0..whole.len()).for_each(|end| check(&whole[..end]));
            for _ in 0..300 {
                let mut flipped = whole.clone();
                for _ in 0..=noise.below(4) {
                    let at = noise.below(flipped.len());
                    flipped[at] = noise.below(256) as u8;
                }
                check(&flipped);
                let (start, replaced) = (noise.below(whole.len()), noise.below(4));
                let end = (start + replaced).min(whole.len());
                let insert = ABSURD[noise.below(ABSURD.len())].as_bytes();
                check(&[&whole[..start], insert, &whole[end..]].concat());
            }
        }
    }
}
