//! From the file back to the crystal and the axes of a landscape, so that distances can be asked again with other
//! thresholds. A file may have been made by anybody: whatever contradicts itself is an error.

use std::sync::Arc;

use hdf5::types::VarLenUnicode;
use hdf5::{Group, H5Type, Location};
use nalgebra::{Matrix3, Vector3};

use super::schema::{self, Quantity};
use super::{Results, StoreError, scales};
use crate::crystal::Element;
use crate::landscape::{Axis, DistanceCost, Dof, Grid, RadiiError, Separation, Thresholds};
use crate::symmetry::{Crystal, FileAtom, FileCell, Orbit, SpaceGroup, Transformation};

/// Stored positions agree with those of the rebuilt crystal to this, in fractional coordinates.
const SAME_POSITION: f64 = 1e-6;
/// Most atoms of a conventional cell, so that a broken file does not take all memory.
const MOST_ATOMS: usize = 1_000_000;

/// A stored landscape without energies: which crystal varies, and how.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// The crystal; its coordinates are those of the input structure.
    pub crystal: Arc<Crystal>,
    /// What varies, slowest axis first.
    pub axes: Vec<Axis>,
    /// The nodes.
    pub grid: Grid,
}

impl Geometry {
    /// Distance cost and smallest distance of every node with any thresholds, row-major.
    pub fn separations(&self, thresholds: &Thresholds) -> Result<Vec<Separation>, RadiiError> {
        let cost = DistanceCost::new(&self.crystal, &self.axes, thresholds)?;
        Ok(cost.over(&self.axes, &self.grid))
    }
}

impl Results {
    /// The crystal and the axes of a landscape.
    pub fn geometry(&self, structure: &str, name: &str) -> Result<Geometry, StoreError> {
        let read = || {
            let parent = self.file.group(structure)?;
            let crystal = Arc::new(read_crystal(structure, &parent)?);
            let (axes, grid) = read_axes(&crystal, &parent.group(name)?)?;
            Ok(Geometry { crystal, axes, grid })
        };
        read().map_err(|error: hdf5::Error| match error {
            hdf5::Error::Internal(reason) => {
                StoreError::new(self.path(), format!("{structure}/{name} cannot be rebuilt: {reason}"))
            }
            error => self.fail(&error),
        })
    }
}

/// A one-dimensional dataset, or a larger one in row-major order, of at most so many numbers.
fn list<T: H5Type>(group: &Group, quantity: &Quantity, most: usize) -> hdf5::Result<Vec<T>> {
    let dataset = group.dataset(quantity.name)?;
    match dataset.size() {
        size if size <= most => dataset.read_raw(),
        size => Err(format!("`{}` has {size} values, more than {most}", quantity.name).into()),
    }
}

fn texts(group: &Group, quantity: &Quantity) -> hdf5::Result<Vec<String>> {
    Ok(list::<VarLenUnicode>(group, quantity, MOST_ATOMS)?.iter().map(ToString::to_string).collect())
}

/// A whole number, which files of earlier versions hold as text.
fn whole_number(location: &Location, name: &str) -> hdf5::Result<i32> {
    match scales::read_text(location, name) {
        Ok(text) => text.parse().map_err(|_| format!("`{name}` is `{text}` and no whole number").into()),
        Err(_) => location.attr(name)?.read_scalar(),
    }
}

fn read_crystal(name: &str, group: &Group) -> hdf5::Result<Crystal> {
    let hall_number = whole_number(group, "hall_number")?;
    let space_group = SpaceGroup::from_hall_number(hall_number);
    let space_group = space_group.ok_or_else(|| format!("there is no Hall number {hall_number}"))?;
    let number = whole_number(group, "space_group_number")?;
    if usize::try_from(number) != Ok(space_group.number) {
        return Err(format!("Hall number {hall_number} is not of space group {number}").into());
    }
    let lattice = matrix(group, &schema::LATTICE)?;
    let orbits = read_orbits(group, &space_group)?;
    let pearson = scales::read_text(group, "pearson")?;
    let multiplicities = orbits.iter().map(|o| space_group.wyckoff[o.position].multiplicity);
    let file = read_file_cell(group, &multiplicities.collect::<Vec<_>>())?;
    let crystal = Crystal { name: name.to_string(), group: space_group, pearson, lattice, orbits, file };
    check_positions(group, &crystal)?;
    Ok(crystal)
}

/// Lattice vectors, which are rows of the file, as columns.
fn matrix(group: &Group, quantity: &Quantity) -> hdf5::Result<Matrix3<f64>> {
    let name = quantity.name;
    let values = <[f64; 9]>::try_from(list(group, quantity, 9)?);
    let matrix = Matrix3::from_column_slice(&values.map_err(|_| format!("`{name}` is no 3 x 3 matrix"))?);
    match matrix.determinant().abs() > 1e-6 && matrix.iter().all(|v| v.abs() < 1e6) {
        true => Ok(matrix),
        false => Err(format!("`{name}` holds no three independent vectors").into()),
    }
}

/// The cell of the structure's file; orbits have so many atoms.
fn read_file_cell(group: &Group, multiplicities: &[usize]) -> hdf5::Result<FileCell> {
    let shift = <[f64; 3]>::try_from(list(group, &schema::ORIGIN_SHIFT, 3)?);
    let shift = Vector3::from(shift.map_err(|_| "`origin_shift` has no three numbers")?);
    let linear = matrix(group, &schema::TRANSFORMATION)?;
    let of_index: Vec<(usize, usize)> = (multiplicities.iter().enumerate())
        .flat_map(|(orbit, multiplicity)| (0..*multiplicity).map(move |form| (orbit, form)))
        .collect();
    let indices: Vec<u32> = list(group, &schema::FILE_ATOM_INDEX, MOST_ATOMS)?;
    let offsets: Vec<i32> = list(group, &schema::FILE_ATOM_OFFSET, 3 * MOST_ATOMS)?;
    let moved: Vec<f64> = list(group, &schema::FILE_ATOM_MOVED, MOST_ATOMS)?;
    if offsets.len() != 3 * indices.len() || moved.len() != indices.len() || indices.is_empty() {
        return Err("the datasets of its file's atoms differ in length".into());
    }
    let atom = |((index, offset), moved): ((&u32, &[i32]), &f64)| {
        let (orbit, form) = *of_index.get(*index as usize)?;
        let offset = Vector3::from_iterator(offset.iter().map(|v| f64::from(*v)));
        Some(FileAtom { orbit, form, offset, moved: *moved })
    };
    let atoms: Option<Vec<FileAtom>> =
        indices.iter().zip(offsets.chunks_exact(3)).zip(&moved).map(atom).collect();
    let atoms = atoms.ok_or("`file_atom_index` names atoms that the crystal does not have")?;
    Ok(FileCell {
        lattice: matrix(group, &schema::FILE_LATTICE)?,
        transformation: Transformation { linear, shift },
        atoms,
    })
}

/// Orbits with the elements of their atoms.
fn read_orbits(group: &Group, space_group: &SpaceGroup) -> hdf5::Result<Vec<Orbit>> {
    let (names, letters) = (texts(group, &schema::ORBIT_NAME)?, texts(group, &schema::ORBIT_LETTER)?);
    let multiplicities: Vec<u32> = list(group, &schema::ORBIT_MULTIPLICITY, MOST_ATOMS)?;
    let coordinates: Vec<f64> = list(group, &schema::ORBIT_COORDINATES, 3 * MOST_ATOMS)?;
    let (orbit_of, numbers): (Vec<u32>, Vec<u32>) =
        (list(group, &schema::ORBIT, MOST_ATOMS)?, list(group, &schema::ATOMIC_NUMBER, MOST_ATOMS)?);
    let count = names.len();
    let lengths = [letters.len(), multiplicities.len(), coordinates.len() / 3];
    if lengths.iter().any(|n| *n != count)
        || !coordinates.len().is_multiple_of(3)
        || orbit_of.len() != numbers.len()
    {
        return Err("the datasets of its orbits differ in length".into());
    }
    let mut orbits = Vec::new();
    for (i, (name, letter)) in names.into_iter().zip(&letters).enumerate() {
        let wrong = |what: &str| hdf5::Error::from(format!("orbit {name} {what}"));
        let mut characters = letter.chars();
        let position = match (characters.next(), characters.next()) {
            (Some(letter), None) => space_group.position_of(letter),
            _ => None,
        };
        let position = position.ok_or_else(|| wrong("is on no Wyckoff position of its space group"))?;
        let mut atoms =
            orbit_of.iter().zip(&numbers).filter(|(orbit, _)| **orbit as usize == i).map(|(_, z)| *z);
        let number = atoms.next().ok_or_else(|| wrong("has no atom"))?;
        let element = Element::from_number(number as usize).ok_or_else(|| wrong("is of no element"))?;
        if atoms.any(|other| other != number) {
            return Err(wrong("is of several elements"));
        }
        if multiplicities[i] as usize != space_group.wyckoff[position].multiplicity {
            return Err(wrong("has another multiplicity than its Wyckoff position"));
        }
        let coordinates = Vector3::from_column_slice(&coordinates[3 * i..3 * i + 3]);
        if coordinates.iter().any(|v| v.is_nan() || v.abs() > 1e3) {
            return Err(wrong("has coordinates that are no fractions of a cell"));
        }
        orbits.push(Orbit { name, element, position, coordinates });
    }
    Ok(orbits)
}

/// The rebuilt crystal must be the stored one, atom by atom.
fn check_positions(group: &Group, crystal: &Crystal) -> hdf5::Result<()> {
    let stored: Vec<f64> = list(group, &schema::POSITION, 3 * MOST_ATOMS)?;
    let atoms = crystal.atom_count();
    let same = stored.len() == 3 * atoms
        && stored.chunks_exact(3).zip(crystal.atoms()).all(|(stored, (_, rebuilt))| {
            stored.iter().zip(rebuilt.iter()).all(|(a, b)| {
                let difference = a - b;
                (difference - difference.round()).abs() < SAME_POSITION
            })
        });
    if same { Ok(()) } else { Err("its positions are not those of its orbits".into()) }
}

fn read_axes(crystal: &Crystal, group: &Group) -> hdf5::Result<(Vec<Axis>, Grid)> {
    let text = scales::read_text(group, "axes")?;
    let axes = text.split("; ").map(|axis| read_axis(crystal, axis)).collect::<hdf5::Result<Vec<_>>>()?;
    let grid = Grid::of(crystal, &axes).map_err(|e| e.to_string())?;
    for axis in &axes {
        let name = axis.dof.name(crystal);
        let dataset = group.dataset(&name)?;
        let same = dataset.size() == axis.points
            && dataset.read_raw::<f64>()?.iter().zip(axis.values()).all(|(a, b)| (a - b).abs() < 1e-12);
        if !same {
            return Err(format!("the values of axis {name} are not those of `{text}`").into());
        }
    }
    Ok((axes, grid))
}

/// `W1.x from 0 to 1 in 120 points`, as [`super::identity`] writes it.
fn read_axis(crystal: &Crystal, text: &str) -> hdf5::Result<Axis> {
    let wrong = || hdf5::Error::from(format!("`{text}` is no axis"));
    let [dof, "from", low, "to", high, "in", points, "points"] = text.split(' ').collect::<Vec<_>>()[..]
    else {
        return Err(wrong());
    };
    let dof = Dof::parse(dof, crystal).map_err(|e| e.to_string())?;
    let range = [low.parse().map_err(|_| wrong())?, high.parse().map_err(|_| wrong())?];
    Ok(Axis { dof, range, points: points.parse().map_err(|_| wrong())? })
}
