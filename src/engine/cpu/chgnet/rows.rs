//! Points -> rows: the bonds and angles that are short enough, point by point below one another.
//!
//! Which rows a point has, and in which order, depends on the point alone.

use super::weights::Weights;
use crate::engine::cpu::Real;
use crate::engine::cpu::table::Place;
use crate::engine::{Network, Scene};
use crate::landscape::Point;
use crate::potential::chgnet::Fourier;

/// A directed bond into a site.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct BondRow {
    /// Rows of the two sites and of the undirected bond.
    pub(in crate::engine) centre: usize,
    pub(in crate::engine) neighbour: usize,
    pub(in crate::engine) bond: usize,
    pub(in crate::engine) weight: f64,
}

/// An angle.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct AngleRow {
    /// Rows of the undirected bonds and of the site.
    pub(in crate::engine) bond: usize,
    pub(in crate::engine) other: usize,
    pub(in crate::engine) centre: usize,
    pub(in crate::engine) weight: f64,
}

/// The rows of some points.
pub(in crate::engine) struct Rows<T> {
    /// Sites of a point.
    pub(in crate::engine) sites: usize,
    /// How many undirected bonds, the first ones, are shorter than the angle cutoff.
    pub(in crate::engine) short: usize,
    /// By undirected bond: its place in the tables over the cutoff.
    pub(in crate::engine) places: Vec<Place<T>>,
    /// By long undirected bond: its place in the tables of the first messages.
    pub(in crate::engine) first_places: Vec<Place<T>>,
    /// By short undirected bond: its place in the table over the angle cutoff.
    pub(in crate::engine) short_places: Vec<Place<T>>,
    /// By centre.
    pub(in crate::engine) bonds: Vec<BondRow>,
    /// Those of them that are short.
    pub(in crate::engine) short_bonds: Vec<BondRow>,
    /// By bond.
    pub(in crate::engine) angles: Vec<AngleRow>,
    /// By angle: its place in the table over the angle.
    pub(in crate::engine) angle_places: Vec<Place<T>>,
    /// Of the point at hand, by undirected bond of the network: its length.
    lengths: Vec<f64>,
    /// By point and undirected bond of the network: its row.
    pub(in crate::engine) rows: Vec<usize>,
}

/// Not among the rows.
const NONE: usize = usize::MAX;

impl<T: Real> Rows<T> {
    pub(in crate::engine) fn new() -> Rows<T> {
        Rows {
            sites: 0,
            short: 0,
            places: Vec::new(),
            first_places: Vec::new(),
            short_places: Vec::new(),
            bonds: Vec::new(),
            short_bonds: Vec::new(),
            angles: Vec::new(),
            angle_places: Vec::new(),
            lengths: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Finds the rows of some points.
    pub(in crate::engine) fn find(&mut self, scene: &Scene, weights: &Weights<T>, points: &[Point]) {
        self.sites = scene.sites.len();
        self.places.clear();
        self.first_places.clear();
        self.short_places.clear();
        self.bonds.clear();
        self.short_bonds.clear();
        self.angles.clear();
        self.angle_places.clear();
        self.rows.clear();
        self.short = 0;
        // A scene that was made for a potential without angles has no bonds here.
        let Some(network) = &scene.network else { return };
        self.rows.resize(points.len() * network.undirected.len(), NONE);
        // Lengths are cheaper to find twice than to keep.
        for (p, point) in points.iter().enumerate() {
            self.measure(network, &scene.axis_values(*point));
            self.add_short(network, weights, p);
            self.add_angles(network, weights, (p, &scene.axis_values(*point)));
        }
        self.short = self.places.len();
        for (p, point) in points.iter().enumerate() {
            self.measure(network, &scene.axis_values(*point));
            self.add_long(network, weights, p);
            self.add_bonds(network, p);
        }
    }

    fn measure(&mut self, network: &Network, s: &[f64]) {
        self.lengths.clear();
        self.lengths.extend(network.undirected.iter().map(|bond| network.bonds[*bond].at(s).norm()));
    }

    /// Rows of a point's undirected bonds.
    fn rows_of(&mut self, network: &Network, point: usize) -> &mut [usize] {
        let count = network.undirected.len();
        &mut self.rows[point * count..(point + 1) * count]
    }

    fn add_short(&mut self, network: &Network, weights: &Weights<T>, point: usize) {
        for u in 0..self.lengths.len() {
            let r = self.lengths[u];
            if r < weights.angle_cutoff {
                let row = self.places.len();
                self.rows_of(network, point)[u] = row;
                self.places.push(weights.bond_table.place(r));
                self.short_places.push(weights.short_table.place(r));
            }
        }
    }

    fn add_long(&mut self, network: &Network, weights: &Weights<T>, point: usize) {
        for u in 0..self.lengths.len() {
            let r = self.lengths[u];
            if r >= weights.angle_cutoff && r < weights.cutoff {
                let row = self.places.len();
                self.rows_of(network, point)[u] = row;
                self.places.push(weights.bond_table.place(r));
                let beyond = r - weights.angle_cutoff;
                self.first_places.extend(weights.elements.first().map(|e| e.messages[0].place(beyond)));
            }
        }
    }

    fn add_bonds(&mut self, network: &Network, point: usize) {
        let first = point * self.sites;
        for (bond, u) in network.bonds.iter().zip(&network.undirected_of) {
            let row = self.rows_of(network, point)[*u];
            if row != NONE {
                let (centre, neighbour) = (first + bond.receiver, first + bond.sender_site);
                let bond = BondRow { centre, neighbour, bond: row, weight: bond.weight };
                self.bonds.push(bond);
                if row < self.short {
                    self.short_bonds.push(bond);
                }
            }
        }
    }

    fn add_angles(&mut self, network: &Network, weights: &Weights<T>, (point, s): (usize, &[f64])) {
        for u in 0..network.undirected.len() {
            let bond = self.rows_of(network, point)[u];
            if bond == NONE {
                continue;
            }
            for angle in &network.angles[network.first_angle[u]..network.first_angle[u + 1]] {
                let leg = &network.legs[angle.leg];
                let v = network.undirected_of[leg.bond];
                let other = self.rows_of(network, point)[v];
                if other == NONE {
                    continue;
                }
                let first = &network.bonds[angle.bond];
                let cosine = first.at(s).dot(&leg.at(s)) / (self.lengths[u] * self.lengths[v]);
                let centre = point * self.sites + first.receiver;
                self.angles.push(AngleRow { bond, other, centre, weight: angle.weight });
                self.angle_places.push(weights.angle_table.place(Fourier::angle(cosine)));
            }
        }
    }
}
