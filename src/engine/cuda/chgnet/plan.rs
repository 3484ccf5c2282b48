//! A scene's network as arrays for kernels: every bond and angle that may be short enough somewhere.

use super::atoms::AtomPlan;
use super::shape::{ChgnetShape, MostRows};
use crate::engine::cpu::Real;
use crate::engine::cpu::chgnet::weights::Weights;
use crate::engine::cuda::layout::{AngleCandidate, BondCandidate};
use crate::engine::{EngineError, Network, Scene};

/// Boxes along an axis in which rows are counted, by the number of axes.
const BOXES: [usize; 4] = [1, 64, 16, 6];

/// A scene in terms of a model.
#[derive(Debug)]
pub struct ChgnetPlan {
    /// Lengths of everything.
    pub shape: ChgnetShape,
    /// Positions, distances and energies.
    pub atoms: AtomPlan,
    /// Place of each site's element among those of the model.
    pub elements: Vec<i32>,
    /// Of each bond without direction, a directed one.
    pub bonds: Vec<i32>,
    /// Site by site.
    pub directed: Vec<BondCandidate>,
    /// By bond without direction, the first leg.
    pub angles: Vec<AngleCandidate>,
    /// Where those of each bond begin, and the end.
    pub first_angles: Vec<i32>,
    /// `[directed bond][1 + axes][3]`: vectors at axis values 0 and their changes, Angstrom.
    pub vectors: Vec<f64>,
    /// The same of the second legs of angles.
    pub legs: Vec<f64>,
}

impl ChgnetPlan {
    /// Plans a scene for a model; fails if the scene has no bonds and angles, or an element is missing.
    pub(in crate::engine) fn new<T: Real>(
        scene: &Scene,
        weights: &Weights<T>,
    ) -> Result<ChgnetPlan, EngineError> {
        let sites = weights.sites(scene)?;
        let network = scene.network.as_ref().ok_or(EngineError::Scene)?;
        let form = |base: &nalgebra::Vector3<f64>, slopes: &[nalgebra::Vector3<f64>]| {
            let all = std::iter::once(base).chain(slopes);
            all.flat_map(|v| v.iter().copied()).collect::<Vec<f64>>()
        };
        let directed = network.bonds.iter().zip(&network.undirected_of).map(|(bond, u)| BondCandidate {
            bond: *u as i32,
            receiver: bond.receiver as i32,
            sender: bond.sender_site as i32,
            weight: bond.weight as f32,
        });
        let energies = sites.iter().map(|site| (site.share, weights.elements[site.element].energy));
        let atoms = AtomPlan::new(scene, energies);
        Ok(ChgnetPlan {
            shape: ChgnetShape {
                atoms: atoms.shape.clone(),
                bonds: network.undirected.len(),
                directed: network.bonds.len(),
                angles: network.angles.len(),
                most: most_rows(scene, network, weights),
            },
            atoms,
            elements: sites.iter().map(|site| site.element as i32).collect(),
            bonds: network.undirected.iter().map(|bond| *bond as i32).collect(),
            directed: directed.collect(),
            angles: angles(network).collect(),
            first_angles: network.first_angle.iter().map(|angle| *angle as i32).collect(),
            vectors: network.bonds.iter().flat_map(|b| form(&b.base, &b.slopes)).collect(),
            legs: network.legs.iter().flat_map(|leg| form(&leg.base, &leg.slopes)).collect(),
        })
    }
}

fn angles(network: &Network) -> impl Iterator<Item = AngleCandidate> {
    network.angles.iter().map(|angle| AngleCandidate {
        other: network.undirected_of[network.legs[angle.leg].bond] as i32,
        directed: angle.bond as i32,
        leg: angle.leg as i32,
        centre: network.bonds[angle.bond].receiver as i32,
        weight: angle.weight as f32,
    })
}

/// Bounds of the rows of a point: the most of all boxes into which the ranges of the axes are cut. At least one of
/// each, so that buffers have a row.
fn most_rows<T: Real>(scene: &Scene, network: &Network, weights: &Weights<T>) -> MostRows {
    let axes = &scene.landscape.axes;
    let boxes = BOXES.get(axes.len()).copied().unwrap_or(2);
    // A hair wider, so that rounding leaves none out.
    let half = |a: &crate::landscape::Axis| 0.5 * (a.range[1] - a.range[0]) / boxes as f64 + 1e-9;
    let half_width: Vec<f64> = axes.iter().map(half).collect();
    let mut most = MostRows { short: 1, bonds: 1, directed: 1, short_directed: 1, angles: 1 };
    for number in 0..boxes.pow(axes.len() as u32) {
        let place = |k: usize| (number / boxes.pow(k as u32) % boxes) as f64 + 0.5;
        let centre = |(k, axis): (usize, &crate::landscape::Axis)| {
            axis.range[0] + (axis.range[1] - axis.range[0]) * place(k) / boxes as f64
        };
        let centre: Vec<f64> = axes.iter().enumerate().map(centre).collect();
        let shortest = |bond: &usize| network.bonds[*bond].shortest_within(&centre, &half_width);
        let shortest: Vec<f64> = network.undirected.iter().map(shortest).collect();
        let count = |bonds: &mut dyn Iterator<Item = usize>, cutoff: f64| {
            bonds.filter(|u| shortest[*u] < cutoff).count()
        };
        let (all, directed) = (|| 0..shortest.len(), || network.undirected_of.iter().copied());
        let is_short = |bond: usize| shortest[network.undirected_of[bond]] < weights.angle_cutoff;
        let angles = network.angles.iter();
        let angles = angles.filter(|a| is_short(a.bond) && is_short(network.legs[a.leg].bond)).count();
        most = MostRows {
            short: most.short.max(count(&mut all(), weights.angle_cutoff)),
            bonds: most.bonds.max(count(&mut all(), weights.cutoff)),
            directed: most.directed.max(count(&mut directed(), weights.cutoff)),
            short_directed: most.short_directed.max(count(&mut directed(), weights.angle_cutoff)),
            angles: most.angles.max(angles),
        };
    }
    most
}
