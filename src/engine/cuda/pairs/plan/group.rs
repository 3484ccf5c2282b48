//! Pairs that the same axes move.

use std::collections::HashMap;

use super::Planned;
use crate::crystal::Element;
use crate::engine::cpu::pairs::Scalars;
use crate::engine::cpu::pairs::geometry::PairGeometry;
use crate::engine::cuda::layout::{OperatorRow, Repulsion, ScalarSum};
use crate::engine::{Bond, Pair};
use crate::potential::mace::Zbl;

/// A group of pairs as arrays. Shells and bonds are numbered within the group, in the order of its pairs; shells of
/// equal length at every point, spheres of the geometry, count as one.
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
    pub(super) fn new<T, P>(planned: &Planned<T, P>, group: usize, kept: bool) -> GroupPlan {
        let Planned { scene, geometry, of, .. } = planned;
        let (axes, pairs) = (geometry.groups[group].axes.clone(), &geometry.groups[group].pairs);
        let mut plan = GroupPlan { axes, kept, shell_bonds: vec![0], ..GroupPlan::default() };
        plan.entries = plan.most_entries(planned, pairs);
        let mut couplings = HashMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            let (pair, placed) = (&scene.pairs[*pair], &geometry.pairs[*pair]);
            plan.add_shells(planned, (pair, placed, index), &mut couplings);
            if let Some(scalars) = &of.scalars {
                plan.add_scalars(planned, scalars, (pair, placed, index));
            }
            if kept {
                plan.add_operators(planned, placed, index);
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

    fn add_shells<T, P>(
        &mut self,
        planned: &Planned<T, P>,
        (pair, placed, index): (&Pair, &PairGeometry, usize),
        couplings: &mut HashMap<*const f64, i32>,
    ) {
        for sphere in 0..placed.spheres.len() {
            let mut weights = [0.0; 2];
            let first = self.bond_weights.len();
            for bond in placed.shells(pair, sphere).flat_map(|shell| &shell.bonds) {
                let direction = usize::from(bond.receiver != placed.directions[0].receiver);
                weights[direction] += bond.weight;
                self.add_bond(planned, bond, direction, couplings);
            }
            self.shell_bonds.push(self.bond_weights.len() as i32);
            self.shell_pairs.push(index as i32);
            self.shell_weights.extend(weights);
            self.bonds_of_shell = self.bonds_of_shell.max(self.bond_weights.len() - first);
        }
        let rows = |d: usize| placed.directions.get(d).map_or(0, |d| d.angular);
        self.pair_rows.extend([rows(0) as i32, rows(1) as i32]);
        self.rows = self.rows.max(rows(0) + rows(1));
    }

    fn add_bond<T, P>(
        &mut self,
        planned: &Planned<T, P>,
        bond: &Bond,
        direction: usize,
        couplings: &mut HashMap<*const f64, i32>,
    ) {
        let all = std::iter::once(&bond.base).chain(&bond.slopes);
        self.vectors.extend(all.flat_map(|v| v.iter().copied()));
        self.bond_weights.push(bond.weight);
        let (matrix, stride) = planned.geometry.couplings.of(bond).matrix();
        let place = *couplings.entry(matrix.as_ptr()).or_insert_with(|| {
            let place = self.couplings.len();
            self.couplings.extend_from_slice(matrix);
            place as i32
        });
        self.bond_couplings.push(place);
        self.bond_strides.push(stride as i32);
        self.bond_directions.push(direction as i32);
    }

    fn add_scalars<T, P>(
        &mut self,
        Planned { geometry, of, arrays, .. }: &Planned<T, P>,
        scalars: &Scalars,
        (pair, placed, index): (&Pair, &PairGeometry, usize),
    ) {
        let [a, b] = geometry.elements(pair);
        let elements = (of.elements[a], of.elements[b]);
        self.density_tables.push(arrays.density_tables.as_ref().map_or(0, |t| t.of(a, b) as i32));
        self.repulsions.push(scalars.zbl.as_ref().map_or(Repulsion::default(), |z| repulsion(z, elements)));
        for direction in 0..placed.directions.len() {
            self.sums.extend((0..scalars.count()).map(|column| ScalarSum {
                pair: index as i32,
                direction: direction as i32,
                column: column as i32,
            }));
        }
    }

    /// Rows in the order of the values of a bundle.
    fn add_operators<T, P>(&mut self, planned: &Planned<T, P>, placed: &PairGeometry, index: usize) {
        let Planned { geometry, of, arrays, channels, .. } = planned;
        let mut earlier = 0;
        for direction in &placed.directions {
            let [a, b] = [direction.receiver, direction.sender].map(|s| geometry.sites[s].element);
            for ((layer, blocks), tables) in of.layers.iter().zip(&direction.blocks).zip(&arrays.layer_tables)
            {
                for (path, rows) in layer.paths.iter().zip(blocks) {
                    let columns = (path.column..path.column + path.width).step_by(*channels);
                    let angular = rows.angular..rows.angular + rows.shape[0] * rows.shape[1];
                    self.operator_rows.extend(angular.flat_map(|row| {
                        columns.clone().map(move |column| OperatorRow {
                            pair: index as i32,
                            row: (earlier + row) as i32,
                            table: (tables.of(a, b) + column) as i64,
                            columns: tables.columns as i32,
                            padding: 0,
                        })
                    }));
                }
            }
            earlier += direction.angular;
        }
    }

    /// A bound of the shells of some pairs that are within the cutoff at any values of the axes that move them: the
    /// most of all boxes into which the ranges of these axes are cut. At least one, so that buffers have a row.
    fn most_entries<T, P>(&self, planned: &Planned<T, P>, pairs: &[usize]) -> usize {
        let Planned { scene, geometry, .. } = planned;
        let (all, axes) = (&scene.landscape.axes, &self.axes);
        let boxes = BOXES.get(axes.len()).copied().unwrap_or(2);
        let (mut centre, mut half_width) = (vec![0.0; all.len()], vec![0.0; all.len()]);
        for axis in axes {
            // A hair wider, so that rounding leaves none out.
            half_width[*axis] = 0.5 * (all[*axis].range[1] - all[*axis].range[0]) / boxes as f64 + 1e-9;
        }
        let bonds = pairs.iter().flat_map(|pair| {
            let (placed, pair) = (&geometry.pairs[*pair], &scene.pairs[*pair]);
            (0..placed.spheres.len()).map(move |sphere| placed.bond(pair, sphere))
        });
        let bonds: Vec<&Bond> = bonds.collect();
        let mut most = 1;
        for number in 0..boxes.pow(axes.len() as u32) {
            for (place, axis) in axes.iter().enumerate() {
                let step = (number / boxes.pow(place as u32) % boxes) as f64 + 0.5;
                let [first, last] = all[*axis].range;
                centre[*axis] = first + (last - first) * step / boxes as f64;
            }
            let within = |bond: &&&Bond| bond.shortest_within(&centre, &half_width) < scene.cutoff;
            most = most.max(bonds.iter().filter(within).count());
        }
        most
    }
}

/// Boxes along an axis in which neighbours are counted.
const BOXES: [usize; 4] = [1, 64, 16, 6];

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
