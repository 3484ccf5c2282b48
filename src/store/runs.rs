//! One row a start of the program: when, where, with what.

use hdf5::types::FixedUnicode;
use hdf5::{Dataset, Group, H5Type};

use super::scales::{attach, counting_scale, describe};
use super::schema::RUNS;

/// Room for this many starts is made at creation, since nothing grows later; the last row takes all that follow.
const CAPACITY: usize = 256;

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

/// A row as stored.
#[derive(H5Type, Clone, Debug)]
#[repr(C)]
struct Row {
    started: FixedUnicode<24>,
    host: FixedUnicode<64>,
    job: FixedUnicode<32>,
    ranks: u32,
    engine: FixedUnicode<128>,
    version: FixedUnicode<64>,
    seconds: f64,
}

/// At most `N` bytes of a string, cut at a character.
fn fixed<const N: usize>(text: &str) -> FixedUnicode<N> {
    let end = (0..=text.len().min(N)).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
    text[..end].parse().unwrap_or_default()
}

pub(super) fn create(root: &Group) -> hdf5::Result<()> {
    let runs = root.new_dataset::<Row>().shape(CAPACITY).create(RUNS.name)?;
    runs.write_raw(&vec![row(&RunRecord::default()); CAPACITY])?;
    attach(&runs, &[&counting_scale(root, "run", CAPACITY)?])?;
    describe(&runs, &RUNS)
}

fn row(record: &RunRecord) -> Row {
    Row {
        started: fixed(&record.started),
        host: fixed(&record.host),
        job: fixed(&record.job),
        ranks: record.ranks,
        engine: fixed(&record.engine),
        version: fixed(&record.version),
        seconds: record.seconds,
    }
}

/// All rows in use.
pub(super) fn read(root: &Group) -> hdf5::Result<Vec<RunRecord>> {
    let rows = root.dataset(RUNS.name)?.read_raw::<Row>()?;
    let record = |row: &Row| RunRecord {
        started: row.started.to_string(),
        host: row.host.to_string(),
        job: row.job.to_string(),
        ranks: row.ranks,
        engine: row.engine.to_string(),
        version: row.version.to_string(),
        seconds: row.seconds,
    };
    Ok(rows.iter().map(record).take_while(|r| !r.started.is_empty()).collect())
}

/// Writes a record into the next free row; returns its place.
pub(super) fn append(root: &Group, record: &RunRecord) -> hdf5::Result<usize> {
    let place = read(root)?.len().min(CAPACITY - 1);
    write(&root.dataset(RUNS.name)?, place, record)?;
    Ok(place)
}

/// Replaces a row.
pub(super) fn update(root: &Group, place: usize, record: &RunRecord) -> hdf5::Result<()> {
    write(&root.dataset(RUNS.name)?, place, record)
}

fn write(runs: &Dataset, place: usize, record: &RunRecord) -> hdf5::Result<()> {
    runs.write_slice(&[row(record)], place..place + 1)
}
