//! The result file: one HDF5 file a campaign, created whole before the first tile and then only filled in place.
//!
//! ```text
//! /                       Conventions, title, source, history, references
//!   campaign              the campaign file, verbatim
//!   runs/                 one row a start
//!   skipped               what could not be computed, and why
//!   <structure>/          lattice, species, positions, orbits; label and space group as attributes
//!     <landscape>/        one dimension scale an axis, distance_cost, minimum_distance; minimum_pair_distance, and
//!                         uncapped_pair_distance before distances of the input lowered it
//!       <model>/          energy, status, irreducible_index; tile_state, tile_seconds
//! ```
//!
//! Datasets are contiguous and allocated at once, and raw data go to the file system unbuffered, so that a process
//! may be killed at any moment: `tile_state` is written after the tile's values, and a tile whose state is done is
//! stored. Only `runs` grows, by a row a start, and the reasons of failures, which are attributes, are written when a run
//! ends.

mod compare;
mod create;
mod file;
mod geometry;
mod identity;
mod output;
mod read;
mod runs;
mod scales;
pub mod schema;
mod size;
mod surface;
mod trouble;

pub use file::{Progress, ResultFile};
pub use geometry::Geometry;
pub use output::check_name;
pub use read::{AxisResult, LandscapeResult, ModelResult, PairDistance, Results, SurfaceState};
pub use runs::RunRecord;
pub use size::expected_size;

/// What went wrong with a result file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be used, or not now.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What happened and the way out.
        reason: String,
    },
    /// The machine cannot hold the file, for example because its disk is full.
    #[error("{path}: {reason}")]
    Machine {
        /// The file.
        path: String,
        /// What happened and the way out.
        reason: String,
    },
    /// The file holds another campaign.
    #[error(
        "{path} was made for something else: {difference}; give another output, or start over with --restart"
    )]
    Different {
        /// The file.
        path: String,
        /// What differs.
        difference: String,
    },
}

/// Version of the HDF5 library: `1.14.5`.
pub fn hdf5_version() -> String {
    let (major, minor, release) = hdf5::library_version();
    format!("{major}.{minor}.{release}")
}

impl StoreError {
    fn new(path: &std::path::Path, reason: impl std::fmt::Display) -> StoreError {
        StoreError::File { path: path.display().to_string(), reason: reason.to_string() }
    }
}
