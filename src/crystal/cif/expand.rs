//! From the sites of the asymmetric unit to all atoms of the cell.

use moyo::base::Operation;
use nalgebra::{Matrix3, Vector3};

use super::super::periodic::Periodic;
use super::super::text::Complaint;
use super::super::{Element, check};
use super::sites::Site;

/// Images of a site closer than this, in Angstrom, are one atom on a special position; atoms of two sites
/// as close are an error. No two atoms of a crystal come near it, and no rounded coordinate reaches it.
const OVERLAP: f64 = 0.1;

/// A site this close to its special position, in Angstrom, stays exactly where the file puts it.
const ROUNDING: f64 = 1e-9;

/// Elements and fractional positions of all atoms, site by site: first the site, then its images in the cell.
pub fn expand(
    sites: &[Site],
    operations: &[Operation],
    lattice: &Matrix3<f64>,
) -> Result<(Vec<Element>, Vec<Vector3<f64>>), Complaint> {
    // The site of each atom.
    let mut owners: Vec<&Site> = Vec::new();
    let mut positions: Vec<Vector3<f64>> = Vec::new();
    let periodic = Periodic::new(lattice);
    for site in sites {
        let orbit = orbit(site, operations, &periodic)?;
        for (owner, position) in owners.iter().zip(&positions) {
            let distance = periodic.close_distance(&(orbit[0] - position));
            if distance < OVERLAP {
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
        positions.extend(orbit);
        check::atom_count(positions.len()).map_err(|text| Complaint::at(site.line, text))?;
    }
    Ok((owners.iter().map(|site| site.element).collect(), positions))
}

/// The distinct positions of a site, the site itself first.
fn orbit(site: &Site, operations: &[Operation], periodic: &Periodic) -> Result<Vec<Vector3<f64>>, Complaint> {
    let (position, fixing) = on_special_position(&site.position, operations, periodic);
    let mut orbit = vec![position];
    for operation in operations {
        let image = image(operation, &position);
        if orbit.iter().all(|other| periodic.close_distance(&(image - other)) >= OVERLAP) {
            orbit.push(image.map(wrapped));
        }
    }
    // Orbit and stabiliser: their sizes multiply to that of the group.
    if orbit.len() * fixing != operations.len() {
        let (label, atoms) = (&site.label, orbit.len());
        return Err(Complaint::at(
            site.line,
            format!(
                "site {label} has {atoms} images, some of them barely {OVERLAP} Angstrom apart; give its \
                 coordinates with more digits"
            ),
        ));
    }
    Ok(orbit)
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
