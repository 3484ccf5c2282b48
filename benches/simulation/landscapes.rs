//! Landscapes of the campaign set, as the rule of a campaign file lays them out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2dpes::crystal::read_structure;
use s2dpes::landscape::{Axis, Dof, Landscape, Thresholds};
use s2dpes::symmetry::Crystal;

/// The structure files of the campaign set, sorted.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/campaign/structures");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|f| f.path()).collect();
    files.sort();
    files
}

/// The structure of the large landscape.
pub fn large() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/structures/W2N3_chgnet.extxyz")
}

/// The first two free coordinates of the first orbit that has two; if there is none, of the crystal. Nothing if the
/// crystal has fewer or a radius is missing.
pub fn landscape(file: &Path, points: usize) -> Option<Arc<Landscape>> {
    let structure = read_structure(file).ok()?;
    let crystal = Arc::new(Crystal::new(&structure, 0.01).ok()?);
    let free = Dof::all(&crystal);
    let of_orbit = |orbit: usize| free.iter().copied().filter(|d| d.orbit == orbit).collect::<Vec<_>>();
    let orbit = (0..crystal.orbits.len()).find(|o| of_orbit(*o).len() >= 2);
    let dofs = orbit.map_or_else(|| free.clone(), of_orbit);
    let axis = |dof: &Dof| Axis { dof: *dof, range: [0.0, 1.0], points };
    let axes: Vec<Axis> = dofs.iter().take(2).map(axis).collect();
    (axes.len() == 2)
        .then(|| Landscape::new(crystal, axes, Thresholds::default()).ok())
        .flatten()
        .map(Arc::new)
}

/// Name of a structure: that of its file.
pub fn name(file: &Path) -> String {
    file.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned())
}
