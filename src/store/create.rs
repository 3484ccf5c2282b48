//! Writes a whole file, every dataset allocated and filled.

use std::path::Path;

use hdf5::plist::dataset_create::{AllocTime, FillTime, Layout};
use hdf5::plist::file_access::FileAccessBuilder;
use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, FileBuilder, Group, H5Type};
use nalgebra::Matrix3;

use super::identity::{self, Identity};
use super::output::{make_partial, place};
use super::schema::{self, Quantity};
use super::trouble::explain_creation;
use super::{RunRecord, StoreError, runs, scales};
use crate::engine::Status;
use crate::symmetry::{COORDINATES, Crystal, FileCell, Orbit, Protostructure};
use crate::work::{LandscapeWork, StructureWork, SurfaceWork, Work};

/// What goes into the top of the file.
pub(super) struct Header<'a> {
    pub(super) campaign: &'a str,
    pub(super) source: &'a str,
    pub(super) history: &'a str,
    pub(super) run: &'a RunRecord,
}

/// Data reach the file system as they are written: nothing waits in a buffer of the process.
pub(super) fn unbuffered(access: &mut FileAccessBuilder) -> &mut FileAccessBuilder {
    access.sieve_buf_size(0)
}

/// Creates the file under a name of its own and puts it into place when it is complete. Without `replace`, a file that
/// another run has put there in the meantime stays; the answer says whether ours is in place.
pub(super) fn create(path: &Path, header: &Header, work: &Work, replace: bool) -> Result<bool, StoreError> {
    let partial = make_partial(path, &header.run.host)?;
    let placed = match write(&partial, header, work) {
        Ok(()) => place(&partial, path, replace)
            .map_err(|e| StoreError::new(path, format!("it cannot be put into place ({e})"))),
        Err(error) => Err(explain_creation(path, &partial, &error)),
    };
    if !matches!(placed, Ok(true)) {
        // Best effort: the message about the cause matters more than one about the leftover.
        let _ = std::fs::remove_file(&partial);
    }
    placed
}

fn write(path: &Path, header: &Header, work: &Work) -> hdf5::Result<()> {
    let file = FileBuilder::new().with_fapl(unbuffered).create(path)?;
    fill(&file, header, work)
}

/// Writes everything that there is before the first tile.
pub(super) fn fill(file: &File, header: &Header, work: &Work) -> hdf5::Result<()> {
    scales::text_attribute(file, "Conventions", "CF-1.11")?;
    scales::text_attribute(file, "title", "Symmetry-restricted potential energy surfaces")?;
    scales::text_attribute(file, "source", header.source)?;
    scales::text_attribute(file, "history", header.history)?;
    scales::text_attribute(file, "references", schema::REFERENCES)?;
    let campaign = file.new_dataset::<VarLenUnicode>().create(schema::CAMPAIGN.name)?;
    campaign.write_scalar(&scales::text(header.campaign)?)?;
    scales::describe(&campaign, &schema::CAMPAIGN)?;
    runs::create(file, header.run)?;
    if !work.skipped.is_empty() {
        let lines: Vec<String> = work.skipped.iter().map(ToString::to_string).collect();
        let dataset = text_list(file, &schema::SKIPPED, &lines)?;
        scales::attach(&dataset, &[&scales::counting_scale(file, "skip", lines.len())?])?;
    }
    for (place, structure) in work.structures.iter().enumerate() {
        write_structure(file, place, structure)?;
    }
    file.flush()?;
    Ok(())
}

fn text_list(group: &Group, quantity: &Quantity, lines: &[String]) -> hdf5::Result<Dataset> {
    let values = lines.iter().map(|l| scales::text(l)).collect::<hdf5::Result<Vec<_>>>()?;
    let dataset = group.new_dataset::<VarLenUnicode>().shape(values.len()).create(quantity.name)?;
    dataset.write_raw(&values)?;
    scales::describe(&dataset, quantity)?;
    Ok(dataset)
}

fn identify(group: &Group, identity: &Identity) -> hdf5::Result<()> {
    identity.iter().try_for_each(|(name, value)| value.write(group, name))
}

/// A group that remembers its place among its siblings, which HDF5 sorts by name.
fn ordered_group(parent: &Group, name: &str, place: usize) -> hdf5::Result<Group> {
    let group = parent.create_group(name)?;
    group.new_attr::<u32>().create(schema::ORDER)?.write_scalar(&(place as u32))?;
    Ok(group)
}

fn write_structure(file: &File, place: usize, structure: &StructureWork) -> hdf5::Result<()> {
    let crystal = &structure.crystal;
    let group = ordered_group(file, &crystal.name, place)?;
    let labels = Protostructure::of(crystal);
    let canonical = labels.canonical_label().map_err(|e| e.to_string())?;
    scales::text_attribute(&group, "protostructure", &canonical)?;
    scales::text_attribute(&group, "protostructure_raw", &labels.raw_label())?;
    scales::text_attribute(&group, "space_group", crystal.group.symbol)?;
    scales::text_attribute(&group, "pearson", &crystal.pearson)?;
    scales::text_attribute(&group, "structure_source", &structure.source)?;
    identify(&group, &identity::of_structure(structure))?;
    write_crystal(&group, crystal)?;
    structure.landscapes.iter().enumerate().try_for_each(|(i, l)| write_landscape(&group, i, l))
}

fn write_crystal(group: &Group, crystal: &Crystal) -> hdf5::Result<()> {
    let vector = scales::counting_scale(group, "vector", 3)?;
    let component = scales::counting_scale(group, "component", 3)?;
    numbers(group, &schema::LATTICE, &rows(&crystal.lattice), &[&vector, &component])?;
    write_file_cell(group, crystal, &[&vector, &component])?;
    write_atoms(group, crystal, &component)?;
    write_orbits(group, crystal, &component)?;
    write_operations(group, crystal, &component)
}

fn write_file_cell(group: &Group, crystal: &Crystal, square: &[&Dataset; 2]) -> hdf5::Result<()> {
    let FileCell { lattice, transformation, atoms } = &crystal.file;
    numbers(group, &schema::FILE_LATTICE, &rows(lattice), square)?;
    numbers(group, &schema::TRANSFORMATION, &rows(&transformation.linear), square)?;
    numbers(group, &schema::ORIGIN_SHIFT, transformation.shift.as_slice(), &square[1..])?;
    let file_atom = scales::counting_scale(group, "file_atom", atoms.len())?;
    let first = crystal.first_atoms();
    let indices: Vec<u32> = atoms.iter().map(|a| (first[a.orbit] + a.form) as u32).collect();
    numbers(group, &schema::FILE_ATOM_INDEX, &indices, &[&file_atom])?;
    let offsets: Vec<i32> = atoms.iter().flat_map(|a| a.offset.iter().map(|v| v.round() as i32)).collect();
    numbers(group, &schema::FILE_ATOM_OFFSET, &offsets, &[&file_atom, square[1]])?;
    let moved: Vec<f64> = atoms.iter().map(|a| a.moved).collect();
    numbers(group, &schema::FILE_ATOM_MOVED, &moved, &[&file_atom])?;
    Ok(())
}

/// Columns in column order are the vectors as rows.
fn rows(lattice: &Matrix3<f64>) -> Vec<f64> {
    lattice.iter().copied().collect()
}

fn write_atoms(group: &Group, crystal: &Crystal, component: &Dataset) -> hdf5::Result<()> {
    let atom = scales::counting_scale(group, "atom", crystal.atom_count())?;
    let elements: Vec<u32> = crystal.atoms().map(|(e, _)| e.number() as u32).collect();
    numbers(group, &schema::ATOMIC_NUMBER, &elements, &[&atom])?;
    let positions: Vec<f64> = crystal.atoms().flat_map(|(_, x)| [x.x, x.y, x.z]).collect();
    numbers(group, &schema::POSITION, &positions, &[&atom, component])?;
    let of_atom = |(i, o): (usize, &Orbit)| vec![i as u32; crystal.group.wyckoff[o.position].multiplicity];
    let orbits: Vec<u32> = crystal.orbits.iter().enumerate().flat_map(of_atom).collect();
    numbers(group, &schema::ORBIT, &orbits, &[&atom])?;
    Ok(())
}

fn write_orbits(group: &Group, crystal: &Crystal, component: &Dataset) -> hdf5::Result<()> {
    let orbit = scales::counting_scale(group, "orbit_number", crystal.orbits.len())?;
    let orbits = || crystal.orbits.iter().map(|o| (o, &crystal.group.wyckoff[o.position]));
    let texts = |quantity: &Quantity, lines: Vec<String>| {
        scales::attach(&text_list(group, quantity, &lines)?, &[&orbit])
    };
    texts(&schema::ORBIT_NAME, orbits().map(|(o, _)| o.name.clone()).collect())?;
    texts(&schema::ORBIT_LETTER, orbits().map(|(_, w)| w.letter.to_string()).collect())?;
    texts(&schema::ORBIT_REPRESENTATIVE, orbits().map(|(_, w)| w.coordinates.to_string()).collect())?;
    let multiplicities: Vec<u32> = orbits().map(|(_, w)| w.multiplicity as u32).collect();
    numbers(group, &schema::ORBIT_MULTIPLICITY, &multiplicities, &[&orbit])?;
    let coordinates: Vec<f64> = orbits().flat_map(|(o, _)| <[f64; 3]>::from(o.coordinates)).collect();
    numbers(group, &schema::ORBIT_COORDINATES, &coordinates, &[&orbit, component])?;
    Ok(())
}

fn write_operations(group: &Group, crystal: &Crystal, component: &Dataset) -> hdf5::Result<()> {
    let operations = &crystal.group.operations;
    let operation = scales::counting_scale(group, "operation", operations.len())?;
    let row = scales::counting_scale(group, "row", 3)?;
    let rotations: Vec<i32> =
        operations.iter().flat_map(|o| rows(&o.rotation.transpose())).map(|v| v.round() as i32).collect();
    numbers(group, &schema::ROTATION, &rotations, &[&operation, &row, component])?;
    let translations: Vec<f64> = operations.iter().flat_map(|o| <[f64; 3]>::from(o.translation)).collect();
    numbers(group, &schema::TRANSLATION, &translations, &[&operation, component])?;
    Ok(())
}

/// A small dataset, written at once.
fn numbers<T: H5Type>(
    group: &Group,
    quantity: &Quantity,
    values: &[T],
    dimensions: &[&Dataset],
) -> hdf5::Result<Dataset> {
    let shape: Vec<usize> = dimensions.iter().map(|d| d.size()).collect();
    let dataset = group.new_dataset::<T>().shape(shape).create(quantity.name)?;
    dataset.write_raw(values)?;
    scales::describe(&dataset, quantity)?;
    scales::attach(&dataset, dimensions)?;
    Ok(dataset)
}

/// A dataset to be filled in later: contiguous, allocated and filled now.
fn filled<T: H5Type + Copy + Into<hdf5::types::OwnedDynValue>>(
    group: &Group,
    quantity: &Quantity,
    fill: T,
    dimensions: &[&Dataset],
) -> hdf5::Result<Dataset> {
    let shape: Vec<usize> = dimensions.iter().map(|d| d.size()).collect();
    let dataset = group
        .new_dataset::<T>()
        .layout(Layout::Contiguous)
        .alloc_time(Some(AllocTime::Early))
        .fill_time(FillTime::Alloc)
        .fill_value(fill)
        .shape(shape)
        .create(quantity.name)?;
    scales::describe(&dataset, quantity)?;
    scales::attach(&dataset, dimensions)?;
    Ok(dataset)
}

/// A float dataset whose open points are NaN.
fn open_floats(group: &Group, quantity: &Quantity, dimensions: &[&Dataset]) -> hdf5::Result<Dataset> {
    let dataset = filled(group, quantity, f64::NAN, dimensions)?;
    dataset.new_attr::<f64>().create("_FillValue")?.write_scalar(&f64::NAN)?;
    Ok(dataset)
}

fn write_landscape(structure: &Group, place: usize, work: &LandscapeWork) -> hdf5::Result<()> {
    let landscape = &work.landscape;
    let crystal = &landscape.crystal;
    let group = ordered_group(structure, &work.name, place)?;
    identify(&group, &identity::of_landscape(work))?;
    let mut axes = Vec::new();
    for (axis, reference) in landscape.axes.iter().zip(landscape.reference()) {
        let name = axis.dof.name(crystal);
        let dataset = group.new_dataset::<f64>().shape(axis.points).create(name.as_str())?;
        dataset.write_raw(&axis.values())?;
        let coordinate = COORDINATES[axis.dof.coordinate].to_string();
        let orbit = crystal.describe_orbit(axis.dof.orbit);
        scales::text_attribute(&dataset, "units", "1")?;
        scales::text_attribute(&dataset, "long_name", &format!("{coordinate} of {orbit}"))?;
        scales::text_attribute(&dataset, "orbit", &crystal.orbits[axis.dof.orbit].name)?;
        let position = &crystal.group.wyckoff[crystal.orbits[axis.dof.orbit].position];
        scales::text_attribute(
            &dataset,
            "wyckoff",
            &format!("{}{}", position.multiplicity, position.letter),
        )?;
        scales::text_attribute(&dataset, "coordinate", &coordinate)?;
        dataset.new_attr::<f64>().create("reference")?.write_scalar(&reference)?;
        dataset.new_attr::<u8>().create("periodic")?.write_scalar(&u8::from(axis.is_periodic()))?;
        scales::make_scale(&dataset, &name)?;
        axes.push(dataset);
    }
    let axes: Vec<&Dataset> = axes.iter().collect();
    open_floats(&group, &schema::DISTANCE_COST, &axes)?;
    open_floats(&group, &schema::MINIMUM_DISTANCE, &axes)?;
    write_thresholds(&group, work)?;
    work.surfaces.iter().enumerate().try_for_each(|(i, s)| write_surface((&group, i), s, &axes))
}

fn write_thresholds(group: &Group, work: &LandscapeWork) -> hdf5::Result<()> {
    let orbits = &work.landscape.crystal.orbits;
    let orbit = scales::counting_scale(group, "orbit_a", orbits.len())?;
    let other = scales::counting_scale(group, "orbit_b", orbits.len())?;
    let minima = identity::minimum_pair_distances(&work.landscape);
    numbers(group, &schema::MINIMUM_PAIR_DISTANCE, &minima, &[&orbit, &other])?;
    let uncapped = identity::uncapped_pair_distances(&work.landscape);
    numbers(group, &schema::UNCAPPED_PAIR_DISTANCE, &uncapped, &[&orbit, &other])?;
    Ok(())
}

fn write_surface(
    (landscape, place): (&Group, usize),
    surface: &SurfaceWork,
    axes: &[&Dataset],
) -> hdf5::Result<()> {
    let model = &surface.model;
    let group = ordered_group(landscape, &model.name, place)?;
    identify(&group, &identity::of_surface(surface))?;
    scales::text_attribute(&group, "weights_source", &model.potential.source)?;
    scales::text_attribute(&group, "architecture", model.potential.architecture())?;
    group.new_attr::<f64>().create("cutoff")?.write_scalar(&model.potential.cutoff())?;
    scales::text_attribute(&group, "cutoff_units", "angstrom")?;
    open_floats(&group, &schema::ENERGY, axes)?;
    open_floats(&group, &schema::REFERENCE_ENERGY, &[])?;
    let status = filled(&group, &schema::STATUS, Status::Open as u8, axes)?;
    let flags: Vec<(u8, &str)> = Status::ALL.iter().map(|(s, name)| (*s as u8, *name)).collect();
    scales::describe_flag(&status, &flags)?;
    numbers(&group, &schema::IRREDUCIBLE, &surface.irreducible.representative, axes)?;
    let tile = scales::counting_scale(&group, "tile", surface.tiles.len())?;
    let state = filled(&group, &schema::TILE_STATE, 0_u8, &[&tile])?;
    scales::describe_flag(&state, &schema::TILE_STATES)?;
    filled(&group, &schema::TILE_SECONDS, f64::NAN, &[&tile])?;
    Ok(())
}
