//! Bonds into the sites, merged by symmetry: which neighbours a site can have at any point of a grid, which of them
//! are equivalent, and which bonds have the same length everywhere.

use std::collections::HashMap;

use nalgebra::{Matrix3, Vector3};

use super::site::{AtomMap, Sites};
use crate::landscape::Embedding;

/// A neighbour of a site that stands for all neighbours equivalent to it by the site's symmetry.
#[derive(Clone, Debug)]
pub struct Bond {
    /// Site that receives.
    pub receiver: usize,
    /// Atom of the primitive cell that sends.
    pub sender: usize,
    /// Site of the sender.
    pub sender_site: usize,
    /// How many neighbours it stands for.
    pub weight: f64,
    /// Vector from sender to receiver at axis values 0, Cartesian, Angstrom.
    pub base: Vector3<f64>,
    /// Its change with each axis value.
    pub slopes: Vec<Vector3<f64>>,
}

impl Bond {
    /// Vector from sender to receiver at the axis values `s`, Angstrom.
    pub fn at(&self, s: &[f64]) -> Vector3<f64> {
        self.slopes.iter().zip(s).fold(self.base, |v, (slope, value)| v + slope * *value)
    }

    /// A lower bound of the bond's length over a box of axis values given by its centre and half widths.
    pub fn shortest_within(&self, centre: &[f64], half_width: &[f64]) -> f64 {
        let reach: f64 = self.slopes.iter().zip(half_width).map(|(slope, w)| slope.norm() * w).sum();
        self.at(centre).norm() - reach
    }
}

/// Bonds of the same length at every point of the grid.
#[derive(Clone, Debug)]
pub struct Shell {
    /// In both directions between the pair's sites.
    pub bonds: Vec<Bond>,
}

/// Everything between two sites (or within one).
#[derive(Clone, Debug)]
pub struct Pair {
    /// The two sites, the smaller index first.
    pub sites: [usize; 2],
    /// Axes that change it.
    pub axes: Vec<usize>,
    /// Shells in a fixed order.
    pub shells: Vec<Shell>,
}

/// A neighbour as a label: atom j in cell T (integers).
pub(super) type Label = (usize, [i32; 3]);

fn label((atom, cell): (usize, Vector3<f64>)) -> Label {
    (atom, [cell.x as i32, cell.y as i32, cell.z as i32])
}

fn cell_of(label: &Label) -> (usize, Vector3<f64>) {
    (label.0, Vector3::from_fn(|i, _| f64::from(label.1[i])))
}

/// The box of axis values that a grid spans.
pub(super) struct Domain {
    pub(super) centre: Vec<f64>,
    pub(super) half_width: Vec<f64>,
}

/// Bonds into all sites, site by site, and where to find them.
pub(super) struct Neighbours {
    pub(super) bonds: Vec<Bond>,
    /// The label of each.
    pub(super) labels: Vec<Label>,
    /// By site: the bond that stands for a neighbour.
    pub(super) bond_of: Vec<HashMap<Label, usize>>,
    /// The bond that stands for each one's reverse; None if it is out of reach.
    pub(super) reverse: Vec<Option<usize>>,
}

/// Finds all bonds that become shorter than the cutoff somewhere in the domain.
pub(super) fn neighbours(search: &Search) -> Neighbours {
    let mut bonds: Vec<Bond> = Vec::new();
    let mut labels: Vec<Label> = Vec::new();
    let mut bond_of: Vec<HashMap<Label, usize>> = Vec::new();
    for site in 0..search.sites.sites.len() {
        let mut orbits = HashMap::new();
        for neighbour in search.neighbours(site) {
            if !orbits.contains_key(&neighbour) {
                let members = search.orbit(site, &neighbour, &search.sites.stabilisers[site]);
                members.iter().for_each(|m| {
                    orbits.insert(*m, bonds.len());
                });
                bonds.push(search.bond(site, &neighbour, members.len()));
                labels.push(neighbour);
            }
        }
        bond_of.push(orbits);
    }
    let reverse =
        bonds.iter().zip(&labels).map(|(bond, label)| search.reverse(bond, label, &bond_of)).collect();
    Neighbours { bonds, labels, bond_of, reverse }
}

/// Puts bonds and their reverses into shells, and shells into pairs.
pub(super) fn pairs(Neighbours { bonds, reverse, .. }: &Neighbours) -> Vec<Pair> {
    let mut shell_of = vec![usize::MAX; bonds.len()];
    let mut shells: Vec<Shell> = Vec::new();
    for (index, bond) in bonds.iter().enumerate() {
        let partner = reverse[index].map(|r| shell_of[r]).filter(|s| *s != usize::MAX);
        match partner {
            Some(shell) => {
                shells[shell].bonds.push(bond.clone());
                shell_of[index] = shell;
            }
            None => {
                shell_of[index] = shells.len();
                shells.push(Shell { bonds: vec![bond.clone()] });
            }
        }
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for shell in shells {
        let bond = &shell.bonds[0];
        let sites = [bond.receiver.min(bond.sender_site), bond.receiver.max(bond.sender_site)];
        match pairs.iter_mut().find(|p| p.sites == sites) {
            Some(pair) => pair.shells.push(shell),
            None => pairs.push(Pair { sites, axes: Vec::new(), shells: vec![shell] }),
        }
    }
    pairs.sort_by_key(|p| p.sites);
    for pair in &mut pairs {
        let bonds = || pair.shells.iter().flat_map(|s| &s.bonds);
        let axes = bonds().next().map_or(0, |b| b.slopes.len());
        pair.axes = (0..axes).filter(|a| bonds().any(|b| b.slopes[*a] != Vector3::zeros())).collect();
    }
    pairs
}

/// What bonds are looked for in.
pub(super) struct Search<'a> {
    pub(super) embedding: &'a Embedding,
    pub(super) sites: &'a Sites,
    pub(super) maps: &'a [AtomMap],
    pub(super) domain: &'a Domain,
    pub(super) cutoff: f64,
}

impl Search<'_> {
    /// Labels of all neighbours that may come within the cutoff of a site somewhere, in a fixed order.
    fn neighbours(&self, site: usize) -> Vec<Label> {
        let mut labels = Vec::new();
        let spacings = plane_spacings(&self.embedding.lattice);
        for sender in 0..self.embedding.atoms.len() {
            let probe = self.bond(site, &(sender, [0; 3]), 1);
            let reach: f64 =
                probe.slopes.iter().zip(&self.domain.half_width).map(|(s, w)| s.norm() * w).sum();
            let (x, y) = (self.centre(self.sites.sites[site].atom), self.centre(sender));
            let difference = x - y;
            let range = |k: usize| {
                let extent = (self.cutoff + reach) / spacings[k];
                ((difference[k] - extent).floor() as i32, (difference[k] + extent).ceil() as i32)
            };
            let [(a0, a1), (b0, b1), (c0, c1)] = [range(0), range(1), range(2)];
            let cells =
                (a0..=a1).flat_map(|a| (b0..=b1).flat_map(move |b| (c0..=c1).map(move |c| [a, b, c])));
            for cell in cells {
                let itself = sender == self.sites.sites[site].atom && cell == [0; 3];
                let v = self.embedding.lattice * (difference - cell_of(&(sender, cell)).1);
                if !itself && v.norm() - reach < self.cutoff {
                    labels.push((sender, cell));
                }
            }
        }
        labels
    }

    /// Fractional position of an atom at the centre of the domain.
    fn centre(&self, atom: usize) -> Vector3<f64> {
        self.embedding.atoms[atom].at(&self.domain.centre)
    }

    /// Where a map that leaves a site in place takes a neighbour of it.
    pub(super) fn image(&self, site: usize, neighbour: &Label, map: usize) -> Label {
        label(self.maps[map].apply(self.sites.sites[site].atom, cell_of(neighbour)))
    }

    /// All neighbours that some maps which leave the site in place take a neighbour to, itself included.
    pub(super) fn orbit(&self, site: usize, neighbour: &Label, maps: &[usize]) -> Vec<Label> {
        let mut members: Vec<Label> = Vec::new();
        for map in maps {
            let image = self.image(site, neighbour, *map);
            if !members.contains(&image) {
                members.push(image);
            }
        }
        members
    }

    pub(super) fn bond(&self, site: usize, neighbour: &Label, weight: usize) -> Bond {
        let lattice: &Matrix3<f64> = &self.embedding.lattice;
        let (receiver, sender) =
            (&self.embedding.atoms[self.sites.sites[site].atom], &self.embedding.atoms[neighbour.0]);
        let slopes = receiver.slopes.iter().zip(&sender.slopes).map(|(a, b)| lattice * (a - b)).collect();
        Bond {
            receiver: site,
            sender: neighbour.0,
            sender_site: self.sites.site_of[neighbour.0],
            weight: weight as f64,
            base: lattice * (receiver.base - sender.base - cell_of(neighbour).1),
            slopes,
        }
    }

    /// The bond orbit that holds the reverse of a bond, seen from the sender's site; None if it is out of reach.
    fn reverse(&self, bond: &Bond, own: &Label, bond_of: &[HashMap<Label, usize>]) -> Option<usize> {
        let centre = self.sites.sites[bond.receiver].atom;
        // From the sender, the receiver is in cell -T. Take the sender back to its site's atom.
        let site = &self.sites.sites[bond.sender_site];
        let back = self.maps.iter().find(|m| m.images[bond.sender] == site.atom)?;
        let reversed = label(back.apply(bond.sender, (centre, -cell_of(own).1)));
        bond_of[bond.sender_site].get(&reversed).copied()
    }
}

/// Distances of neighbouring lattice planes perpendicular to each reciprocal vector.
fn plane_spacings(lattice: &Matrix3<f64>) -> [f64; 3] {
    let inverse = lattice.try_inverse().unwrap_or_else(Matrix3::identity);
    [0, 1, 2].map(|k| 1.0 / inverse.row(k).norm())
}
