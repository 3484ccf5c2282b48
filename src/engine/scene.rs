//! A landscape prepared for one potential: which atoms are evaluated, and which bonds can matter.

use std::sync::Arc;

use nalgebra::Matrix3;

use super::PointResult;
use super::bond::{self, Domain, Pair, Search};
use super::network::Network;
use super::site::{self, Site};
use crate::landscape::{DistanceCost, Embedding, Landscape, Point, RadiiError};
use crate::potential::{ModelError, Potential};

/// A landscape prepared for one potential, in the primitive cell.
#[derive(Debug)]
pub struct Scene {
    /// What it was made from.
    pub landscape: Arc<Landscape>,
    /// Evaluated atoms.
    pub sites: Vec<Site>,
    /// Atoms of the primitive cell.
    pub atom_count: usize,
    /// For each atom of the primitive cell, the Cartesian rotation that takes its site's atom to it.
    pub rotations: Vec<Matrix3<f64>>,
    /// All pairs of sites that come within the cutoff somewhere, by site.
    pub pairs: Vec<Pair>,
    /// Bonds and angles, for potentials that know angles.
    pub network: Option<Network>,
    /// Distance cost of every point.
    pub separation: DistanceCost,
    /// Cutoff of the potential in Angstrom.
    pub cutoff: f64,
}

/// Why a landscape cannot be prepared for a potential.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The model does not know an element.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An element has no radius.
    #[error(transparent)]
    Radii(#[from] RadiiError),
    /// The operations do not map the atoms onto one another.
    #[error("{0}: the operations of its space group do not permute its atoms; please report this structure")]
    Symmetry(String),
}

impl Scene {
    /// Prepares a landscape for a potential.
    pub fn new(landscape: Arc<Landscape>, potential: &Potential) -> Result<Scene, SceneError> {
        Scene::build(landscape, potential, true)
    }

    /// As [`Scene::new`], but sites carry all components of their features and all of their bonds, as if no operation
    /// left them in place: slower, with the same energies to rounding.
    pub fn without_site_symmetry(
        landscape: Arc<Landscape>,
        potential: &Potential,
    ) -> Result<Scene, SceneError> {
        Scene::build(landscape, potential, false)
    }

    fn build(
        landscape: Arc<Landscape>,
        potential: &Potential,
        site_symmetry: bool,
    ) -> Result<Scene, SceneError> {
        let crystal = &landscape.crystal;
        potential.check_elements(crystal.orbits.iter().map(|o| o.element))?;
        let separation = DistanceCost::new(crystal, &landscape.axes, &landscape.thresholds)?;
        let embedding = Embedding::primitive(crystal, &landscape.axes);
        let contradiction = || SceneError::Symmetry(crystal.name.clone());
        let maps = site::atom_maps(crystal, &embedding, potential.invariance()).ok_or_else(contradiction)?;
        let mut sites = site::sites(&embedding, &maps).ok_or_else(contradiction)?;
        if !site_symmetry {
            sites.forget_stabilisers(&maps);
        }
        let rotation = |atom: usize| {
            site::cartesian(&embedding.lattice, &maps[sites.map_to[atom]].rotation).ok_or_else(contradiction)
        };
        let rotations = (0..embedding.atoms.len()).map(rotation).collect::<Result<Vec<_>, _>>()?;
        let centre = landscape.axes.iter().map(|a| 0.5 * (a.range[0] + a.range[1])).collect();
        let half_width = landscape.axes.iter().map(|a| 0.5 * (a.range[1] - a.range[0])).collect();
        let domain = Domain { centre, half_width };
        let cutoff = potential.cutoff();
        let search = Search { embedding: &embedding, sites: &sites, maps: &maps, domain: &domain, cutoff };
        let neighbours = bond::neighbours(&search);
        let pairs = bond::pairs(&neighbours);
        let network =
            potential.angle_cutoff().map(|angle_cutoff| Network::new(&search, neighbours, angle_cutoff));
        Ok(Scene {
            sites: sites.sites,
            atom_count: embedding.atoms.len(),
            rotations,
            pairs,
            network,
            separation,
            cutoff,
            landscape,
        })
    }

    /// Axis values of a point.
    pub fn axis_values(&self, point: Point) -> Vec<f64> {
        let landscape = &self.landscape;
        let value = |a: usize| landscape.axes[a].value(landscape.grid.coordinate(point, a));
        (0..landscape.axes.len()).map(value).collect()
    }

    /// What is reported of a point of which a potential gives an energy per atom, eV.
    pub fn result(&self, point: Point, energy: f64) -> PointResult {
        PointResult::new(energy, self.separation.at(&self.axis_values(point)))
    }
}
