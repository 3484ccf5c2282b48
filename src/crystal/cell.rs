use nalgebra::{Matrix3, Vector3};

use super::Element;

/// The space group that a file states, in words or by its operations.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredGroup {
    /// As the file writes it: `P 42/m n m`.
    pub text: String,
    /// International number, 1 to 230.
    pub number: usize,
}

/// A periodic crystal as read from a file, before any symmetry is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// What the user calls it: the file's stem unless the file or the campaign names it.
    pub name: String,
    /// Lattice vectors as columns, in Angstrom: `x_cart = lattice * x_frac`.
    pub lattice: Matrix3<f64>,
    /// Element of each atom.
    pub species: Vec<Element>,
    /// Fractional position of each atom, as written (not wrapped into the cell).
    pub positions: Vec<Vector3<f64>>,
    /// The space group that the file states, if it does.
    pub declared: Option<DeclaredGroup>,
}

impl Structure {
    /// Number of atoms in the cell.
    pub fn len(&self) -> usize {
        self.species.len()
    }

    /// True for a structure without atoms; readers never return one.
    pub fn is_empty(&self) -> bool {
        self.species.is_empty()
    }

    /// Cell volume in cubic Angstrom.
    pub fn volume(&self) -> f64 {
        self.lattice.determinant().abs()
    }

    /// Chemical formula of the whole cell in alphabetical order of the symbols, e.g. `N12W8`.
    pub fn formula(&self) -> String {
        let mut counts = std::collections::BTreeMap::new();
        for element in &self.species {
            *counts.entry(element.symbol()).or_insert(0_usize) += 1;
        }
        counts
            .iter()
            .map(|(symbol, n)| if *n == 1 { symbol.to_string() } else { format!("{symbol}{n}") })
            .collect()
    }
}
