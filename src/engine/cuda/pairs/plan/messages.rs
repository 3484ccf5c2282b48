//! How pair operators become a layer's messages.

use super::{GroupPlan, Planned};
use crate::engine::cpu::pairs::PathColumns;
use crate::engine::cpu::pairs::geometry::{Array, Direction};
use crate::engine::cuda::layout::{Block, BlockCounts, Output, Term, Way};

/// The messages of a layer by paths. All of them, and the features, are taken as rows of as many channels as
/// [`SceneShape::channels`](super::SceneShape::channels) says.
#[derive(Debug, Default)]
pub struct MessagePlan {
    /// All rows, each a sum of terms.
    pub outputs: Vec<Output>,
    /// Rows of operators that are kept.
    pub terms: Vec<Term>,
    /// Rows that get more from operators that are not kept, by degree of the senders.
    pub blocks: Vec<Block>,
    /// What they get.
    pub ways: Vec<Way>,
    /// Blocks by degree of their senders.
    pub counts: BlockCounts,
}

struct Planner<'a, T, P> {
    planned: &'a Planned<'a, T, P>,
    t: usize,
    /// Place of each pair in its group.
    in_group: Vec<usize>,
}

impl MessagePlan {
    /// Of a layer, for groups whose operators are kept or not.
    pub(super) fn new<T, P>(planned: &Planned<T, P>, t: usize, groups: &[GroupPlan]) -> MessagePlan {
        let geometry = planned.geometry;
        let mut in_group = vec![0; geometry.pairs.len()];
        for group in &geometry.groups {
            group.pairs.iter().enumerate().for_each(|(place, pair)| in_group[*pair] = place);
        }
        let planner = Planner { planned, t, in_group };
        let mut plan = MessagePlan::default();
        planner.add_terms(groups, &mut plan);
        planner.add_blocks(groups, &mut plan);
        plan
    }
}

impl<T, P> Planner<'_, T, P> {
    fn paths(&self) -> &[PathColumns] {
        &self.planned.of.layers[self.t].paths
    }

    fn messages(&self) -> &Array {
        &self.planned.geometry.layers[self.t].messages
    }

    /// First row of a component's features, and the rows of a component; layer 0 reads none.
    fn features(&self, degree: usize, component: usize) -> (usize, usize) {
        let inputs = &self.planned.geometry.layers[self.t].inputs;
        match self.t {
            0 => (0, 0),
            _ => (self.rows(inputs.before(degree, component)), self.rows(inputs.widths[degree])),
        }
    }

    /// Numbers as rows of channels.
    fn rows(&self, numbers: usize) -> usize {
        numbers / self.planned.channels
    }

    /// Terms of all rows.
    fn add_terms(&self, groups: &[GroupPlan], plan: &mut MessagePlan) {
        let geometry = self.planned.geometry;
        let mut terms: Vec<Vec<Term>> = Vec::new();
        for (degree, width) in self.messages().widths.iter().enumerate() {
            let stride = self.rows(*width);
            for component in geometry.components.all(degree) {
                let base = self.rows(self.messages().before(degree, component)) as i64;
                plan.outputs.extend((0..stride).map(|slot| Output {
                    base,
                    slot: slot as i32,
                    stride: stride as i32,
                    ..Output::default()
                }));
            }
        }
        terms.resize_with(plan.outputs.len(), Vec::new);
        // Group by group, so that kernels look up the node of a point once a group.
        for (number, group) in geometry.groups.iter().enumerate().filter(|(g, _)| groups[*g].kept) {
            for direction in group.pairs.iter().flat_map(|pair| &geometry.pairs[*pair].directions) {
                self.add_terms_of(direction, number, (&mut plan.outputs, &mut terms));
            }
        }
        for (output, own) in plan.outputs.iter_mut().zip(terms) {
            output.first_term = plan.terms.len() as i32;
            output.term_count = own.len() as i32;
            plan.terms.extend(own);
        }
    }

    fn add_terms_of(
        &self,
        direction: &Direction,
        group: usize,
        (outputs, terms): (&mut [Output], &mut [Vec<Term>]),
    ) {
        let channels = self.planned.channels;
        for (path, rows) in self.paths().iter().zip(&direction.blocks[self.t]) {
            let ([n3, n1], [receiver, sender]) = (rows.shape, rows.components);
            for (m3, m1) in (0..n3).flat_map(|m3| (0..n1).map(move |m1| (m3, m1))) {
                let (feature, stride) = self.features(path.path.l1, sender + m1);
                let first = self.rows(self.messages().before(path.path.l3, receiver + m3) + path.slot);
                let operator = direction.first + rows.first + (m3 * n1 + m1) * path.width;
                for chunk in 0..self.rows(path.width) {
                    let output = &mut outputs[first + chunk];
                    // Layer 0 reads no features.
                    output.feature_slot = if stride > 0 { chunk as i32 } else { 0 };
                    output.feature_stride = stride as i32;
                    terms[first + chunk].push(Term {
                        offset: (operator + chunk * channels) as i64,
                        group: group as i32,
                        feature: feature as i32,
                    });
                }
            }
        }
    }

    /// Blocks of rows that operators that are not kept add to, those with small senders first.
    fn add_blocks(&self, groups: &[GroupPlan], plan: &mut MessagePlan) {
        for sender_degree in 0..plan.counts.of_degree.len() {
            let paths = self.paths().iter().enumerate();
            for (path, columns) in paths.filter(|(_, p)| p.path.l1 == sender_degree) {
                for chunk in 0..self.rows(columns.width) {
                    for receiver in 0..self.planned.geometry.sites.len() {
                        self.add_block((path, chunk), receiver, groups, plan);
                    }
                }
            }
            let earlier: i32 = plan.counts.of_degree.iter().sum();
            plan.counts.of_degree[sender_degree] = plan.blocks.len() as i32 - earlier;
        }
    }

    fn add_block(
        &self,
        (path, chunk): (usize, usize),
        receiver: usize,
        groups: &[GroupPlan],
        plan: &mut MessagePlan,
    ) {
        let Planned { geometry, arrays, channels, .. } = self.planned;
        let (columns, first_way) = (&self.paths()[path], plan.ways.len());
        for (pair, d) in &geometry.incoming[receiver] {
            let placed = &geometry.pairs[*pair];
            let direction = &placed.directions[*d];
            let rows = &direction.blocks[self.t][path];
            if groups[placed.group].kept || rows.shape[1] == 0 {
                continue;
            }
            let [a, b] = [receiver, direction.sender].map(|s| geometry.sites[s].element);
            let tables = &arrays.layer_tables[self.t];
            let earlier: usize = placed.directions[..*d].iter().map(|d| d.angular).sum();
            plan.ways.push(Way {
                table: (tables.of(a, b) + columns.column + chunk * channels) as i64,
                columns: tables.columns as i32,
                group: placed.group as i32,
                pair: self.in_group[*pair] as i32,
                angular: (earlier + rows.angular) as i32,
                senders: rows.shape[1] as i32,
                feature: self.features(columns.path.l1, rows.components[1]).0 as i32,
            });
        }
        let components = geometry.components.of(columns.path.l3, receiver);
        let way_count = plan.ways.len() - first_way;
        if components.is_empty() || way_count == 0 {
            plan.ways.truncate(first_way);
            return;
        }
        let width = self.messages().widths[columns.path.l3];
        plan.blocks.push(Block {
            base: self.rows(self.messages().before(columns.path.l3, components.start)) as i64,
            slot: (self.rows(columns.slot) + chunk) as i32,
            stride: self.rows(width) as i32,
            rows: components.len() as i32,
            first_way: first_way as i32,
            way_count: way_count as i32,
            feature_slot: if self.t > 0 { chunk as i32 } else { 0 },
            feature_stride: self.features(columns.path.l1, 0).1 as i32,
            padding: 0,
        });
    }
}
