use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, fs, io};

use flate2::read::MultiGzDecoder;

use super::text::Complaint;
use super::{Structure, cif, extxyz, poscar};

/// Most bytes of a decompressed file: thousands of large structures, and little memory.
const MOST_BYTES: u64 = 64 << 20;

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
         *.poscar) and extended XYZ (*.xyz, *.extxyz), each also with .gz: name the format (`--format` \
         of inspect, eval and map, `format` in a campaign), rename or convert the file",
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

/// How a structure file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CIF.
    Cif,
    /// POSCAR or CONTCAR of VASP.
    Poscar,
    /// XYZ with a lattice in its comment.
    Extxyz,
}

impl FromStr for Format {
    type Err = String;

    /// Reads `cif`, `poscar` or `extxyz`.
    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "cif" => Ok(Format::Cif),
            "poscar" => Ok(Format::Poscar),
            "extxyz" => Ok(Format::Extxyz),
            _ => Err(format!("there is no format `{text}`; write cif, poscar or extxyz")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Cif => "cif",
            Format::Poscar => "poscar",
            Format::Extxyz => "extxyz",
        })
    }
}

/// What a file's name tells.
struct Name {
    /// What to call the structure: the name without `.gz` and extension.
    stem: String,
    format: Option<Format>,
}

impl Name {
    fn of(path: &Path) -> Name {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = match name.to_ascii_lowercase().strip_suffix(".gz") {
            Some(rest) => name[..rest.len()].to_string(),
            None => name,
        };
        let lower = name.to_ascii_lowercase();
        let extensions = [
            ("cif", Format::Cif),
            ("xyz", Format::Extxyz),
            ("extxyz", Format::Extxyz),
            ("vasp", Format::Poscar),
            ("poscar", Format::Poscar),
            ("contcar", Format::Poscar),
        ];
        let extension = lower.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
        if let Some((stem, extension)) = extension {
            if let Some((_, format)) = extensions.iter().find(|(known, _)| *known == extension) {
                return Name { stem: name[..stem.len()].to_string(), format: Some(*format) };
            }
            if ["bz2", "xz", "zst", "zip", "z", "lz4", "tar", "tgz"].contains(&extension) {
                return Name { stem: name[..stem.len()].to_string(), format: None };
            }
        }
        // What follows the dot of `POSCAR.W2N3` is no extension: it tells one POSCAR from another.
        let of_vasp = ["poscar", "contcar"].iter().any(|word| {
            lower.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(['_', '-']))
                || lower.starts_with(word)
        });
        Name { stem: name, format: of_vasp.then_some(Format::Poscar) }
    }
}

/// All structures of a file, in order.
///
/// The name tells the format, whatever its case: `*.cif`; `*.xyz`, `*.extxyz`; `*.vasp`, `*.poscar`, `*.contcar`, and
/// names that begin or end with the word `POSCAR` or `CONTCAR`; all of them also with `.gz` behind, compressed. A
/// structure is called after its file's stem; where there are several, a dash and the CIF block's name or the
/// frame's number from 0 follow. The list is never empty.
pub fn read_structures(path: &Path) -> Result<Vec<Structure>, ReadError> {
    read_structures_as(path, None)
}

/// All structures of a file in a format that overrules what the name tells; see [`read_structures`].
pub fn read_structures_as(path: &Path, format: Option<Format>) -> Result<Vec<Structure>, ReadError> {
    if format.or(Name::of(path).format).is_none() {
        return Err(ReadError::UnknownFormat { path: path.to_path_buf() });
    }
    let bytes = fs::read(path).map_err(|reason| ReadError::Io { path: path.to_path_buf(), reason })?;
    parse(path, &bytes, format)
}

/// All structures in what the file at `path` holds.
fn parse(path: &Path, bytes: &[u8], format: Option<Format>) -> Result<Vec<Structure>, ReadError> {
    let Name { stem, format: named } = Name::of(path);
    let format = format.or(named).ok_or_else(|| ReadError::UnknownFormat { path: path.to_path_buf() })?;
    let structures = expanded(bytes).and_then(|bytes| {
        let text = plain(&bytes);
        match format {
            Format::Cif => cif::parse(&text, &stem),
            Format::Poscar => poscar::parse(&text, &stem).map(|structure| vec![structure]),
            Format::Extxyz => extxyz::parse(&text, &stem),
        }
    });
    structures.map_err(|Complaint { line, text }| ReadError::Content {
        path: path.to_path_buf(),
        line,
        complaint: text,
    })
}

/// The bytes themselves, or what they are in gzip's format, by which it is known whatever the file's name.
fn expanded(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Complaint> {
    const MAGIC: [u8; 2] = [0x1f, 0x8b];
    if !bytes.starts_with(&MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut content = Vec::new();
    let decoder = MultiGzDecoder::new(bytes).take(MOST_BYTES + 1);
    { decoder }.read_to_end(&mut content).map_err(|reason| {
        Complaint::whole(format!("cannot be decompressed: {reason}; give the complete file"))
    })?;
    match content.len() as u64 > MOST_BYTES {
        true => Err(Complaint::whole(format!(
            "holds more than {} MiB once decompressed; give a file with fewer structures",
            MOST_BYTES >> 20
        ))),
        false => Ok(Cow::Owned(content)),
    }
}

/// The only structure of a file; an error when the file holds several.
pub fn read_structure(path: &Path) -> Result<Structure, ReadError> {
    let mut structures = read_structures(path)?;
    match (structures.pop(), structures.len()) {
        (Some(structure), 0) => Ok(structure),
        (last, rest) => Err(ReadError::NotOne {
            path: path.to_path_buf(),
            count: rest + usize::from(last.is_some()),
            remedy: match Name::of(path).format {
                Some(Format::Extxyz) => "one is needed here: keep one frame and delete the others",
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
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let files = ["structures", "faults"].map(|folder| fs::read_dir(data.join(folder)).unwrap());
        for entry in files.into_iter().flatten() {
            let path = entry.unwrap().path();
            if Name::of(&path).format.is_none() {
                continue;
            }
            let whole = fs::read(&path).unwrap();
            let check = |bytes: &[u8]| {
                for structure in parse(&path, bytes, None).unwrap_or_default() {
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
