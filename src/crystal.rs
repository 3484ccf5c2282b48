//! Structure file -> [`Structure`]: lattice, species and positions exactly as the file says.
//!
//! [`read_structures`] tells the format by the file's name, unpacks what is compressed, and hands the text to one of three parsers
//! (`cif`, `poscar`, `extxyz`); what all of them must fulfil is checked in `check`.

mod cell;
mod check;
mod cif;
mod elements;
mod extxyz;
pub(crate) mod periodic;
mod poscar;
mod read;
mod text;

pub use cell::{DeclaredGroup, Structure};
pub use elements::Element;
pub use extxyz::to_extxyz;
pub use read::{Format, ReadError, read_structure, read_structures, read_structures_as};

/// An atom that is moved by no more than this, in Angstrom, was rounded: not worth a word.
pub(crate) const MOVED: f64 = 0.01;
