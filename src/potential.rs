//! Weights and hyperparameters of interatomic potentials, on no device yet.

mod archive;
pub mod chgnet;
pub mod mace;
mod module;
mod pickle;
pub mod sevennet;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::crystal::Element;
use chgnet::Chgnet;
use mace::Mace;
use sevennet::Sevennet;

/// A model file that cannot be used, with the file and the reason.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct ModelError {
    source_name: String,
    reason: String,
}

impl ModelError {
    pub(crate) fn new(source_name: &str, reason: String) -> ModelError {
        ModelError { source_name: source_name.to_string(), reason }
    }
}

/// Under which operations a potential's energies stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariance {
    /// Rotations and reflections.
    Full,
    /// Rotations only: mirror images differ.
    Proper,
}

/// A potential of any family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Potential {
    /// Where it came from: a path or `embedded:NAME`.
    pub source: String,
    /// sha256 of the file's bytes.
    pub sha256: String,
    /// The family's own weights and hyperparameters.
    pub family: Family,
}

/// The families of potentials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Family {
    /// MACE, as saved by mace-torch.
    Mace(Box<Mace>),
    /// CHGNet, as the package chgnet ships it.
    Chgnet(Box<Chgnet>),
    /// SevenNet, as saved by sevenn.
    Sevennet(Box<Sevennet>),
}

/// A small MACE for W and N for demonstrations; `tools/demo-model/README.md` says how good it is.
const DEMO_WN: &[u8] = include_bytes!("../assets/demo-wn.model");

/// CHGNet 0.3.0 for 94 elements; `tools/chgnet/README.md` says how the file was made.
const CHGNET: &[u8] = include_bytes!("../assets/chgnet-0.3.0.pth.tar");

/// Models inside the binary, by name.
pub const EMBEDDED: &[(&str, &[u8])] = &[("chgnet-0.3.0", CHGNET), ("demo-wn", DEMO_WN)];
/// The model where none is named.
pub const DEFAULT: &str = "embedded:chgnet-0.3.0";

impl Potential {
    /// Loads `embedded:NAME` or a file.
    pub fn load(source: &str) -> Result<Potential, ModelError> {
        match source.strip_prefix("embedded:") {
            Some(name) => {
                let bytes = EMBEDDED.iter().find(|(n, _)| *n == name).map(|(_, bytes)| *bytes);
                let bytes = bytes.ok_or_else(|| {
                    let names: Vec<_> = EMBEDDED.iter().map(|(n, _)| format!("embedded:{n}")).collect();
                    ModelError::new(source, format!("there is no such model; there is {}", names.join(", ")))
                })?;
                Self::from_bytes(source, bytes.to_vec())
            }
            None => Self::from_bytes(source, archive::read_file(Path::new(source))?),
        }
    }

    /// Reads a model from the bytes of its file; `source` names it in messages.
    pub fn from_bytes(source: &str, bytes: Vec<u8>) -> Result<Potential, ModelError> {
        let sha256 = archive::sha256(&bytes);
        let opened = archive::Archive::open(source, bytes)?;
        let family = if chgnet::is_chgnet(&opened) {
            Family::Chgnet(Box::new(chgnet::read(&opened)?))
        } else if sevennet::is_sevennet(&opened) {
            Family::Sevennet(Box::new(sevennet::read(&opened)?))
        } else {
            Family::Mace(Box::new(mace::read(&opened)?))
        };
        Ok(Potential { source: source.to_string(), sha256, family })
    }

    /// Size of its weights in memory, which is that of the message that brings it to a rank.
    pub fn bytes(&self) -> usize {
        postcard::experimental::serialized_size(self).unwrap_or(0)
    }

    /// Distance beyond which atoms do not see one another directly, in Angstrom.
    pub fn cutoff(&self) -> f64 {
        match &self.family {
            Family::Mace(mace) => mace.radial.cutoff,
            Family::Chgnet(chgnet) => chgnet.bond_functions.cutoff,
            Family::Sevennet(sevennet) => sevennet.radial.range,
        }
    }

    /// Distance below which two neighbours of an atom make an angle, in Angstrom; `None` if it knows no angles.
    pub fn angle_cutoff(&self) -> Option<f64> {
        match &self.family {
            Family::Mace(_) | Family::Sevennet(_) => None,
            Family::Chgnet(chgnet) => Some(chgnet.short_functions.cutoff),
        }
    }

    /// Elements that the model knows.
    pub fn elements(&self) -> &[Element] {
        match &self.family {
            Family::Mace(mace) => &mace.elements,
            Family::Chgnet(chgnet) => &chgnet.elements,
            Family::Sevennet(sevennet) => &sevennet.elements,
        }
    }

    /// What leaves its energies unchanged.
    pub fn invariance(&self) -> Invariance {
        match &self.family {
            Family::Mace(_) | Family::Chgnet(_) => Invariance::Full,
            Family::Sevennet(_) => Invariance::Proper,
        }
    }

    /// Name of the architecture, as users know it.
    pub fn architecture(&self) -> &'static str {
        match &self.family {
            Family::Mace(_) => "MACE",
            Family::Chgnet(_) => "CHGNet",
            Family::Sevennet(_) => "SevenNet",
        }
    }

    /// Number of parameters in its file.
    pub fn parameters(&self) -> usize {
        match &self.family {
            Family::Mace(mace) => mace.parameters,
            Family::Chgnet(chgnet) => chgnet.parameters,
            Family::Sevennet(sevennet) => sevennet.parameters,
        }
    }

    /// Whether its file holds double precision.
    pub fn is_double(&self) -> bool {
        match &self.family {
            Family::Mace(mace) => mace.double,
            Family::Chgnet(_) => false,
            Family::Sevennet(sevennet) => sevennet.double,
        }
    }

    /// Names of its heads; energies differ from head to head.
    pub fn heads(&self) -> &[String] {
        match &self.family {
            Family::Mace(mace) => &mace.heads,
            Family::Chgnet(chgnet) => &chgnet.training,
            Family::Sevennet(sevennet) => &sevennet.heads,
        }
    }

    /// Index of a head by name. If none is named it is, as in MACE, the one that is called `default` in any case, else
    /// the first; of several heads the choice is said.
    pub fn head(&self, name: Option<&str>) -> Result<usize, ModelError> {
        let heads = self.heads();
        let list = heads.join(", ");
        let Some(name) = name else {
            let default = heads.iter().position(|h| h.eq_ignore_ascii_case("default"));
            let head = default.unwrap_or(0);
            if let (Some(chosen), true) = (heads.get(head), heads.len() > 1) {
                let source = &self.source;
                log::warn!("{source} has the heads {list}; `{chosen}` is used, since no head is named");
            }
            return Ok(head);
        };
        let found = heads.iter().position(|h| h == name);
        found.ok_or_else(|| ModelError::new(&self.source, format!("it has no head `{name}`; it has {list}")))
    }

    /// Refuses elements that the model was not trained for.
    pub fn check_elements(&self, elements: impl IntoIterator<Item = Element>) -> Result<(), ModelError> {
        let missing: std::collections::BTreeSet<_> =
            elements.into_iter().filter(|e| !self.elements().contains(e)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let list = |elements: &mut dyn Iterator<Item = Element>| {
            elements.map(|e| e.symbol()).collect::<Vec<_>>().join(" ")
        };
        let (missing, known) = (list(&mut missing.into_iter()), list(&mut self.elements().iter().copied()));
        Err(ModelError::new(&self.source, format!("it does not know {missing}; it knows {known}")))
    }
}
