//! How pair operators become a layer's messages.

use std::ops::Range;

use super::super::model::ModelArrays;
use super::GroupPlan;
use crate::engine::cpu::Real;
use crate::engine::cpu::mace::geometry::{Direction, Geometry};
use crate::engine::cpu::mace::weights::Weights;
use crate::engine::cuda::layout::{Block, BlockCounts, Output, Term, Way};

/// The messages of a layer: those of layer 0 themselves, those of a later one by paths.
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

/// A row of messages without its terms: see [`Output`].
#[derive(Clone, Copy)]
struct Slot {
    base: usize,
    slot: usize,
    stride: usize,
}

/// A path of a later layer, or a degree of layer 0.
struct Route {
    degree: usize,
    /// The place of the senders' degree among the features; none in layer 0.
    senders: Option<usize>,
    sender_degree: usize,
    slot: usize,
}

struct Planner<'a, T> {
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    model: &'a ModelArrays<T>,
    t: usize,
    routes: Vec<Route>,
    /// Place of each pair in its group.
    in_group: Vec<usize>,
}

impl MessagePlan {
    /// Of a layer, for groups whose operators are kept or not.
    pub(super) fn new<T: Real>(
        (geometry, weights, model): (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
        t: usize,
        groups: &[GroupPlan],
    ) -> MessagePlan {
        let routes = routes(geometry, weights, t);
        let mut in_group = vec![0; geometry.pairs.len()];
        for group in &geometry.groups {
            group.pairs.iter().enumerate().for_each(|(place, pair)| in_group[*pair] = place);
        }
        let planner = Planner { geometry, weights, model, t, routes, in_group };
        let mut plan = MessagePlan::default();
        planner.add_terms(groups, &mut plan);
        planner.add_blocks(groups, &mut plan);
        plan
    }
}

fn routes<T: Real>(geometry: &Geometry<T>, weights: &Weights<T>, t: usize) -> Vec<Route> {
    let Some(later) = t.checked_sub(1) else {
        let first = |degree| Route { degree, senders: None, sender_degree: 0, slot: 0 };
        return (0..=weights.lmax).map(first).collect();
    };
    let paths = &weights.later[later].paths;
    let route = |(k, path): (usize, &crate::potential::mace::Path)| Route {
        degree: path.l3,
        senders: geometry.features[later].position(path.l1),
        sender_degree: path.l1,
        slot: paths[..k].iter().filter(|p| p.l3 == path.l3).count(),
    };
    paths.iter().enumerate().map(route).collect()
}

impl<T: Real> Planner<'_, T> {
    /// Paths that end at a degree.
    fn width(&self, degree: usize) -> usize {
        self.t.checked_sub(1).map_or(1, |later| self.geometry.path_rows[later].widths[degree])
    }

    /// Where the rows of a degree begin.
    fn base(&self, degree: usize) -> usize {
        (0..degree).map(|l| self.geometry.messages.of_degree(l).len() * self.width(l)).sum()
    }

    /// The first row of a route into a site; the next one's base is a stride larger.
    fn slot(&self, route: &Route, receiver: usize) -> Slot {
        let messages = &self.geometry.messages;
        let stride = self.width(route.degree);
        let row = messages.of(route.degree, receiver).start - messages.of_degree(route.degree).start;
        Slot { base: self.base(route.degree) + row * stride, slot: route.slot, stride }
    }

    /// Rows of features of a sender.
    fn features(&self, route: &Route, sender: usize) -> Range<usize> {
        match (self.t.checked_sub(1), route.senders) {
            (None, _) => 0..1,
            (Some(before), Some(k)) => self.geometry.features[before].of(k, sender),
            (Some(_), None) => 0..0,
        }
    }

    /// Terms of all rows. Rows are numbered by `base + slot`.
    fn add_terms(&self, groups: &[GroupPlan], plan: &mut MessagePlan) {
        let (mut outputs, mut terms) = (Vec::new(), Vec::new());
        for degree in 0..=self.weights.lmax {
            let (base, stride) = (self.base(degree), self.width(degree));
            for row in 0..self.geometry.messages.of_degree(degree).len() {
                outputs.extend((0..stride).map(|slot| Slot { base: base + row * stride, slot, stride }));
            }
        }
        terms.resize_with(outputs.len(), Vec::new);
        // Group by group, so that kernels look up the node of a point once a group.
        for (number, group) in self.geometry.groups.iter().enumerate().filter(|(g, _)| groups[*g].kept) {
            for direction in group.pairs.iter().flat_map(|pair| &self.geometry.pairs[*pair].directions) {
                self.add_terms_of(direction, number, &mut terms);
            }
        }
        for (Slot { base, slot, stride }, own) in outputs.into_iter().zip(terms) {
            plan.outputs.push(Output {
                base: base as i64,
                slot: slot as i32,
                stride: stride as i32,
                first_term: plan.terms.len() as i32,
                term_count: own.len() as i32,
            });
            plan.terms.extend(own);
        }
    }

    fn add_terms_of(&self, direction: &Direction, group: usize, terms: &mut [Vec<Term>]) {
        for (route, block) in self.routes.iter().zip(self.geometry.blocks(self.t)) {
            let Slot { base, slot, stride } = self.slot(route, direction.receiver);
            let senders = self.features(route, direction.sender);
            for (index, row) in direction.blocks[block].clone().enumerate() {
                let (m, n) = (index / senders.len().max(1), index % senders.len().max(1));
                terms[base + m * stride + slot].push(Term {
                    offset: (direction.first + row * self.weights.channels) as i64,
                    group: group as i32,
                    feature: (senders.start + n) as i32,
                });
            }
        }
    }

    /// Blocks of rows that operators that are not kept add to, those with small senders first.
    fn add_blocks(&self, groups: &[GroupPlan], plan: &mut MessagePlan) {
        let first_block = self.geometry.blocks(self.t).start;
        for sender_degree in 0..3 {
            let routes = self.routes.iter().enumerate();
            for (index, route) in routes.filter(|(_, r)| r.sender_degree == sender_degree) {
                for receiver in 0..self.geometry.sites.len() {
                    self.add_block((route, index, first_block + index), receiver, groups, plan);
                }
            }
            let earlier: i32 = plan.counts.of_degree.iter().sum();
            plan.counts.of_degree[sender_degree] = plan.blocks.len() as i32 - earlier;
        }
    }

    fn add_block(
        &self,
        (route, column, block): (&Route, usize, usize),
        receiver: usize,
        groups: &[GroupPlan],
        plan: &mut MessagePlan,
    ) {
        let first_way = plan.ways.len();
        for (pair, d) in &self.geometry.incoming[receiver] {
            let placed = &self.geometry.pairs[*pair];
            let direction = &placed.directions[*d];
            let senders = self.features(route, direction.sender);
            if groups[placed.group].kept || senders.is_empty() {
                continue;
            }
            let [a, b] = [receiver, direction.sender].map(|s| self.geometry.sites[s].element);
            let tables = &self.model.layer_tables[self.t];
            let earlier: usize = placed.directions[..*d].iter().map(|d| d.targets.len()).sum();
            plan.ways.push(Way {
                table: (tables.of(a, b) + column * self.weights.channels) as i64,
                columns: tables.columns as i32,
                group: placed.group as i32,
                pair: self.in_group[*pair] as i32,
                angular: (earlier + direction.blocks[block].start) as i32,
                senders: senders.len() as i32,
                feature: senders.start as i32,
            });
        }
        let rows = self.geometry.messages.of(route.degree, receiver).len();
        let way_count = plan.ways.len() - first_way;
        if rows == 0 || way_count == 0 {
            plan.ways.truncate(first_way);
            return;
        }
        let Slot { base, slot, stride } = self.slot(route, receiver);
        plan.blocks.push(Block {
            base: base as i64,
            slot: slot as i32,
            stride: stride as i32,
            rows: rows as i32,
            first_way: first_way as i32,
            way_count: way_count as i32,
            padding: 0,
        });
    }
}
