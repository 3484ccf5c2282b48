//! A scene in terms of the model: bases of the sites' features, couplings of the bonds, places in arrays.

use std::ops::Range;

use nalgebra::{DMatrix, Matrix3};

use super::contraction::SiteContraction;
use super::weights::Weights;
use crate::engine::cpu::Real;
use crate::engine::{EngineError, Scene};
use crate::equivariant::{Coupling, components, coupling, invariant_basis, rotation};
use crate::landscape::Point;
use crate::potential::mace::Path;

/// A scene in terms of a model.
pub(super) struct Geometry<T> {
    pub(super) sites: Vec<SiteGeometry<T>>,
    /// Rows of messages, all degrees.
    pub(super) messages: Rows,
    /// Rows of each layer's output features.
    pub(super) features: Vec<Rows>,
    /// Pairs by the axes that change them; the first group is the frozen one.
    pub(super) groups: Vec<Group>,
    /// Where a pair's operators lie.
    pub(super) pairs: Vec<PairGeometry>,
    /// Directions into each site, by sender.
    pub(super) incoming: Vec<Vec<Direction>>,
    /// Neighbouring sites of one element: the element's place in the weights and the sites.
    pub(super) sites_by_element: Vec<(usize, Range<usize>)>,
    /// Couplings of later layers' bonds, by (receiver, sender atom).
    pub(super) couplings: Vec<Vec<usize>>,
    pub(super) distinct_couplings: Vec<BondCoupling>,
    /// How operators act on features, by later layer and receiving site.
    pub(super) applications: Vec<Vec<Application>>,
}

/// The rows of messages that a site receives in a layer, as sums of operator rows times feature rows.
pub(super) struct Application {
    pub(super) outputs: Vec<Output>,
    pub(super) terms: Vec<Term>,
}

/// One component of one path's message.
pub(super) struct Output {
    pub(super) l3: usize,
    /// Row within the messages of degree l3.
    pub(super) row: usize,
    /// Place of the path among those to l3, and their number.
    pub(super) slot: usize,
    pub(super) width: usize,
    pub(super) terms: Range<usize>,
}

/// `operator row * feature row`, channel by channel.
pub(super) struct Term {
    /// Index into the site's incoming directions.
    pub(super) incoming: usize,
    /// Row of its operator.
    pub(super) operator: usize,
    /// Row of the up-projected features.
    pub(super) feature: usize,
}

/// A site in terms of a model.
pub(super) struct SiteGeometry<T> {
    /// Place of its element in the weights' list.
    pub(super) element: usize,
    /// Atoms that it stands for, as a share of all.
    pub(super) share: f64,
    /// Invariant components of each degree: `(2l + 1) x n`, orthonormal columns.
    pub(super) bases: Vec<DMatrix<f64>>,
    /// Symmetric contractions by layer and output degree.
    pub(super) contractions: Vec<Vec<SiteContraction<T>>>,
}

/// Rows of an array `[degree][site][component][point][channel]`.
pub(super) struct Rows {
    pub(super) degrees: Vec<usize>,
    /// First row by degree (in the order of `degrees`) and site; one more entry ends the last site.
    starts: Vec<Vec<usize>>,
    pub(super) total: usize,
}

impl Rows {
    fn new(degrees: &[usize], counts: impl Fn(usize, usize) -> usize, sites: usize) -> Rows {
        let mut total = 0;
        let mut starts = Vec::new();
        for l in degrees {
            let mut of_degree = Vec::new();
            for site in 0..sites {
                of_degree.push(total);
                total += counts(*l, site);
            }
            of_degree.push(total);
            starts.push(of_degree);
        }
        Rows { degrees: degrees.to_vec(), starts, total }
    }

    /// Rows of a site's components of the k-th degree.
    pub(super) fn of(&self, k: usize, site: usize) -> Range<usize> {
        self.starts[k][site]..self.starts[k][site + 1]
    }

    /// Rows of the k-th degree of neighbouring sites.
    pub(super) fn of_sites(&self, k: usize, sites: Range<usize>) -> Range<usize> {
        self.starts[k][sites.start]..self.starts[k][sites.end]
    }

    /// Rows of the k-th degree.
    pub(super) fn of_degree(&self, k: usize) -> Range<usize> {
        self.of_sites(k, 0..self.starts[k].len() - 1)
    }

    /// Position of a degree.
    pub(super) fn position(&self, l: usize) -> Option<usize> {
        self.degrees.iter().position(|d| *d == l)
    }
}

/// Pairs that the same axes change.
pub(super) struct Group {
    pub(super) axes: Vec<usize>,
    /// Indices into the scene's pairs.
    pub(super) pairs: Vec<usize>,
    /// Values and scalars of a bundle of this group.
    pub(super) values: usize,
    pub(super) scalars: usize,
}

impl Group {
    /// Whether no axis changes it.
    pub(super) fn is_frozen(&self) -> bool {
        self.axes.is_empty()
    }

    /// Whether every axis changes it.
    pub(super) fn is_full(&self, scene: &Scene) -> bool {
        !self.axes.is_empty() && self.axes.len() == scene.landscape.axes.len()
    }

    /// Nodes of its axes at a point, as one number.
    pub(super) fn key(&self, scene: &Scene, point: Point) -> usize {
        let grid = &scene.landscape.grid;
        self.axes.iter().fold(0, |key, a| key * grid.shape()[*a] + grid.coordinate(point, *a))
    }
}

/// Where the operators of a pair lie within its group's bundle.
pub(super) struct PairGeometry {
    /// From the second site into the first, and back unless they are the same.
    pub(super) directions: Vec<Direction>,
}

/// The operators from a sender site into a receiver site.
#[derive(Clone)]
pub(super) struct Direction {
    pub(super) group: usize,
    pub(super) receiver: usize,
    pub(super) sender: usize,
    /// All of its rows `[row][channel]`, beginning with layer 0: `[component of the receiver][channel]`.
    pub(super) first: usize,
    /// Later layers: `[path][component of l3][component of l1][channel]`.
    pub(super) later: Vec<usize>,
    /// Rows that share a radial function: by degree for layer 0, then by path for each later layer.
    pub(super) blocks: Vec<Range<usize>>,
    /// `[density columns]` and the repulsion.
    pub(super) scalars: usize,
}

impl Direction {
    /// Number of operator rows, all layers.
    pub(super) fn rows(&self) -> usize {
        self.blocks.last().map_or(0, |b| b.end)
    }
}

/// Couplings of the bonds with one relative orientation, for each later layer.
pub(super) struct BondCoupling {
    /// Bases of receiver and sender and the rotation that made it, to find it again.
    origin: (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>, Matrix3<f64>),
    pub(super) layers: Vec<SparseCoupling>,
}

/// `G_q = sum_lm coefficient[q][lm] Y_lm`, row by row.
pub(super) struct SparseCoupling {
    /// First entry of each q, and the end.
    pub(super) starts: Vec<usize>,
    /// Component of Y and coefficient.
    pub(super) entries: Vec<(usize, f64)>,
}

impl<T: Real> Geometry<T> {
    pub(super) fn new(scene: &Scene, weights: &Weights<T>) -> Result<Geometry<T>, EngineError> {
        let sites: Vec<SiteGeometry<T>> =
            scene.sites.iter().map(|s| site_geometry(scene, s, weights)).collect::<Result<_, _>>()?;
        let counts = |l: usize, site: usize| sites[site].bases[l].ncols();
        let all: Vec<usize> = (0..=weights.lmax).collect();
        let messages = Rows::new(&all, counts, sites.len());
        let features = weights.layers.iter().map(|u| Rows::new(&u.outputs, counts, sites.len())).collect();
        let (couplings, distinct_couplings) = all_couplings(scene, &sites, weights);
        let mut sites_by_element: Vec<(usize, Range<usize>)> = Vec::new();
        for (index, site) in sites.iter().enumerate() {
            match sites_by_element.last_mut().filter(|(element, _)| *element == site.element) {
                Some((_, range)) => range.end = index + 1,
                None => sites_by_element.push((site.element, index..index + 1)),
            }
        }
        let mut geometry = Geometry {
            incoming: vec![Vec::new(); sites.len()],
            sites_by_element,
            sites,
            messages,
            features,
            groups: vec![Group { axes: Vec::new(), pairs: Vec::new(), values: 0, scalars: 0 }],
            pairs: Vec::new(),
            couplings,
            distinct_couplings,
            applications: Vec::new(),
        };
        for index in 0..scene.pairs.len() {
            geometry.place_pair(scene, index, weights);
        }
        geometry.applications = (0..weights.later.len())
            .map(|t| {
                (0..scene.sites.len())
                    .map(|site| geometry.application(t, site, &weights.later[t].paths))
                    .collect()
            })
            .collect();
        Ok(geometry)
    }

    fn application(&self, t: usize, site: usize, paths: &[Path]) -> Application {
        let mut application = Application { outputs: Vec::new(), terms: Vec::new() };
        // Operator rows of earlier paths, by incoming direction.
        let mut before = vec![0; self.incoming[site].len()];
        for (k, path) in paths.iter().enumerate() {
            let Some(input) = self.features[t].position(path.l1) else { continue };
            let target = self.messages.of(path.l3, site);
            let same_degree = |k: &usize| paths[*k].l3 == path.l3;
            for (m3, row) in target.clone().enumerate() {
                let first = application.terms.len();
                for (incoming, direction) in self.incoming[site].iter().enumerate() {
                    let senders = self.features[t].of(input, direction.sender);
                    let operator = before[incoming] + m3 * senders.len();
                    application.terms.extend(senders.enumerate().map(|(m1, feature)| Term {
                        incoming,
                        operator: operator + m1,
                        feature,
                    }));
                }
                application.outputs.push(Output {
                    l3: path.l3,
                    row: row - self.messages.of_degree(path.l3).start,
                    slot: (0..k).filter(same_degree).count(),
                    width: (0..paths.len()).filter(same_degree).count(),
                    terms: first..application.terms.len(),
                });
            }
            for (direction, before) in self.incoming[site].iter().zip(&mut before) {
                *before += target.len() * self.features[t].of(input, direction.sender).len();
            }
        }
        application
    }

    /// Gives a pair its place in the bundle of its group.
    fn place_pair(&mut self, scene: &Scene, index: usize, weights: &Weights<T>) {
        let pair = &scene.pairs[index];
        let found = self.groups.iter().position(|g| g.axes == pair.axes);
        let group = found.unwrap_or_else(|| {
            self.groups.push(Group { axes: pair.axes.clone(), pairs: Vec::new(), values: 0, scalars: 0 });
            self.groups.len() - 1
        });
        let [a, b] = pair.sites;
        let ways = if a == b { vec![(a, a)] } else { vec![(a, b), (b, a)] };
        let mut directions = Vec::new();
        for (receiver, sender) in ways {
            let mut blocks: Vec<Range<usize>> = Vec::new();
            let mut push = |rows: usize| {
                let start = blocks.last().map_or(0, |b| b.end);
                blocks.push(start..start + rows);
                start
            };
            let [to, from] = [receiver, sender].map(|s| &self.sites[s].bases);
            to.iter().for_each(|basis| _ = push(basis.ncols()));
            let place = &mut self.groups[group];
            let first = place.values;
            let mut later = Vec::new();
            for layer in &weights.later {
                let starts = layer.paths.iter().map(|p| push(to[p.l3].ncols() * from[p.l1].ncols()));
                let starts: Vec<usize> = starts.collect();
                later.push(first + starts.first().copied().unwrap_or(0) * weights.channels);
            }
            let direction =
                Direction { group, receiver, sender, first, later, blocks, scalars: place.scalars };
            place.values += direction.rows() * weights.channels;
            place.scalars += weights.density_count() + 1;
            directions.push(direction);
        }
        self.groups[group].pairs.push(index);
        // Pairs come by site, so senders come in order.
        directions.iter().for_each(|d| self.incoming[d.receiver].push(d.clone()));
        self.pairs.push(PairGeometry { directions });
    }

    /// Coupling of the bonds from an atom into a site.
    pub(super) fn coupling(&self, receiver: usize, sender: usize) -> &BondCoupling {
        &self.distinct_couplings[self.couplings[receiver][sender]]
    }
}

fn site_geometry<T: Real>(
    scene: &Scene,
    site: &crate::engine::Site,
    weights: &Weights<T>,
) -> Result<SiteGeometry<T>, EngineError> {
    let element = weights.element_index(site.element).ok_or(EngineError::Element(site.element))?;
    let bases: Vec<DMatrix<f64>> = (0..=weights.lmax).map(|l| invariant_basis(l, &site.stabiliser)).collect();
    let contractions = (weights.layers.iter())
        .map(|layer| {
            let contractions = layer.contractions.iter();
            contractions.map(|c| SiteContraction::new(c, &bases, element, weights.channels)).collect()
        })
        .collect();
    let share = site.multiplicity as f64 / scene.atom_count as f64;
    Ok(SiteGeometry { element, share, bases, contractions })
}

/// Couplings for every (receiver, sender atom); bonds between sites without symmetry in a crystal without rotations
/// all share one.
fn all_couplings<T: Real>(
    scene: &Scene,
    sites: &[SiteGeometry<T>],
    weights: &Weights<T>,
) -> (Vec<Vec<usize>>, Vec<BondCoupling>) {
    let mut distinct: Vec<BondCoupling> = Vec::new();
    let mut indices = vec![vec![usize::MAX; scene.atom_count]; sites.len()];
    let bonds = scene.pairs.iter().flat_map(|p| &p.shells).flat_map(|s| &s.bonds);
    let tensors: Vec<Vec<Coupling>> = (weights.later.iter())
        .map(|layer| layer.paths.iter().map(|p| coupling(p.l1, p.l2, p.l3)).collect())
        .collect();
    for bond in bonds {
        let index = &mut indices[bond.receiver][bond.sender];
        if *index != usize::MAX {
            continue;
        }
        let (receiver, sender) = (&sites[bond.receiver].bases, &sites[bond.sender_site].bases);
        let turn = scene.rotations[bond.sender];
        let same = |c: &BondCoupling| c.origin.0 == *receiver && c.origin.1 == *sender && c.origin.2 == turn;
        *index = distinct.iter().position(same).unwrap_or_else(|| {
            let layers = weights.later.iter().zip(&tensors);
            let layers = layers.map(|(l, t)| sparse(&l.paths, t, (receiver, sender), &turn)).collect();
            distinct.push(BondCoupling { origin: (receiver.clone(), sender.clone(), turn), layers });
            distinct.len() - 1
        });
    }
    (indices, distinct)
}

/// `G_k[m3'][m1'] = sqrt(2 l3 + 1) sum Q_receiver[m3][m3'] C[m1][m2][m3] D(turn)[m1][n] Q_sender[n][m1'] Y_m2`.
fn sparse(
    paths: &[Path],
    tensors: &[Coupling],
    (receiver, sender): (&[DMatrix<f64>], &[DMatrix<f64>]),
    turn: &Matrix3<f64>,
) -> SparseCoupling {
    let mut out = SparseCoupling { starts: Vec::new(), entries: Vec::new() };
    for (path, tensor) in paths.iter().zip(tensors) {
        let turned = rotation(path.l1, turn) * &sender[path.l1];
        let scale = ((2 * path.l3 + 1) as f64).sqrt();
        for left in receiver[path.l3].column_iter() {
            for right in turned.column_iter() {
                out.starts.push(out.entries.len());
                for m2 in 0..2 * path.l2 + 1 {
                    let mut sum = 0.0;
                    for (m3, a) in left.iter().enumerate() {
                        for (m1, b) in right.iter().enumerate() {
                            sum += a * b * tensor.at(m1, m2, m3);
                        }
                    }
                    if sum.abs() > 1e-13 {
                        out.entries.push((components(path.l2) - (2 * path.l2 + 1) + m2, scale * sum));
                    }
                }
            }
        }
    }
    out.starts.push(out.entries.len());
    out
}
