//! Parts of the bench `gpu`.
//!
//! ```text
//! checks     the CUDA engine against the CPU engine and against itself
//! rates      points a second
//! engines    the CUDA engine of a model, whatever its family
//! kernels    time and counted work of kernels
//! ceilings   what the GPU can do at most, measured with two plain kernels
//! program    s2dpes from its command to the file
//! output     lines of JSON -> report
//! ```

pub mod ceilings;
pub mod checks;
pub mod engines;
pub mod kernels;
pub mod output;
pub mod program;
pub mod rates;

use std::path::Path;
use std::sync::Arc;

use s2dpes::crystal::read_structure;
use s2dpes::engine::Scene;
use s2dpes::engine::cuda::CudaReal;
use s2dpes::landscape::{Axis, Dof, Equivalence, Landscape, Point, Relation, Thresholds, tiles};
use s2dpes::potential::{Invariance, Potential};
use s2dpes::symmetry::Crystal;

/// Nodes of a tile, as campaigns have them by default.
const TILE: usize = 1024;

/// What goes wrong.
pub type Failure = Box<dyn std::error::Error>;

/// A landscape, and its points in the order in which a campaign evaluates them.
pub struct Landscapes {
    /// Structure and axes.
    pub name: String,
    /// For a model.
    pub scene: Arc<Scene>,
    /// All points.
    pub every: Vec<Point>,
    /// Those that differ.
    pub irreducible: Vec<Point>,
}

impl Landscapes {
    /// From `STRUCTURE:AXIS,AXIS`.
    pub fn parse(text: &str, points: usize, potential: &Potential) -> Result<Landscapes, Failure> {
        let (path, dofs) = split(text)?;
        let crystal = Arc::new(Crystal::new(&read_structure(Path::new(path))?, 0.01)?);
        let axis = |dof: &&str| {
            Ok::<_, Failure>(Axis { dof: Dof::parse(dof, &crystal)?, range: [0.0, 1.0], points })
        };
        let axes = dofs.iter().map(axis).collect::<Result<_, _>>()?;
        let landscape = Arc::new(Landscape::new(crystal.clone(), axes, Thresholds::default())?);
        let proper_only = potential.invariance() == Invariance::Proper;
        let ordered = |relation| {
            let irreducible = landscape.irreducible(Equivalence { relation, proper_only });
            tiles(&landscape.grid, &irreducible, TILE).into_iter().flat_map(|t| t.points).collect()
        };
        Ok(Landscapes {
            name: format!("{} {}", file_name(path), dofs.join(",")),
            every: ordered(None),
            irreducible: ordered(Some(Relation::Rotated)),
            scene: Arc::new(Scene::new(landscape, potential)?),
        })
    }
}

/// Path and axes of `STRUCTURE:AXIS,AXIS`.
pub fn split(text: &str) -> Result<(&str, Vec<&str>), Failure> {
    let (path, axes) = text.rsplit_once(':').ok_or("write a landscape as STRUCTURE:AXIS,AXIS")?;
    Ok((path, axes.split(',').collect()))
}

/// What a path ends with.
pub fn file_name(path: &str) -> String {
    Path::new(path).file_stem().map_or(path.into(), |name| name.to_string_lossy().into_owned())
}

/// At most so many points, evenly spread over all.
pub fn spread(points: &[Point], count: usize) -> Vec<Point> {
    points.iter().copied().step_by(points.len().div_ceil(count.max(1)).max(1)).collect()
}

/// `float32` or `float64`.
pub fn precision<T: CudaReal>() -> &'static str {
    if T::DOUBLE { "float64" } else { "float32" }
}

/// The middle one; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
