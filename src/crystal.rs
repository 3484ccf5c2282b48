//! Structure file -> [`Structure`]: lattice, species and positions exactly as the file says.

mod cell;
mod elements;

pub use cell::Structure;
pub use elements::Element;
