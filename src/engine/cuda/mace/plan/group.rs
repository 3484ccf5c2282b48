//! Pairs that the same axes move.

use std::collections::HashMap;

use super::super::model::ModelArrays;
use crate::crystal::Element;
use crate::engine::cpu::Real;
use crate::engine::cpu::mace::geometry::{Geometry, PairGeometry};
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::layout::{OperatorRow, Repulsion, ScalarSum};
use crate::engine::{Bond, Pair, Scene};
use crate::potential::mace::Zbl;

/// A group of pairs as arrays. Shells and bonds are numbered within the group, in the order of its pairs.
#[derive(Debug, Default)]
pub struct GroupPlan {
    /// Axes of the landscape that move it.
    pub axes: Vec<usize>,
    /// Whether operators are computed once a node and kept.
    pub kept: bool,
    /// `[bond][1 + axes of the landscape][3]`: vectors at axis values 0 and their changes, Angstrom.
    pub vectors: Vec<f64>,
    /// Neighbours that a bond stands for.
    pub bond_weights: Vec<f64>,
    /// Where a bond's coupling begins in `couplings`, and the length of its rows.
    pub bond_couplings: Vec<i32>,
    /// See above.
    pub bond_strides: Vec<i32>,
    /// Which of the pair's directions a bond belongs to.
    pub bond_directions: Vec<i32>,
    /// Distinct couplings, `[components][stride]` each.
    pub couplings: Vec<f64>,
    /// First bond of each shell, and the end.
    pub shell_bonds: Vec<i32>,
    /// Pair of each shell.
    pub shell_pairs: Vec<i32>,
    /// `[shell][2]`: neighbours that a shell stands for in each direction.
    pub shell_weights: Vec<f64>,
    /// `[pair][2]`: rows of each direction.
    pub pair_rows: Vec<i32>,
    /// Where each pair's table of densities begins.
    pub density_tables: Vec<i32>,
    /// By pair.
    pub repulsions: Vec<Repulsion>,
    /// Sums of scalars of a node.
    pub sums: Vec<ScalarSum>,
    /// Rows of the operators of a node, if they are kept.
    pub operator_rows: Vec<OperatorRow>,
    /// Most shells that are within the cutoff at a node, or a few more.
    pub entries: usize,
    /// Most bonds of a shell.
    pub bonds_of_shell: usize,
    /// Most rows of an entry, both directions together.
    pub rows: usize,
}

impl GroupPlan {
    /// The group of a geometry with the given number.
    pub(super) fn new<T: Real>(
        scene: &Scene,
        of: (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
        group: usize,
        kept: bool,
    ) -> GroupPlan {
        let (geometry, ..) = of;
        let (axes, pairs) = (geometry.groups[group].axes.clone(), &geometry.groups[group].pairs);
        let mut plan = GroupPlan { axes, kept, shell_bonds: vec![0], ..GroupPlan::default() };
        plan.entries = most_entries(scene, pairs, &plan.axes);
        let mut couplings = HashMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            plan.add_shells(geometry, (&scene.pairs[*pair], &geometry.pairs[*pair], index), &mut couplings);
            plan.add_scalars(of, scene.pairs[*pair].sites, &geometry.pairs[*pair], index);
            if kept {
                plan.add_operators(of, &geometry.pairs[*pair], index);
            }
        }
        plan
    }

    /// Candidate shells.
    pub fn shells(&self) -> usize {
        self.shell_pairs.len()
    }

    /// Pairs.
    pub fn pairs(&self) -> usize {
        self.pair_rows.len() / 2
    }

    fn add_shells<T: Real>(
        &mut self,
        geometry: &Geometry<T>,
        (pair, placed, index): (&Pair, &PairGeometry, usize),
        couplings: &mut HashMap<*const f64, i32>,
    ) {
        for shell in &pair.shells {
            let mut weights = [0.0; 2];
            for bond in &shell.bonds {
                let direction = usize::from(bond.receiver != placed.directions[0].receiver);
                weights[direction] += bond.weight;
                self.add_bond(geometry, bond, direction, couplings);
            }
            self.shell_bonds.push(self.bond_weights.len() as i32);
            self.shell_pairs.push(index as i32);
            self.shell_weights.extend(weights);
            self.bonds_of_shell = self.bonds_of_shell.max(shell.bonds.len());
        }
        let rows = |d: usize| placed.directions.get(d).map_or(0, |d| d.targets.len());
        self.pair_rows.extend([rows(0) as i32, rows(1) as i32]);
        self.rows = self.rows.max(rows(0) + rows(1));
    }

    fn add_bond<T: Real>(
        &mut self,
        geometry: &Geometry<T>,
        bond: &Bond,
        direction: usize,
        couplings: &mut HashMap<*const f64, i32>,
    ) {
        let all = std::iter::once(&bond.base).chain(&bond.slopes);
        self.vectors.extend(all.flat_map(|v| v.iter().copied()));
        self.bond_weights.push(bond.weight);
        let (matrix, stride) = geometry.coupling(bond.receiver, bond.sender).matrix();
        let place = *couplings.entry(matrix.as_ptr()).or_insert_with(|| {
            let place = self.couplings.len();
            self.couplings.extend_from_slice(matrix);
            place as i32
        });
        self.bond_couplings.push(place);
        self.bond_strides.push(stride as i32);
        self.bond_directions.push(direction as i32);
    }

    fn add_scalars<T: Real>(
        &mut self,
        (geometry, weights, model): (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
        sites: [usize; 2],
        placed: &PairGeometry,
        index: usize,
    ) {
        let [a, b] = sites.map(|site| geometry.sites[site].element);
        let elements = (weights.elements[a], weights.elements[b]);
        self.density_tables.push(model.density_tables.as_ref().map_or(0, |t| t.of(a, b) as i32));
        self.repulsions.push(weights.zbl.as_ref().map_or(Repulsion::default(), |z| repulsion(z, elements)));
        for direction in 0..placed.directions.len() {
            let columns = 0..=weights.density_count();
            self.sums.extend(columns.map(|column| ScalarSum {
                pair: index as i32,
                direction: direction as i32,
                column: column as i32,
            }));
        }
    }

    fn add_operators<T: Real>(
        &mut self,
        (geometry, weights, model): (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
        placed: &PairGeometry,
        index: usize,
    ) {
        let mut earlier = 0;
        for direction in &placed.directions {
            let [a, b] = [direction.receiver, direction.sender].map(|s| geometry.sites[s].element);
            for (t, tables) in model.layer_tables.iter().enumerate() {
                for (column, block) in geometry.blocks(t).enumerate() {
                    let table = (tables.of(a, b) + column * weights.channels) as i64;
                    self.operator_rows.extend(direction.blocks[block].clone().map(|row| OperatorRow {
                        pair: index as i32,
                        row: (earlier + row) as i32,
                        table,
                        columns: tables.columns as i32,
                        padding: 0,
                    }));
                }
            }
            earlier += direction.targets.len();
        }
    }
}

/// Boxes along an axis in which neighbours are counted.
const BOXES: [usize; 4] = [1, 64, 16, 6];

/// A bound of the shells of some pairs that are within the cutoff at any values of the axes that move them: the most of
/// all boxes into which the ranges of these axes are cut. At least one, so that buffers have a row.
fn most_entries(scene: &Scene, pairs: &[usize], axes: &[usize]) -> usize {
    let all = &scene.landscape.axes;
    let boxes = BOXES.get(axes.len()).copied().unwrap_or(2);
    let (mut centre, mut half_width) = (vec![0.0; all.len()], vec![0.0; all.len()]);
    for axis in axes {
        // A hair wider, so that rounding leaves none out.
        half_width[*axis] = 0.5 * (all[*axis].range[1] - all[*axis].range[0]) / boxes as f64 + 1e-9;
    }
    let within = |bond: &Bond, centre: &[f64]| bond.shortest_within(centre, &half_width) < scene.cutoff;
    let mut most = 1;
    for number in 0..boxes.pow(axes.len() as u32) {
        for (place, axis) in axes.iter().enumerate() {
            let step = (number / boxes.pow(place as u32) % boxes) as f64 + 0.5;
            let [first, last] = all[*axis].range;
            centre[*axis] = first + (last - first) * step / boxes as f64;
        }
        let shells = pairs.iter().flat_map(|pair| &scene.pairs[*pair].shells);
        most = most.max(shells.filter(|shell| within(&shell.bonds[0], &centre)).count());
    }
    most
}

/// The constants of a pair's repulsion, see [`Zbl::half_energy`].
fn repulsion(zbl: &Zbl, (a, b): (Element, Element)) -> Repulsion {
    let charges = [a, b].map(|e| e.number() as f64);
    let powers = charges.map(|z| z.powf(zbl.charge_exponent));
    Repulsion {
        range: zbl.covalent_radii[a.number()] + zbl.covalent_radii[b.number()],
        strength: 0.5 * 14.3996 * charges[0] * charges[1],
        length: zbl.length_prefactor * 0.529 / (powers[0] + powers[1]),
        exponent: zbl.exponent,
        coefficients: zbl.c,
    }
}
