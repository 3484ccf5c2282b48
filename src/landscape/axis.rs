//! Degrees of freedom and the axes that sample them.

use serde::{Deserialize, Serialize};

use crate::symmetry::{COORDINATES, Crystal};

/// One coordinate of one orbit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dof {
    /// Index into [`Crystal::orbits`].
    pub orbit: usize,
    /// 0, 1, 2 for x, y, z.
    pub coordinate: usize,
}

/// What varies along one direction of a grid.
///
/// A range of length 1 is the full period: the upper end, which repeats the lower one, is left out
/// (`lo + i / points`). Any other range includes both ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The coordinate that varies.
    pub dof: Dof,
    /// Lower and upper end, fractional.
    pub range: [f64; 2],
    /// Number of nodes.
    pub points: usize,
}

/// An axis that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AxisError {
    /// No such orbit or coordinate, or it is fixed by symmetry.
    #[error("`{dof}` is not a free coordinate of {crystal}; free are: {free}")]
    NotFree {
        /// As the user wrote it.
        dof: String,
        /// Name of the crystal.
        crystal: String,
        /// What could be written instead.
        free: String,
    },
    /// Nothing can vary.
    #[error("symmetry fixes every coordinate of {0}; there is nothing to map")]
    Fixed(String),
    /// The same coordinate twice.
    #[error("`{0}` is on two axes of one landscape; every axis needs a coordinate of its own")]
    Twice(String),
    /// A range without extent, or longer than the period.
    #[error("the range [{0}, {1}] of an axis must increase and span at most one period (1)")]
    Range(f64, f64),
    /// Too few nodes.
    #[error("an axis needs at least 1 point over a full period and 2 over a part of it, not {0}")]
    Points(usize),
    /// Nothing varies.
    #[error("a landscape needs at least one axis")]
    None,
    /// More nodes than can be addressed.
    #[error("a grid of {0} points is too large; the limit is {1}")]
    TooLarge(String, usize),
}

impl Dof {
    /// Reads `W1.x`: the name of an orbit and a coordinate that its Wyckoff position frees.
    pub fn parse(text: &str, crystal: &Crystal) -> Result<Dof, AxisError> {
        let not_free = || AxisError::NotFree {
            dof: text.to_string(),
            crystal: crystal.name.clone(),
            free: crystal.free_coordinates(),
        };
        let (name, coordinate) = text.trim().split_once('.').ok_or_else(not_free)?;
        let orbit = crystal.orbits.iter().position(|o| o.name == name).ok_or_else(not_free)?;
        let mut letters = coordinate.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else { return Err(not_free()) };
        let coordinate = COORDINATES.iter().position(|c| *c == letter).ok_or_else(not_free)?;
        let dof = Dof { orbit, coordinate };
        if dof.is_free(crystal) { Ok(dof) } else { Err(not_free()) }
    }

    /// Whether the orbit's Wyckoff position frees the coordinate.
    pub fn is_free(self, crystal: &Crystal) -> bool {
        let position = crystal.orbits.get(self.orbit).map(|o| &crystal.group.wyckoff[o.position]);
        position.is_some_and(|p| p.free().get(self.coordinate) == Some(&true))
    }

    /// `W1.x`.
    pub fn name(self, crystal: &Crystal) -> String {
        format!("{}.{}", crystal.orbits[self.orbit].name, COORDINATES[self.coordinate])
    }

    /// All free coordinates of a crystal, in the order of its orbits.
    pub fn all(crystal: &Crystal) -> Vec<Dof> {
        let all =
            (0..crystal.orbits.len()).flat_map(|orbit| (0..3).map(move |c| Dof { orbit, coordinate: c }));
        all.filter(|d| d.is_free(crystal)).collect()
    }

    /// The free coordinates of the first orbit that has two; all of the crystal if none has.
    pub fn first_free(crystal: &Crystal) -> Vec<Dof> {
        let all = Self::all(crystal);
        let of_orbit = |orbit: usize| all.iter().copied().filter(|d| d.orbit == orbit).collect::<Vec<_>>();
        (0..crystal.orbits.len()).map(of_orbit).find(|free| free.len() >= 2).unwrap_or(all)
    }
}

impl Axis {
    /// Whether the axis runs over the full period.
    pub fn is_periodic(&self) -> bool {
        (self.range[1] - self.range[0] - 1.0).abs() < 1e-12
    }

    /// Distance of neighbouring nodes.
    pub fn step(&self) -> f64 {
        let length = self.range[1] - self.range[0];
        let intervals = if self.is_periodic() { self.points } else { self.points.saturating_sub(1) };
        length / intervals.max(1) as f64
    }

    /// Coordinate of node `i`.
    pub fn value(&self, i: usize) -> f64 {
        if self.is_periodic() {
            // One rounding, so that 1/4 of a period is 1/4 exactly whatever the number of nodes.
            self.range[0] + i as f64 / self.points as f64
        } else {
            let last = self.points.saturating_sub(1).max(1) as f64;
            self.range[0] + (self.range[1] - self.range[0]) * (i as f64 / last)
        }
    }

    /// Coordinates of all nodes.
    pub fn values(&self) -> Vec<f64> {
        (0..self.points).map(|i| self.value(i)).collect()
    }
}

/// Refuses axes that do not fit the crystal.
pub(super) fn check(crystal: &Crystal, axes: &[Axis]) -> Result<(), AxisError> {
    if axes.is_empty() {
        return Err(AxisError::None);
    }
    for (i, axis) in axes.iter().enumerate() {
        if !axis.dof.is_free(crystal) {
            let orbit = crystal.orbits.get(axis.dof.orbit).map_or("?", |o| o.name.as_str());
            let coordinate = COORDINATES.get(axis.dof.coordinate).copied().unwrap_or('?');
            return Err(AxisError::NotFree {
                dof: format!("{orbit}.{coordinate}"),
                crystal: crystal.name.clone(),
                free: crystal.free_coordinates(),
            });
        }
        if axes[..i].iter().any(|other| other.dof == axis.dof) {
            return Err(AxisError::Twice(axis.dof.name(crystal)));
        }
        let length = axis.range[1] - axis.range[0];
        if !(length > 0.0 && length < 1.0 + 1e-12) {
            return Err(AxisError::Range(axis.range[0], axis.range[1]));
        }
        if axis.points < if axis.is_periodic() { 1 } else { 2 } {
            return Err(AxisError::Points(axis.points));
        }
    }
    Ok(())
}
