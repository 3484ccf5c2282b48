//! Orbits: the atoms of one element on one Wyckoff position, moved together by their free coordinates.

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

use super::WyckoffPosition;
use crate::crystal::Element;

/// Names of the three coordinates of a Wyckoff position.
pub const COORDINATES: [char; 3] = ['x', 'y', 'z'];

/// The atoms of one element on one Wyckoff position.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orbit {
    /// Element and running number in the order of Wyckoff letter, then of appearance: `W1`.
    pub name: String,
    /// The element of all its atoms.
    pub element: Element,
    /// Index into [`SpaceGroup::wyckoff`](super::SpaceGroup::wyckoff).
    pub position: usize,
    /// Values of x, y, z in [0, 1) of the first of its atoms in the file that lies on the representative's form; those
    /// that are not free are 0.
    pub coordinates: Vector3<f64>,
}

/// Puts orbits, with what belongs to them, in the order of element, letter, appearance, and names them.
pub(super) fn sort_and_name<T>(
    mut orbits: Vec<(Orbit, T)>,
    positions: &[WyckoffPosition],
) -> Vec<(Orbit, T)> {
    let letter = |o: &Orbit| letter_rank(positions[o.position].letter);
    orbits.sort_by_key(|(o, _)| (o.element.symbol(), letter(o)));
    let mut number = 0;
    for i in 0..orbits.len() {
        let first = i == 0 || orbits[i - 1].0.element != orbits[i].0.element;
        number = if first { 1 } else { number + 1 };
        orbits[i].0.name = format!("{}{number}", orbits[i].0.element);
    }
    orbits
}

/// Order of Wyckoff letters: a to z, then A.
pub(super) fn letter_rank(letter: char) -> (bool, char) {
    (letter.is_ascii_uppercase(), letter)
}
