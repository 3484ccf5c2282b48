//! One row a start of the program: when, where, with what.
//!
//! Every field is a dataset of its own along one dimension that grows, since that is what all readers of HDF5 and
//! netCDF-4 take: some of them crash on compound types, and on text of fixed length.

use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, Group, H5Type};

use super::scales::{attach, describe, make_scale, text};
use super::schema::{self, Quantity};

/// Rows that a column has room for from the beginning, so that a start does not allocate any for its own.
const CHUNK: usize = 256;
/// The dimension, and the dataset that counts along it.
const DIMENSION: &str = "run";

/// A start of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRecord {
    /// UTC, `2026-11-22T08:00:00Z`.
    pub started: String,
    /// Host of rank 0.
    pub host: String,
    /// Batch job, if any.
    pub job: String,
    /// Number of ranks.
    pub ranks: u32,
    /// Engines in use.
    pub engine: String,
    /// Version and commit of the program.
    pub version: String,
    /// Seconds until the end; 0 while it runs or if it was killed.
    pub seconds: f64,
}

impl RunRecord {
    fn texts(&self) -> [(Quantity, &str); 5] {
        [
            (schema::RUN_STARTED, &self.started),
            (schema::RUN_HOST, &self.host),
            (schema::RUN_JOB, &self.job),
            (schema::RUN_ENGINE, &self.engine),
            (schema::RUN_VERSION, &self.version),
        ]
    }
}

/// Makes the group with its first row.
pub(super) fn create(root: &Group, record: &RunRecord) -> hdf5::Result<()> {
    let group = root.create_group(schema::RUNS)?;
    let scale = new_column(&group, DIMENSION, 0_u32)?;
    make_scale(&scale, DIMENSION)?;
    let finish = |column: Dataset, quantity: &Quantity| {
        describe(&column, quantity)?;
        attach(&column, &[&scale])
    };
    for (quantity, value) in record.texts() {
        finish(new_column(&group, quantity.name, text(value)?)?, &quantity)?;
    }
    finish(new_column(&group, schema::RUN_RANKS.name, record.ranks)?, &schema::RUN_RANKS)?;
    finish(new_column(&group, schema::RUN_SECONDS.name, record.seconds)?, &schema::RUN_SECONDS)
}

/// A column of one row that can grow.
fn new_column<T: H5Type>(group: &Group, name: &str, first: T) -> hdf5::Result<Dataset> {
    let column = group
        .new_dataset::<T>()
        .chunk(CHUNK)
        .alloc_time(Some(AllocTime::Early))
        .fill_time(FillTime::Alloc)
        .shape(1..)
        .create(name)?;
    column.write_raw(&[first])?;
    Ok(column)
}

/// All rows.
pub(super) fn read(root: &Group) -> hdf5::Result<Vec<RunRecord>> {
    let group = root.group(schema::RUNS)?;
    (0..whole_rows(&group)?).map(|place| read_row(&group, place)).collect()
}

fn read_row(group: &Group, place: usize) -> hdf5::Result<RunRecord> {
    let text = |quantity: &Quantity| {
        read_value::<VarLenUnicode>(group, quantity.name, place).map(|value| value.to_string())
    };
    Ok(RunRecord {
        started: text(&schema::RUN_STARTED)?,
        host: text(&schema::RUN_HOST)?,
        job: text(&schema::RUN_JOB)?,
        ranks: read_value(group, schema::RUN_RANKS.name, place)?,
        engine: text(&schema::RUN_ENGINE)?,
        version: text(&schema::RUN_VERSION)?,
        seconds: read_value(group, schema::RUN_SECONDS.name, place)?,
    })
}

fn read_value<T: H5Type + Clone>(group: &Group, name: &str, place: usize) -> hdf5::Result<T> {
    let values = group.dataset(name)?.read_slice_1d::<T, _>(place..place + 1)?;
    values.first().cloned().ok_or_else(|| format!("{name} has no row {place}").into())
}

/// Rows that are there in full. A start that is killed while it writes its row may leave parts of one.
fn whole_rows(group: &Group) -> hdf5::Result<usize> {
    let mut rows = group.dataset(DIMENSION)?.size();
    while rows > 0 && read_row(group, rows - 1).is_err() {
        rows -= 1;
    }
    Ok(rows)
}

/// Writes a record behind the last row; returns its place.
pub(super) fn append(root: &Group, record: &RunRecord) -> hdf5::Result<usize> {
    let group = root.group(schema::RUNS)?;
    let place = whole_rows(&group)?;
    for (quantity, value) in record.texts() {
        put(&group, quantity.name, place, text(value)?)?;
    }
    put(&group, schema::RUN_RANKS.name, place, record.ranks)?;
    put(&group, schema::RUN_SECONDS.name, place, record.seconds)?;
    put(&group, DIMENSION, place, place as u32)?;
    Ok(place)
}

/// Makes a row the last one of a column.
fn put<T: H5Type>(group: &Group, name: &str, place: usize, value: T) -> hdf5::Result<()> {
    let column = group.dataset(name)?;
    column.resize(place + 1)?;
    column.write_slice(&[value], place..place + 1)
}

/// Records how long a run took.
pub(super) fn set_seconds(root: &Group, place: usize, seconds: f64) -> hdf5::Result<()> {
    let column = root.group(schema::RUNS)?.dataset(schema::RUN_SECONDS.name)?;
    column.write_slice(&[seconds], place..place + 1)
}
