//! How large a result file will be, before it is made.

use hdf5::FileBuilder;

use super::create::{Header, fill};
use super::{RunRecord, StoreError};
use crate::landscape::{Axis, AxisError, Landscape};
use crate::work::{LandscapeWork, StructureWork, SurfaceWork, Work};

/// Structures whose descriptions are written to see how large they are; others count as the mean of these.
const WRITTEN: usize = 64;
/// Nodes along the axes of landscapes that are written for their descriptions only.
const FEW: usize = 2;
/// A file in memory grows by so many bytes.
const GRAIN: usize = 512;
/// Bytes of a node: two distances of each landscape; energy, status and irreducible index of each model.
const NODE: (usize, usize) = (8 + 8, 8 + 1 + 4);
/// Bytes of a tile: its number, state and seconds.
const TILE: usize = 4 + 1 + 8;

/// Bytes of the file that holds a campaign.
///
/// Arrays over grids and tiles are counted. All the rest does not depend on their sizes, so it is written, in memory, with
/// grids of few nodes.
pub fn expected_size(campaign: &str, work: &Work) -> Result<usize, StoreError> {
    let fail = |why: &dyn std::fmt::Display| {
        StoreError::new("size of the result file".as_ref(), format!("it cannot be foreseen ({why})"))
    };
    let step = work.structures.len().div_ceil(WRITTEN).max(1);
    let some: Vec<StructureWork> =
        work.structures.iter().step_by(step).map(small).collect::<Result<_, _>>().map_err(|e| fail(&e))?;
    let nothing = Work { structures: Vec::new(), skipped: work.skipped.clone() };
    let top = written(campaign, &nothing).map_err(|e| fail(&e))?;
    let count = some.len();
    let some = Work { structures: some, skipped: work.skipped.clone() };
    let described = written(campaign, &some).map_err(|e| fail(&e))?.saturating_sub(top + arrays(&some));
    Ok(top + described * work.structures.len() / count.max(1) + arrays(work))
}

/// Bytes of the arrays over grids and tiles.
fn arrays(work: &Work) -> usize {
    let of_surface = |surface: &SurfaceWork| surface.tiles.len() * TILE;
    let of_landscape = |work: &LandscapeWork| {
        let axes: usize = work.landscape.axes.iter().map(|axis| axis.points * size_of::<f64>()).sum();
        let nodes = work.landscape.grid.len() * (NODE.0 + NODE.1 * work.surfaces.len());
        axes + nodes + work.surfaces.iter().map(of_surface).sum::<usize>()
    };
    work.structures.iter().flat_map(|s| &s.landscapes).map(of_landscape).sum()
}

/// Bytes of a file in memory.
fn written(campaign: &str, work: &Work) -> hdf5::Result<usize> {
    hdf5::silence_errors(true);
    // It is never stored: the name only has to be one.
    let file =
        FileBuilder::new().with_fapl(|access| access.core_options(GRAIN, false)).create("in memory.h5")?;
    let run = RunRecord::default();
    let header = Header { campaign, source: "s2dpes", history: "", run: &run };
    fill(&file, &header, work)?;
    Ok(file.size() as usize)
}

/// The same structure with small grids.
fn small(structure: &StructureWork) -> Result<StructureWork, AxisError> {
    let of_landscape = |work: &LandscapeWork| {
        let large = &work.landscape;
        let axis = |axis: &Axis| Axis { points: axis.points.min(FEW), ..axis.clone() };
        let axes = large.axes.iter().map(axis).collect();
        let landscape = Landscape::new(large.crystal.clone(), axes, large.thresholds.clone())?;
        let of_surface = |surface: &SurfaceWork| {
            let relation = surface.equivalence.relation;
            SurfaceWork::new(&landscape, surface.model.clone(), relation, surface.points_per_tile)
        };
        let surfaces = work.surfaces.iter().map(of_surface).collect();
        Ok(LandscapeWork { name: work.name.clone(), surfaces, landscape: landscape.into() })
    };
    let landscapes = structure.landscapes.iter().map(of_landscape).collect::<Result<_, AxisError>>()?;
    Ok(StructureWork { landscapes, ..structure.clone() })
}
