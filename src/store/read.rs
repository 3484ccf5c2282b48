//! Reading results back, also while a run is filling them in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hdf5::{File, FileBuilder, Group, Location, LocationType};

use super::trouble::{Access, check_access, explain};
use super::{RunRecord, StoreError, runs, scales, schema};
use crate::crystal::Element;

/// A result file open for reading.
pub struct Results {
    path: PathBuf,
    pub(super) file: File,
}

/// An axis of a stored landscape.
#[derive(Clone, Debug)]
pub struct AxisResult {
    /// `W1.x`.
    pub name: String,
    /// `x`, `y` or `z`.
    pub coordinate: String,
    /// `W1`.
    pub orbit: String,
    /// `4c`.
    pub wyckoff: String,
    /// Coordinates of the nodes.
    pub values: Vec<f64>,
    /// Coordinate of the input structure.
    pub reference: f64,
    /// Whether it spans a full period.
    pub periodic: bool,
}

/// A model's surface.
#[derive(Clone, Debug)]
pub struct ModelResult {
    /// Name of the model.
    pub name: String,
    /// eV per atom, row-major; NaN where there is none.
    pub energy: Vec<f64>,
    /// Energy of the input structure, eV per atom; NaN if it is not known.
    pub reference_energy: f64,
    /// As [`crate::engine::Status`].
    pub status: Vec<u8>,
    /// Row-major index of the equivalent point that was evaluated.
    pub irreducible_index: Vec<u32>,
    /// As [`schema::TILE_STATES`].
    pub tile_states: Vec<u8>,
    /// Seconds that the stored tiles took.
    pub seconds: f64,
}

/// How far a surface is.
#[derive(Clone, Debug)]
pub struct SurfaceState {
    /// `W2N3/W1.x-W1.z/demo`.
    pub path: String,
    /// As [`schema::TILE_STATES`].
    pub tile_states: Vec<u8>,
    /// Seconds of computing that the stored tiles took.
    pub seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// The smallest distance of two elements that counted as physical.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairDistance {
    /// The lighter element first.
    pub elements: (Element, Element),
    /// In Angstrom; NaN if it was not known.
    pub minimum: f64,
    /// Before the input structure's own distances lowered it, in Angstrom.
    pub uncapped: f64,
}

/// A stored landscape.
#[derive(Clone, Debug)]
pub struct LandscapeResult {
    /// Name of the structure.
    pub structure: String,
    /// Name of the landscape.
    pub name: String,
    /// Canonical protostructure label: that of all choices of the cell which is the first in the alphabet.
    pub protostructure: String,
    /// The label in the letters of the orbits and axes.
    pub protostructure_raw: String,
    /// Slowest axis first.
    pub axes: Vec<AxisResult>,
    /// Smallest physical distances, one a pair of elements.
    pub pair_distances: Vec<PairDistance>,
    /// Angstrom, row-major.
    pub distance_cost: Vec<f64>,
    /// Angstrom, row-major.
    pub minimum_distance: Vec<f64>,
    /// In the order of the campaign file.
    pub models: Vec<ModelResult>,
}

impl Results {
    /// Opens a result file. Another process may be writing to it.
    pub fn open(path: &Path) -> Result<Results, StoreError> {
        hdf5::silence_errors(true);
        check_access(path, Access::Read)?;
        let file = FileBuilder::new().with_fapl(|p| p.file_locking(false)).open(path);
        let file = file.map_err(|e| explain(path, &e))?;
        let source = scales::read_text(&file, "source").unwrap_or_default();
        if !source.starts_with("s2dpes") {
            return Err(StoreError::new(path, "it is no result of s2dpes"));
        }
        Ok(Results { path: path.to_path_buf(), file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The campaign file that made it.
    pub fn campaign(&self) -> Result<String, StoreError> {
        let read = || self.file.dataset(schema::CAMPAIGN.name)?.read_scalar::<hdf5::types::VarLenUnicode>();
        read().map(|t| t.to_string()).map_err(|e| self.fail(&e))
    }

    /// All starts so far.
    pub fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        runs::read(&self.file).map_err(|e| self.fail(&e))
    }

    /// (structure, landscape) of every landscape.
    pub fn landscapes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let list = || {
            let mut names = Vec::new();
            for (structure, group) in in_order(&self.file)? {
                let landscapes = in_order(&group)?;
                names.extend(landscapes.into_iter().map(|(landscape, _)| (structure.clone(), landscape)));
            }
            Ok(names)
        };
        list().map_err(|e: hdf5::Error| self.fail(&e))
    }

    /// How far each surface is. Reads little, so that one may ask often while a run writes.
    pub fn states(&self) -> Result<Vec<SurfaceState>, StoreError> {
        let list = || {
            let mut states = Vec::new();
            for (structure, group) in in_order(&self.file)? {
                for (landscape, group) in in_order(&group)? {
                    for (model, group) in in_order(&group)? {
                        states.push(read_state(format!("{structure}/{landscape}/{model}"), &group)?);
                    }
                }
            }
            Ok(states)
        };
        list().map_err(|e: hdf5::Error| self.fail(&e))
    }

    /// What the campaign left out from the beginning.
    pub fn skipped(&self) -> Result<Vec<String>, StoreError> {
        let read = || match self.file.link_exists(schema::SKIPPED.name) {
            true => self.file.dataset(schema::SKIPPED.name)?.read_raw::<hdf5::types::VarLenUnicode>(),
            false => Ok(Vec::new()),
        };
        let lines = read().map_err(|e| self.fail(&e))?;
        Ok(lines.iter().map(ToString::to_string).collect())
    }

    /// Everything about one landscape.
    pub fn landscape(&self, structure: &str, name: &str) -> Result<LandscapeResult, StoreError> {
        self.read_landscape(structure, name).map_err(|e| self.fail(&e))
    }

    fn read_landscape(&self, structure: &str, name: &str) -> hdf5::Result<LandscapeResult> {
        let parent = self.file.group(structure)?;
        let group = parent.group(name)?;
        let axes = scales::read_text(&group, "axes")?;
        let axes = axes.split("; ").filter_map(|a| a.split(' ').next()).map(|a| read_axis(&group, a));
        Ok(LandscapeResult {
            structure: structure.to_string(),
            name: name.to_string(),
            protostructure: scales::read_text(&parent, "protostructure")?,
            protostructure_raw: scales::read_text(&parent, "protostructure_raw")?,
            axes: axes.collect::<hdf5::Result<Vec<_>>>()?,
            pair_distances: read_pairs(&parent, &group)?,
            distance_cost: group.dataset(schema::DISTANCE_COST.name)?.read_raw()?,
            minimum_distance: group.dataset(schema::MINIMUM_DISTANCE.name)?.read_raw()?,
            models: in_order(&group)?.into_iter().map(read_model).collect::<hdf5::Result<Vec<_>>>()?,
        })
    }

    /// Elements of the structure's conventional cell, by atomic number.
    pub fn atomic_numbers(&self, structure: &str) -> Result<Vec<u32>, StoreError> {
        let read = || self.file.group(structure)?.dataset(schema::ATOMIC_NUMBER.name)?.read_raw::<u32>();
        read().map_err(|e| self.fail(&e))
    }

    pub(super) fn fail(&self, error: &hdf5::Error) -> StoreError {
        explain(&self.path, error)
    }
}

/// The structures, landscapes or models below a group with their names, as the campaign file has them. (A group that
/// was found in another way knows its name only after a search through the file.)
pub(super) fn in_order(parent: &Group) -> hdf5::Result<Vec<(String, Group)>> {
    let mut groups = Vec::new();
    for name in parent.member_names()? {
        if parent.loc_type_by_name(&name)? != LocationType::Group {
            continue;
        }
        let group = parent.group(&name)?;
        // The runs have no place in the campaign file.
        if let Ok(order) = group.attr(schema::ORDER) {
            groups.push((order.read_scalar::<u32>()?, (name, group)));
        }
    }
    groups.sort_by_key(|(order, _)| *order);
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

fn read_pairs(structure: &Group, landscape: &Group) -> hdf5::Result<Vec<PairDistance>> {
    let orbit_of: Vec<u32> = structure.dataset(schema::ORBIT.name)?.read_raw()?;
    let numbers: Vec<u32> = structure.dataset(schema::ATOMIC_NUMBER.name)?.read_raw()?;
    let minimum: Vec<f64> = landscape.dataset(schema::MINIMUM_PAIR_DISTANCE.name)?.read_raw()?;
    let uncapped = match landscape.link_exists(schema::UNCAPPED_PAIR_DISTANCE.name) {
        true => landscape.dataset(schema::UNCAPPED_PAIR_DISTANCE.name)?.read_raw()?,
        // A file of an earlier version, which had no caps.
        false => minimum.clone(),
    };
    let elements: BTreeMap<u32, Element> = (orbit_of.into_iter().zip(numbers))
        .filter_map(|(orbit, z)| Some((orbit, Element::from_number(z as usize)?)))
        .collect();
    let orbits = elements.len();
    if minimum.len() != orbits * orbits || uncapped.len() != minimum.len() {
        return Err("its pair distances are not one for each pair of orbits".into());
    }
    let mut pairs = BTreeMap::new();
    let all = elements.values().flat_map(|a| elements.values().map(move |b| (*a.min(b), *a.max(b))));
    for (elements, (minimum, uncapped)) in all.zip(minimum.into_iter().zip(uncapped)) {
        pairs.entry(elements).or_insert(PairDistance { elements, minimum, uncapped });
    }
    Ok(pairs.into_values().collect())
}

fn read_axis(group: &Group, name: &str) -> hdf5::Result<AxisResult> {
    let dataset = group.dataset(name)?;
    let location: &Location = &dataset;
    Ok(AxisResult {
        name: name.to_string(),
        coordinate: scales::read_text(location, "coordinate")?,
        orbit: scales::read_text(location, "orbit")?,
        wyckoff: scales::read_text(location, "wyckoff")?,
        values: dataset.read_raw()?,
        reference: dataset.attr("reference")?.read_scalar()?,
        periodic: dataset.attr("periodic")?.read_scalar::<u8>()? != 0,
    })
}

fn read_state(path: String, group: &Group) -> hdf5::Result<SurfaceState> {
    Ok(SurfaceState {
        path,
        tile_states: group.dataset(schema::TILE_STATE.name)?.read_raw()?,
        seconds: read_seconds(group)?,
        failure: scales::read_text(group, schema::FAILURE).ok(),
    })
}

fn read_seconds(group: &Group) -> hdf5::Result<f64> {
    let seconds: Vec<f64> = group.dataset(schema::TILE_SECONDS.name)?.read_raw()?;
    Ok(seconds.iter().filter(|s| s.is_finite()).sum())
}

fn read_model((name, group): (String, Group)) -> hdf5::Result<ModelResult> {
    Ok(ModelResult {
        name,
        energy: group.dataset(schema::ENERGY.name)?.read_raw()?,
        reference_energy: group.dataset(schema::REFERENCE_ENERGY.name)?.read_scalar()?,
        status: group.dataset(schema::STATUS.name)?.read_raw()?,
        irreducible_index: group.dataset(schema::IRREDUCIBLE.name)?.read_raw()?,
        tile_states: group.dataset(schema::TILE_STATE.name)?.read_raw()?,
        seconds: read_seconds(&group)?,
    })
}
