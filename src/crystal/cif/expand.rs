//! From the sites of the asymmetric unit to all atoms of the cell.

use std::collections::BTreeMap;

use moyo::base::Operation;
use nalgebra::{Matrix3, Vector3};

use super::super::periodic::Periodic;
use super::super::text::Complaint;
use super::super::{Element, check};
use super::sites::Site;

/// Images of a site closer than this, in Angstrom, are one atom on a special position. No rounded coordinate reaches
/// it.
const OVERLAP: f64 = 0.1;

/// Atoms closer than this, in Angstrom, are an error: no two atoms of a crystal come near it.
const TOO_CLOSE: f64 = 0.4;

/// A site this close to its special position, in Angstrom, stays exactly where the file puts it.
const ROUNDING: f64 = 1e-9;

/// All atoms of a cell, site by site: first the site, then its images in the cell.
pub struct Expanded {
    pub species: Vec<Element>,
    /// Fractional positions.
    pub positions: Vec<Vector3<f64>>,
    /// How many atoms each site has.
    pub multiplicities: Vec<usize>,
    /// How far each site was moved onto its special position, in Angstrom.
    pub moved: Vec<f64>,
}

impl Expanded {
    /// Numbers of atoms by element.
    pub fn counts(&self) -> BTreeMap<Element, usize> {
        let mut counts = BTreeMap::new();
        self.species.iter().for_each(|element| *counts.entry(*element).or_default() += 1);
        counts
    }
}

/// The atoms that operations make of the sites.
pub fn expand(
    sites: &[Site],
    operations: &[Operation],
    lattice: &Matrix3<f64>,
) -> Result<Expanded, Complaint> {
    // The site of each atom.
    let mut owners: Vec<&Site> = Vec::new();
    let mut positions: Vec<Vector3<f64>> = Vec::new();
    let (mut multiplicities, mut moved) = (Vec::new(), Vec::new());
    let periodic = Periodic::new(lattice);
    for site in sites {
        let (orbit, distance) = orbit(site, operations, &periodic)?;
        moved.push(distance);
        for (owner, position) in owners.iter().zip(&positions) {
            let distance = periodic.close_distance(&(orbit[0] - position));
            if distance < TOO_CLOSE {
                return Err(Complaint::at(
                    site.line,
                    format!(
                        "sites {} and {} have atoms {distance:.3} Angstrom apart; delete or move one",
                        owner.label, site.label
                    ),
                ));
            }
        }
        owners.extend(orbit.iter().map(|_| site));
        multiplicities.push(orbit.len());
        positions.extend(orbit);
        check::atom_count(positions.len()).map_err(|text| Complaint::at(site.line, text))?;
    }
    let species = owners.iter().map(|site| site.element).collect();
    Ok(Expanded { species, positions, multiplicities, moved })
}

/// The distinct positions of a site, the site itself first, and how far that was moved (Angstrom).
fn orbit(
    site: &Site,
    operations: &[Operation],
    periodic: &Periodic,
) -> Result<(Vec<Vector3<f64>>, f64), Complaint> {
    let (position, fixing) = on_special_position(&site.position, operations, periodic);
    let mut orbit = vec![position];
    let mut nearest = f64::INFINITY;
    for operation in operations {
        let image = image(operation, &position);
        let distances = orbit.iter().map(|other| periodic.close_distance(&(image - other)));
        let distance = distances.fold(f64::INFINITY, f64::min);
        if distance >= OVERLAP {
            nearest = nearest.min(distance);
            orbit.push(image.map(wrapped));
        }
    }
    // Orbit and stabiliser: their sizes multiply to that of the group.
    if orbit.len() * fixing != operations.len() || nearest < TOO_CLOSE {
        let (label, atoms) = (&site.label, orbit.len());
        return Err(Complaint::at(
            site.line,
            format!(
                "site {label} has {atoms} images, some of them barely {nearest:.2} Angstrom apart; correct its \
                 coordinates, with more digits if it is on a special position"
            ),
        ));
    }
    Ok((orbit, periodic.close_distance(&(position - site.position))))
}

/// The special position that a written one rounds, and how many operations fix it.
///
/// The mean of the images near the site is fixed by all operations that made them. So `0.333 0.667 1/4` on
/// a threefold axis becomes `1/3 2/3 1/4`.
fn on_special_position(
    written: &Vector3<f64>,
    operations: &[Operation],
    periodic: &Periodic,
) -> (Vector3<f64>, usize) {
    let shifts: Vec<Vector3<f64>> = operations
        .iter()
        .map(|operation| periodic.close_image(&(image(operation, written) - written)))
        .filter(|shift| periodic.close_distance(shift) < OVERLAP)
        .collect();
    let mean = shifts.iter().sum::<Vector3<f64>>() / shifts.len().max(1) as f64;
    if periodic.close_distance(&mean) < ROUNDING {
        (*written, shifts.len())
    } else {
        (written + mean, shifts.len())
    }
}

fn image(operation: &Operation, position: &Vector3<f64>) -> Vector3<f64> {
    operation.rotation.map(f64::from) * position + operation.translation
}

/// A coordinate in [0, 1), where rounding must not make 1 of 0.
fn wrapped(x: f64) -> f64 {
    let wrapped = x - (x + 1e-12).floor();
    wrapped.max(0.0)
}
