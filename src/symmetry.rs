//! [`Structure`](crate::crystal::Structure) -> [`Crystal`]: space group, orbits, and the coordinates that symmetry leaves free.
//!
//! Positions are fractional coordinates of the standardised conventional cell (spglib's default setting)
//! unless a name says `primitive` or `file`. Of all cells and origins that are standard, a crystal has those that are
//! nearest to its file's ([`Transformation`]), and so the file's own coordinates where these are standard. Wyckoff
//! letters and labels follow from that; orbits come in the order of element, letter and appearance in the file; an
//! orbit's coordinates are those of its first atom in the file that lies on the representative's form.

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
