//! Bonds as a network: which directed bonds are the two ways of one undirected bond, and which angles a bond makes with
//! the others of its site, merged by symmetry.
//!
//! Everything is decided on labels, once for all points of a grid: features of atoms, bonds and angles are scalars, so
//! that those of equivalent ones are equal.

use nalgebra::Vector3;

use super::bond::{Bond, Label, Neighbours, Search};

/// Bonds and angles of a scene.
#[derive(Debug)]
pub struct Network {
    /// Directed bonds into the sites, site by site; each stands for `weight` of them.
    pub bonds: Vec<Bond>,
    /// The undirected bond of each, an index into `undirected`.
    pub undirected_of: Vec<usize>,
    /// Undirected bonds: for each, one of its directed bonds, which has its length.
    pub undirected: Vec<usize>,
    /// Neighbours that come nearer than the angle cutoff somewhere.
    pub legs: Vec<Leg>,
    /// All angles that both legs can make, by undirected bond.
    pub angles: Vec<Angle>,
    /// Where the angles of each undirected bond begin in `angles`, and the end.
    pub first_angle: Vec<usize>,
}

/// A neighbour as the second leg of angles.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The directed bond that stands for it.
    pub bond: usize,
    /// Vector from the neighbour to the site at axis values 0, Cartesian, Angstrom.
    pub base: Vector3<f64>,
    /// Its change with each axis value.
    pub slopes: Vec<Vector3<f64>>,
}

/// An ordered pair of bonds into one site: the angle of the first with the second.
#[derive(Clone, Copy, Debug)]
pub struct Angle {
    /// The directed bond that is the first leg.
    pub bond: usize,
    /// The second leg.
    pub leg: usize,
    /// How many angles of the undirected bond it stands for, at both of its ends.
    pub weight: f64,
}

impl Leg {
    /// Vector from the neighbour to the site at the axis values `s`, Angstrom.
    pub fn at(&self, s: &[f64]) -> Vector3<f64> {
        self.slopes.iter().zip(s).fold(self.base, |v, (slope, value)| v + slope * *value)
    }
}

impl Network {
    /// Finds all angles whose legs become shorter than the angle cutoff somewhere in the domain.
    pub(super) fn new(search: &Search, neighbours: Neighbours, angle_cutoff: f64) -> Network {
        let (undirected_of, undirected) = undirected(&neighbours.reverse);
        let mut network = Network {
            bonds: Vec::new(),
            undirected_of,
            legs: Vec::new(),
            angles: Vec::new(),
            first_angle: vec![0],
            undirected,
        };
        let domain = search.domain;
        let is_short = |b: &Bond| b.shortest_within(&domain.centre, &domain.half_width) < angle_cutoff;
        let short: Vec<bool> = neighbours.bonds.iter().map(is_short).collect();
        let legs = network.find_legs(search, &neighbours, &short);
        let find = Find { search, neighbours: &neighbours, legs: &legs, reach: 2.0 * angle_cutoff };
        for first in network.undirected.iter().copied() {
            if short[first] {
                // The two ends of the bond; one for both if they are equivalent.
                match neighbours.reverse[first].filter(|reverse| *reverse != first) {
                    Some(reverse) => {
                        find.angles(first, 1.0, &mut network.angles);
                        find.angles(reverse, 1.0, &mut network.angles);
                    }
                    None => find.angles(first, 2.0, &mut network.angles),
                }
            }
            network.first_angle.push(network.angles.len());
        }
        network.bonds = neighbours.bonds;
        network
    }

    /// Collects the short neighbours; returns them by site, with their labels, in order.
    fn find_legs(
        &mut self,
        search: &Search,
        neighbours: &Neighbours,
        short: &[bool],
    ) -> Vec<Vec<(Label, usize)>> {
        let mut by_site = Vec::new();
        for (site, bond_of) in neighbours.bond_of.iter().enumerate() {
            let mut labels: Vec<(Label, usize)> =
                bond_of.iter().filter(|(_, bond)| short[**bond]).map(|(l, b)| (*l, *b)).collect();
            labels.sort_unstable();
            let mut legs = Vec::new();
            for (label, bond) in labels {
                let Bond { base, slopes, .. } = search.bond(site, &label, 1);
                legs.push((label, self.legs.len()));
                self.legs.push(Leg { bond, base, slopes });
            }
            by_site.push(legs);
        }
        by_site
    }
}

/// The undirected bond of each directed one, and a directed one of each undirected one.
///
/// The reverse of a reverse is equivalent to the bond itself, but perhaps, where site symmetry is not used, not the same: then
/// more than two are the same undirected bond, and the first two stand for it.
fn undirected(reverse: &[Option<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut undirected_of = vec![usize::MAX; reverse.len()];
    let mut undirected = Vec::new();
    for start in 0..reverse.len() {
        // Along the reverses until a bond is known.
        let mut chain = vec![start];
        let mut known = undirected_of[start];
        while let (usize::MAX, Some(next)) = (known, reverse[chain[chain.len() - 1]]) {
            if chain.contains(&next) {
                break;
            }
            known = undirected_of[next];
            chain.push(next);
        }
        if known == usize::MAX {
            known = undirected.len();
            undirected.push(start);
        }
        chain.into_iter().for_each(|bond| undirected_of[bond] = known);
    }
    (undirected_of, undirected)
}

/// What angles are looked for in.
struct Find<'a> {
    search: &'a Search<'a>,
    neighbours: &'a Neighbours,
    /// By site.
    legs: &'a [Vec<(Label, usize)>],
    /// Neighbours farther apart than this are never both short.
    reach: f64,
}

impl Find<'_> {
    /// All angles of a directed bond, merged by what leaves the bond in place.
    fn angles(&self, bond: usize, factor: f64, angles: &mut Vec<Angle>) {
        let (search, own) = (self.search, &self.neighbours.labels[bond]);
        let site = self.neighbours.bonds[bond].receiver;
        let stabiliser: Vec<usize> = search.sites.stabilisers[site]
            .iter()
            .copied()
            .filter(|g| search.image(site, own, *g) == *own)
            .collect();
        let mut known: std::collections::HashSet<Label> = std::collections::HashSet::new();
        for (label, leg) in &self.legs[site] {
            if label == own || known.contains(label) || !self.meet(site, own, label) {
                continue;
            }
            let orbit = search.orbit(site, label, &stabiliser);
            angles.push(Angle { bond, leg: *leg, weight: factor * orbit.len() as f64 });
            known.extend(orbit);
        }
    }

    /// Whether two neighbours of a site can both be short at one point.
    fn meet(&self, site: usize, a: &Label, b: &Label) -> bool {
        let (domain, mut between) = (self.search.domain, self.search.bond(site, a, 1));
        let other = self.search.bond(site, b, 1);
        between.base -= other.base;
        between.slopes.iter_mut().zip(&other.slopes).for_each(|(slope, o)| *slope -= o);
        between.shortest_within(&domain.centre, &domain.half_width) < self.reach
    }
}
