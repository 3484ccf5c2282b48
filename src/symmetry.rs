//! [`Structure`](crate::crystal::Structure) -> [`Crystal`]: space group, orbits, and the coordinates that symmetry leaves free.
//!
//! Positions are fractional coordinates of the standardised conventional cell (spglib's default setting)
//! unless a name says `primitive`.

mod affine;
mod file_cell;
mod finding;
mod normalizer;
mod orbit;
mod protostructure;
mod setting;
mod sites;
mod space_group;
mod standard;
mod tolerance;

pub use affine::Form;
pub(crate) use affine::{is_integer, solve_modulo_lattice, wrap};
pub use file_cell::{FileAtom, FileCell};
pub use finding::{Finding, findings};
pub use normalizer::{Normalizer, NormalizerError};
pub use orbit::{COORDINATES, Orbit};
pub use protostructure::{LabelError, Protostructure};
pub use setting::Transformation;
pub use space_group::{Operation, SpaceGroup, WyckoffPosition};
pub use standard::{Crystal, SymmetryError};
