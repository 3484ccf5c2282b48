//! The arrays of one surface, as they are being filled.
//!
//! Results of a tile spread over the grid by symmetry. They are gathered in memory, and whole bands of neighbouring
//! rows are written at once, since many small writes would cost more than computing does.

use std::ops::Range;

use hdf5::{Dataset, Group, H5Type, Hyperslab, SliceOrIndex};
use ndarray::ArrayView;

use super::schema;
use crate::engine::PointResult;
use crate::work::SurfaceWork;

/// An array over a grid, in memory and in the file.
struct GridArray<T> {
    dataset: Dataset,
    values: Vec<T>,
}

impl<T: H5Type + Copy> GridArray<T> {
    fn open(group: &Group, name: &str) -> hdf5::Result<GridArray<T>> {
        let dataset = group.dataset(name)?;
        let values = dataset.read_raw()?;
        Ok(GridArray { dataset, values })
    }

    /// Writes bands of rows.
    fn write(&self, bands: &[Range<usize>]) -> hdf5::Result<()> {
        let shape = self.dataset.shape();
        let row: usize = shape[1..].iter().product();
        for band in bands {
            let mut slices = vec![SliceOrIndex::from(band.clone())];
            slices.extend(shape[1..].iter().map(|n| SliceOrIndex::from(0..*n)));
            let mut band_shape = shape.clone();
            band_shape[0] = band.len();
            let values = &self.values[band.start * row..band.end * row];
            let view = ArrayView::from_shape(band_shape, values).map_err(|e| e.to_string())?;
            self.dataset.write_slice(view, Hyperslab::from(slices))?;
        }
        Ok(())
    }
}

/// Distances of a landscape, which all its surfaces share.
pub(super) struct Distances {
    cost: GridArray<f64>,
    minimum: GridArray<f64>,
}

impl Distances {
    pub(super) fn open(landscape: &Group) -> hdf5::Result<Distances> {
        Ok(Distances {
            cost: GridArray::open(landscape, schema::DISTANCE_COST.name)?,
            minimum: GridArray::open(landscape, schema::MINIMUM_DISTANCE.name)?,
        })
    }
}

/// One surface.
pub(super) struct SurfaceArrays {
    energy: GridArray<f64>,
    status: GridArray<u8>,
    tile_state: Dataset,
    tile_seconds: Dataset,
    /// Nodes ordered by their representative, and where each representative's nodes begin.
    nodes: Vec<u32>,
    starts: Vec<u32>,
}

impl SurfaceArrays {
    pub(super) fn open(group: &Group, work: &SurfaceWork) -> hdf5::Result<SurfaceArrays> {
        let (nodes, starts) = by_representative(&work.irreducible.representative);
        Ok(SurfaceArrays {
            energy: GridArray::open(group, schema::ENERGY.name)?,
            status: GridArray::open(group, schema::STATUS.name)?,
            tile_state: group.dataset(schema::TILE_STATE.name)?,
            tile_seconds: group.dataset(schema::TILE_SECONDS.name)?,
            nodes,
            starts,
        })
    }

    /// Stores a tile: its values first, its state last.
    pub(super) fn write(
        &mut self,
        distances: &mut Distances,
        work: &SurfaceWork,
        tile: usize,
        (results, seconds): (&[PointResult], f64),
    ) -> hdf5::Result<()> {
        let row: usize = self.energy.dataset.shape()[1..].iter().product();
        let mut rows: Vec<usize> = Vec::new();
        for (point, result) in work.tiles[tile].points.iter().zip(results) {
            let images = self.starts[point.index()] as usize..self.starts[point.index() + 1] as usize;
            for node in self.nodes[images].iter().map(|n| *n as usize) {
                self.energy.values[node] = result.energy;
                self.status.values[node] = result.status as u8;
                distances.cost.values[node] = result.distance_cost;
                distances.minimum.values[node] = result.minimum_distance;
                rows.push(node / row);
            }
        }
        let bands = bands(rows);
        distances.cost.write(&bands)?;
        distances.minimum.write(&bands)?;
        self.energy.write(&bands)?;
        self.status.write(&bands)?;
        self.tile_seconds.write_slice(&[seconds], tile..tile + 1)?;
        self.tile_state.write_slice(&[schema::TILE_DONE], tile..tile + 1)
    }
}

/// Nodes in the order of their representatives (a counting sort), and the offsets of each.
fn by_representative(representative: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; representative.len() + 1];
    representative.iter().for_each(|r| starts[*r as usize + 1] += 1);
    for i in 0..representative.len() {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut nodes = vec![0; representative.len()];
    for (node, r) in representative.iter().enumerate() {
        nodes[next[*r as usize] as usize] = node as u32;
        next[*r as usize] += 1;
    }
    (nodes, starts)
}

/// Runs of neighbouring rows.
fn bands(mut rows: Vec<usize>) -> Vec<Range<usize>> {
    rows.sort_unstable();
    rows.dedup();
    let mut bands: Vec<Range<usize>> = Vec::new();
    for row in rows {
        match bands.last_mut().filter(|b| b.end == row) {
            Some(band) => band.end += 1,
            None => bands.push(row..row + 1),
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_grouped_by_representative() {
        let (nodes, starts) = by_representative(&[0, 1, 0, 1, 4]);
        assert_eq!(nodes, [0, 2, 1, 3, 4]);
        assert_eq!(starts, [0, 2, 4, 4, 4, 5]);
    }

    #[test]
    fn rows_join_into_bands() {
        assert_eq!(bands(vec![3, 1, 2, 7, 7]), [1..4, 7..8]);
    }
}
