//! What harmonics of a bond's direction give for each row of the pair operators.

use nalgebra::{DMatrix, Matrix3};

use super::geometry::SiteGeometry;
use crate::engine::cpu::LANES;
use crate::engine::{Bond, Scene};
use crate::equivariant::{Coupling, components, coupling, degree, rotation};
use crate::potential::mace::Path;

/// Couplings of all bonds of a scene.
pub(in crate::engine) struct Couplings {
    /// By (receiver, sender atom), as places among the distinct ones.
    places: Vec<Vec<usize>>,
    distinct: Vec<BondCoupling>,
}

/// `G_q = sum_lm matrix[lm][q] Y_lm`, the same for all bonds of one relative orientation.
pub(in crate::engine) struct BondCoupling {
    /// Bases of receiver and sender and the rotation that made it, to find it again.
    origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
    /// `[lm][row]`, rows padded to [`LANES`].
    matrix: Vec<f64>,
    padded: usize,
}

impl Couplings {
    /// Of the given paths; bonds between sites without symmetry in a crystal without rotations all share one.
    pub(super) fn new(scene: &Scene, sites: &[SiteGeometry], paths: &[Path], lmax: usize) -> Couplings {
        let mut distinct: Vec<BondCoupling> = Vec::new();
        let mut places = vec![vec![usize::MAX; scene.atom_count]; sites.len()];
        let tensors: Vec<Coupling> = paths.iter().map(|p| coupling(p.l1, p.l2, p.l3)).collect();
        for bond in scene.pairs.iter().flat_map(|p| &p.shells).flat_map(|s| &s.bonds) {
            let place = &mut places[bond.receiver][bond.sender];
            if *place != usize::MAX {
                continue;
            }
            let (receiver, sender) = (&sites[bond.receiver].bases, &sites[bond.sender_site].bases);
            let turn = scene.rotations[bond.sender];
            let same =
                |c: &BondCoupling| c.origin.0 == *receiver && c.origin.1 == *sender && c.origin.2 == turn;
            *place = distinct.iter().position(same).unwrap_or_else(|| {
                let origin = (receiver.clone(), sender.clone(), turn);
                distinct.push(BondCoupling::new(origin, (paths, &tensors), lmax));
                distinct.len() - 1
            });
        }
        Couplings { places, distinct }
    }

    /// That of a bond.
    pub(in crate::engine) fn of(&self, bond: &Bond) -> &BondCoupling {
        &self.distinct[self.places[bond.receiver][bond.sender]]
    }
}

impl BondCoupling {
    /// Rows `[path][m3'][m1']` of
    /// `G[m3'][m1'] = sum Q_receiver[m3][m3'] C[m1][m2][m3] D(turn)[m1][n] Q_sender[n][m1'] Y_m2`.
    fn new(
        origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
        (paths, tensors): (&[Path], &[Coupling]),
        lmax: usize,
    ) -> BondCoupling {
        let (receiver, sender, turn) = &origin;
        let mut rows = Vec::new();
        for (path, tensor) in paths.iter().zip(tensors) {
            let turned = rotation(path.l1, turn) * &sender[path.l1];
            for left in receiver[path.l3].column_iter() {
                for right in turned.column_iter() {
                    let mut row = vec![0.0; components(lmax)];
                    for (m2, value) in row[degree(path.l2)].iter_mut().enumerate() {
                        for (m3, a) in left.iter().enumerate() {
                            let term = |(m1, b): (usize, &f64)| a * b * tensor.at(m1, m2, m3);
                            *value += right.iter().enumerate().map(term).sum::<f64>();
                        }
                    }
                    rows.push(row);
                }
            }
        }
        let padded = rows.len().next_multiple_of(LANES);
        let mut matrix = vec![0.0; components(lmax) * padded];
        for (q, row) in rows.iter().enumerate() {
            row.iter().enumerate().for_each(|(lm, value)| matrix[lm * padded + q] = *value);
        }
        BondCoupling { origin, matrix, padded }
    }

    /// `[lm][row]`, and the length of a row of it.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn matrix(&self) -> (&[f64], usize) {
        (&self.matrix, self.padded)
    }

    /// By lm, what it adds to all rows.
    pub(super) fn columns(&self) -> impl Iterator<Item = &[f64]> {
        self.matrix.chunks_exact(self.padded.max(1))
    }
}
