//! Files written by `torch.save`: a zip archive with one pickle and one member for each tensor storage.

use std::cell::RefCell;
use std::io::{Cursor, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::ModelError;
use super::pickle::{Node, Pickle, Value};

/// A file of `torch.save`, opened for reading as data.
pub(crate) struct Archive {
    /// What to call the file in messages.
    source: String,
    zip: RefCell<ZipArchive<Cursor<Vec<u8>>>>,
    /// The one top folder, with its slash.
    prefix: String,
    pickle: Pickle,
    root: Value,
}

/// An array as stored, converted to float64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
    /// Whether the file holds it in double precision.
    pub(crate) double: bool,
}

/// No pickle or storage of a model comes near this; a member that claims more is hostile.
const MEMBER_LIMIT: usize = 1 << 30;

/// The sha256 of a file's bytes as `sha256sum` prints it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// All bytes of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path)
        .map_err(|e| ModelError::new(&path.display().to_string(), format!("it cannot be read ({e})")))
}

impl Archive {
    /// Opens the archive and reads its pickle; tensors are read when asked for.
    pub(crate) fn open(source: &str, bytes: Vec<u8>) -> Result<Archive, ModelError> {
        let error = |reason: String| ModelError::new(source, reason);
        if bytes.starts_with(&[0x80, 0x02, 0x8a, 0x0a]) {
            let reason =
                "it is in the format of PyTorch before 1.6; load it and save it again with torch.save";
            return Err(error(reason.into()));
        }
        let mut zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|e| error(format!("it is not a model file of torch.save: {e}")))?;
        let prefix = zip.file_names().filter_map(Result::ok).find_map(|name| {
            let prefix = name.strip_suffix("data.pkl")?;
            (prefix.is_empty() || prefix.ends_with('/')).then(|| prefix.to_string())
        });
        let prefix = prefix.ok_or_else(|| error("it is a zip file without a data.pkl".into()))?;
        if zip.index_for_name(&format!("{prefix}constants.pkl")).is_some() {
            let reason = "it is a compiled TorchScript model (as made for LAMMPS or by mace_compile); \
                          give the model file that it was made from";
            return Err(error(reason.into()));
        }
        if zip.index_for_name(&format!("{prefix}byteorder")).is_some() {
            let order = read_member(&mut zip, &format!("{prefix}byteorder"), 16).map_err(error)?;
            if order != b"little" {
                return Err(error("its numbers are big-endian, which is not supported".into()));
            }
        }
        let data = read_member(&mut zip, &format!("{prefix}data.pkl"), MEMBER_LIMIT).map_err(error)?;
        let (pickle, root) = Pickle::read(&data).map_err(|e| error(e.to_string()))?;
        Ok(Archive { source: source.to_string(), zip: RefCell::new(zip), prefix, pickle, root })
    }

    /// The values of the pickle.
    pub(crate) fn pickle(&self) -> &Pickle {
        &self.pickle
    }

    /// The pickle's top value.
    pub(crate) fn root(&self) -> Value {
        self.root
    }

    /// An error about this file.
    pub(crate) fn error(&self, reason: impl Into<String>) -> ModelError {
        ModelError::new(&self.source, reason.into())
    }

    /// The elements of a tensor in row-major order, whatever its strides.
    pub(crate) fn array(&self, name: &str, tensor: Value) -> Result<Array, ModelError> {
        let wrong = |reason: &str| self.error(format!("tensor `{name}`: {reason}"));
        let Some(Node::Tensor { storage, offset, size, stride }) = self.pickle.node(tensor).cloned() else {
            return Err(wrong("it is something else"));
        };
        let Some(Node::Storage { kind, key, elements }) = self.pickle.node(storage).cloned() else {
            return Err(wrong("it has no storage"));
        };
        let count =
            size.iter().try_fold(1_usize, |n, s| n.checked_mul(*s)).filter(|n| *n <= MEMBER_LIMIT / 4);
        let count = count.ok_or_else(|| wrong("it is too large"))?;
        let last = size
            .iter()
            .zip(&stride)
            .try_fold(offset, |last, (s, step)| last.checked_add(s.saturating_sub(1).checked_mul(*step)?));
        if count > 0 && last.is_none_or(|last| last >= elements) {
            return Err(wrong("it reaches beyond its storage"));
        }
        let values = self.storage(&kind, &key, elements).map_err(|reason| wrong(&reason))?;
        let element = |mut index: usize| {
            let mut place = offset;
            for (s, step) in size.iter().zip(&stride).rev() {
                place += index % s * step;
                index /= s;
            }
            values[place]
        };
        let values = (0..count).map(element).collect();
        Ok(Array { shape: size, values, double: kind == "DoubleStorage" })
    }

    /// All elements of a storage as float64.
    fn storage(&self, kind: &str, key: &str, elements: usize) -> Result<Vec<f64>, String> {
        let width = match kind {
            "DoubleStorage" | "LongStorage" => 8,
            "FloatStorage" | "IntStorage" => 4,
            "BoolStorage" | "ByteStorage" => 1,
            _ => return Err(format!("numbers of type {kind} are not supported")),
        };
        let expected = elements.checked_mul(width).filter(|n| *n <= MEMBER_LIMIT).ok_or("it is too large")?;
        let name = format!("{}data/{key}", self.prefix);
        let bytes = read_member(&mut self.zip.borrow_mut(), &name, expected)?;
        if bytes.len() != expected {
            return Err(format!("its data have {} bytes instead of {expected}", bytes.len()));
        }
        let numbers = bytes.chunks_exact(width).map(|b| number(kind, b));
        Ok(numbers.collect())
    }
}

/// One little-endian number of a storage.
fn number(kind: &str, bytes: &[u8]) -> f64 {
    let word = bytes.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    match kind {
        "DoubleStorage" => f64::from_bits(word),
        "FloatStorage" => f64::from(f32::from_bits(word as u32)),
        "LongStorage" => word as i64 as f64,
        "IntStorage" => f64::from(word as u32 as i32),
        _ => word as f64,
    }
}

/// The bytes of a member, at most `limit` of them: what a compressed member claims of its size is not believed.
fn read_member(zip: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str, limit: usize) -> Result<Vec<u8>, String> {
    let member = zip.by_name(name).map_err(|e| format!("member {name} cannot be read: {e}"))?;
    let mut bytes = Vec::new();
    let mut limited = member.take(limit as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(|e| format!("member {name} cannot be read: {e}"))?;
    if bytes.len() > limit { Err(format!("member {name} is larger than {limit} bytes")) } else { Ok(bytes) }
}
