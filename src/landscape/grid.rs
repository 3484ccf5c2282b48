//! The nodes of a landscape and their order.

use serde::{Deserialize, Serialize};

use super::axis::check;
use super::{Axis, AxisError};
use crate::symmetry::Crystal;

/// A node of a grid: its place in row-major order, the last axis fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point(pub u32);

impl Point {
    /// Place in arrays over the grid.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Shape of a landscape's grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    shape: Vec<usize>,
}

/// Largest number of nodes: 2^31 points are 16 GiB of energies a model.
const LIMIT: usize = 1 << 31;

impl Grid {
    /// The grid of axes that a crystal has.
    pub fn of(crystal: &Crystal, axes: &[Axis]) -> Result<Grid, AxisError> {
        check(crystal, axes)?;
        Self::new(axes)
    }

    fn new(axes: &[Axis]) -> Result<Grid, AxisError> {
        let shape: Vec<usize> = axes.iter().map(|a| a.points).collect();
        let points = shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
        if points.is_none_or(|n| n > LIMIT) {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(AxisError::TooLarge(sizes.join(" x "), LIMIT));
        }
        Ok(Grid { shape })
    }

    /// The grid of a crystal without axes.
    pub(super) fn single_point() -> Grid {
        Grid { shape: Vec::new() }
    }

    /// Nodes along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Never true: every axis has a node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes in order.
    pub fn points(&self) -> impl Iterator<Item = Point> + use<> {
        (0..self.len()).map(|i| Point(i as u32))
    }

    /// Place of a node along one axis.
    pub fn coordinate(&self, point: Point, axis: usize) -> usize {
        let stride: usize = self.shape[axis + 1..].iter().product();
        point.index() / stride % self.shape[axis]
    }

    /// The node at these places along the axes.
    pub fn point(&self, coordinates: &[usize]) -> Point {
        let index = coordinates.iter().zip(&self.shape).fold(0, |index, (i, n)| index * n + i);
        Point(index as u32)
    }
}
