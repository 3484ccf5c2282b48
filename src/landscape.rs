//! [`Crystal`] -> [`Landscape`]: what varies, over which grid, and which points of it differ.

mod axis;
mod distance_cost;
mod embedding;
mod grid;
mod irreducible;
mod plane_map;
mod radii;
mod tile;

use std::sync::Arc;

pub use axis::{Axis, AxisError, Dof};
pub use distance_cost::{DistanceCost, Separation, TooClose, structure_separation};
pub use embedding::{EmbeddedAtom, Embedding};
pub use grid::{Grid, Point};
pub use irreducible::{Equivalence, Irreducible};
pub use plane_map::{GridMap, Relation};
pub use radii::{Cap, DEFAULT_SCALE, RadiiError, Thresholds, pair_name};
pub use tile::{Tile, tiles};

use serde::{Deserialize, Serialize};

use crate::crystal::Element;
use crate::symmetry::Crystal;

/// A crystal and the axes along which it is varied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Landscape {
    /// The crystal; its coordinates are those of the reference point.
    pub crystal: Arc<Crystal>,
    /// What varies, slowest axis first.
    pub axes: Vec<Axis>,
    /// The nodes.
    pub grid: Grid,
    /// Smallest distances that count as physical.
    pub thresholds: Thresholds,
    /// Exact symmetries of the grid.
    pub maps: Vec<GridMap>,
}

impl Landscape {
    /// Checks the axes against the crystal and finds the symmetry of the grid.
    pub fn new(
        crystal: Arc<Crystal>,
        axes: Vec<Axis>,
        thresholds: Thresholds,
    ) -> Result<Landscape, AxisError> {
        let grid = Grid::of(&crystal, &axes)?;
        let maps = plane_map::grid_maps(&crystal, &axes);
        Ok(Landscape { crystal, axes, grid, thresholds, maps })
    }

    /// A crystal without axes: one point, the structure itself.
    pub fn single_point(crystal: Arc<Crystal>, thresholds: Thresholds) -> Landscape {
        Landscape { crystal, axes: Vec::new(), grid: Grid::single_point(), thresholds, maps: Vec::new() }
    }

    /// Elements of its crystal, sorted, without repetition.
    pub fn elements(&self) -> Vec<Element> {
        let mut elements: Vec<Element> = self.crystal.orbits.iter().map(|o| o.element).collect();
        elements.sort();
        elements.dedup();
        elements
    }

    /// Coordinates of the reference structure on the axes.
    pub fn reference(&self) -> Vec<f64> {
        self.axes.iter().map(|a| self.crystal.orbits[a.dof.orbit].coordinates[a.dof.coordinate]).collect()
    }

    /// Points that have to be evaluated, given how points may be identified.
    pub fn irreducible(&self, equivalence: Equivalence) -> Irreducible {
        Irreducible::new(&self.axes, &self.grid, &self.maps, equivalence)
    }
}
