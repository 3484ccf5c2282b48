//! A scene in terms of the model: bases of the sites' features, places in arrays, groups of pairs.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::coupling::Couplings;
use super::{BLOCK, Interaction, Interactions, PathColumns};
use crate::engine::{Bond, EngineError, Pair, Scene, Shell};
use crate::equivariant::invariant_basis;
use crate::landscape::Point;
use crate::potential::mace::Path;

/// Squared lengths of bonds that differ by less, in square Angstrom, are the same.
const SAME_LENGTH: f64 = 1e-10;

/// A scene in terms of a model.
pub struct Geometry {
    pub(in crate::engine) sites: Vec<SiteGeometry>,
    /// Components of the sites by degree.
    pub(in crate::engine) components: Components,
    /// Couplings of all layers, without repetition.
    paths: Vec<Path>,
    /// Arrays of each layer.
    pub(in crate::engine) layers: Vec<LayerArrays>,
    /// Pairs by the axes that change them; the first group is the frozen one.
    pub(in crate::engine) groups: Vec<Group>,
    /// Of each pair of the scene.
    pub(in crate::engine) pairs: Vec<PairGeometry>,
    /// Directions into each site, by sender: the pair and the place among its directions.
    pub(in crate::engine) incoming: Vec<Vec<(usize, usize)>>,
    pub(in crate::engine) couplings: Couplings,
}

/// A site in terms of a model.
pub struct SiteGeometry {
    /// Place of its element in the weights' list.
    pub(in crate::engine) element: usize,
    /// Atoms that it stands for, as a share of all.
    pub(in crate::engine) share: f64,
    /// Invariant components of each degree: `(2l + 1) x n`, orthonormal columns.
    pub(in crate::engine) bases: Vec<DMatrix<f64>>,
}

/// Components of sites by degree, counted through all sites.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Components {
    /// First of each site's by degree; one more entry ends the last site.
    starts: Arc<Vec<Vec<usize>>>,
}

impl Components {
    fn new(sites: &[SiteGeometry], degrees: usize) -> Components {
        let starts = |l: usize| {
            let mut starts = vec![0];
            sites.iter().for_each(|site| starts.push(starts[starts.len() - 1] + site.bases[l].ncols()));
            starts
        };
        Components { starts: Arc::new((0..degrees).map(starts).collect()) }
    }

    /// Those of a site.
    #[inline(always)]
    pub(in crate::engine) fn of(&self, l: usize, site: usize) -> Range<usize> {
        self.starts[l][site]..self.starts[l][site + 1]
    }

    /// Those of neighbouring sites.
    pub(in crate::engine) fn of_sites(&self, l: usize, sites: Range<usize>) -> Range<usize> {
        self.starts[l][sites.start]..self.starts[l][sites.end]
    }

    /// Those of all sites.
    pub(in crate::engine) fn all(&self, l: usize) -> Range<usize> {
        0..self.starts[l].last().copied().unwrap_or(0)
    }
}

/// Where operators of a layer find the senders' features and add to messages.
pub(in crate::engine) struct LayerArrays {
    /// Features.
    pub(in crate::engine) inputs: Array,
    /// Messages by paths.
    pub(in crate::engine) messages: Array,
}

/// An array `[degree][component][point][column]`, with a number of columns for each degree.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Array {
    /// Where each degree begins in what belongs to one point, and the end.
    bases: Vec<usize>,
    pub(in crate::engine) widths: Vec<usize>,
}

impl Array {
    pub(in crate::engine) fn new(widths: &[usize], components: &Components) -> Array {
        let mut bases = vec![0];
        for (l, width) in widths.iter().enumerate() {
            bases.push(bases[l] + components.all(l).len() * width);
        }
        Array { bases, widths: widths.to_vec() }
    }

    /// Numbers of a point.
    pub(in crate::engine) fn numbers(&self) -> usize {
        self.bases[self.widths.len()]
    }

    /// Numbers of a block of points.
    pub(in crate::engine) fn len(&self) -> usize {
        self.numbers() * BLOCK
    }

    /// Numbers of a point that precede a component.
    #[inline(always)]
    pub(in crate::engine) fn before(&self, l: usize, component: usize) -> usize {
        self.bases[l] + component * self.widths[l]
    }

    /// Where a component begins for a point of a block.
    #[inline(always)]
    pub(in crate::engine) fn row(&self, l: usize, component: usize, point: usize) -> usize {
        self.before(l, component) * BLOCK + point * self.widths[l]
    }

    /// Neighbouring components of a block of points.
    pub(in crate::engine) fn rows(&self, l: usize, components: Range<usize>) -> Range<usize> {
        self.before(l, components.start) * BLOCK..self.before(l, components.end) * BLOCK
    }
}

/// Pairs that the same axes change.
pub(in crate::engine) struct Group {
    pub(in crate::engine) axes: Vec<usize>,
    /// Indices into the scene's pairs.
    pub(in crate::engine) pairs: Vec<usize>,
    /// Numbers of a bundle of this group.
    pub(in crate::engine) values: usize,
    pub(in crate::engine) scalars: usize,
}

impl Group {
    fn new(axes: &[usize]) -> Group {
        Group { axes: axes.to_vec(), pairs: Vec::new(), values: 0, scalars: 0 }
    }

    /// Whether no axis changes it.
    pub(in crate::engine) fn is_frozen(&self) -> bool {
        self.axes.is_empty()
    }

    /// Whether its operators serve several points, so that they are worth keeping.
    pub(in crate::engine) fn is_keepable(&self, scene: &Scene) -> bool {
        self.is_frozen() || self.axes.len() < scene.landscape.axes.len()
    }

    /// Nodes of its axes at a point, as one number.
    pub(in crate::engine) fn key(&self, scene: &Scene, point: Point) -> usize {
        let grid = &scene.landscape.grid;
        self.axes.iter().fold(0, |key, a| key * grid.shape()[*a] + grid.coordinate(point, *a))
    }
}

/// A pair's operators.
pub(in crate::engine) struct PairGeometry {
    pub(in crate::engine) group: usize,
    /// Bonds of equal length at every point, as places in the scene: shells of the pair.
    pub(in crate::engine) spheres: Vec<Vec<usize>>,
    /// From the second site into the first, and back unless they are the same.
    pub(in crate::engine) directions: Vec<Direction>,
}

impl PairGeometry {
    /// The bond that gives the distance of a sphere.
    pub(in crate::engine) fn bond<'a>(&self, pair: &'a Pair, sphere: usize) -> &'a Bond {
        &pair.shells[self.spheres[sphere][0]].bonds[0]
    }

    /// The shells of a sphere.
    pub(in crate::engine) fn shells<'a>(
        &'a self,
        pair: &'a Pair,
        sphere: usize,
    ) -> impl Iterator<Item = &'a Shell> {
        self.spheres[sphere].iter().map(|k| &pair.shells[*k])
    }
}

/// The operators from a sender site into a receiver site.
pub(in crate::engine) struct Direction {
    pub(in crate::engine) receiver: usize,
    #[cfg(feature = "cuda")]
    pub(in crate::engine) sender: usize,
    /// Where its operators begin in the bundle of its group.
    pub(in crate::engine) first: usize,
    /// Numbers of them.
    pub(in crate::engine) values: usize,
    /// Rows `[path][component of l3][component of l1]` of the angular parts.
    pub(in crate::engine) angular: usize,
    /// By layer and its paths.
    pub(in crate::engine) blocks: Vec<Vec<Rows>>,
    /// Where its scalars begin in the bundle of its group.
    pub(in crate::engine) scalars: usize,
}

/// Rows of a path's operator, `[component of l3][component of l1][column]`.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Rows {
    /// The first of the angular parts.
    pub(in crate::engine) angular: usize,
    /// Where it begins in the direction's operators.
    pub(in crate::engine) first: usize,
    /// Components of l3 and l1.
    pub(in crate::engine) shape: [usize; 2],
    /// First components of the receiver's l3 and the sender's l1.
    pub(in crate::engine) components: [usize; 2],
}

impl Geometry {
    pub(in crate::engine) fn new<T>(scene: &Scene, of: &Interactions<T>) -> Result<Geometry, EngineError> {
        let mut paths: Vec<Path> = Vec::new();
        for path in of.layers.iter().flat_map(|l| &l.paths).map(|p| p.path) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let lengths = of.layers.iter().flat_map(|l| [l.inputs.len(), l.messages.len()]);
        let degrees = lengths.fold(of.lmax + 1, usize::max);
        let site = |site: &crate::engine::Site| {
            let element = of.element_index(site.element).ok_or(EngineError::Element(site.element))?;
            let bases = (0..degrees).map(|l| invariant_basis(l, &site.stabiliser)).collect();
            let share = site.multiplicity as f64 / scene.atom_count as f64;
            Ok(SiteGeometry { element, share, bases })
        };
        let sites: Vec<SiteGeometry> = scene.sites.iter().map(site).collect::<Result<_, EngineError>>()?;
        let components = Components::new(&sites, degrees);
        let arrays = |layer: &Interaction<T>| LayerArrays {
            inputs: Array::new(&layer.inputs, &components),
            messages: Array::new(&layer.messages, &components),
        };
        let layers = of.layers.iter().map(arrays).collect();
        let mut geometry = Geometry {
            incoming: vec![Vec::new(); sites.len()],
            groups: vec![Group::new(&[])],
            pairs: Vec::new(),
            couplings: Couplings::new(scene, &sites, &paths, of.lmax),
            sites,
            components,
            paths,
            layers,
        };
        scene.pairs.iter().for_each(|pair| geometry.place(pair, of));
        Ok(geometry)
    }

    /// Pairs in the order of summation: first those whose operators may be kept, how many they are, then the others.
    pub(super) fn order(&self, scene: &Scene) -> (Vec<usize>, usize) {
        let keepable = |pair: &usize| self.groups[self.pairs[*pair].group].is_keepable(scene);
        let (mut first, others): (Vec<usize>, Vec<usize>) = (0..self.pairs.len()).partition(keepable);
        let count = first.len();
        first.extend(others);
        (first, count)
    }

    /// Elements of the two sites of a pair of the scene.
    pub(in crate::engine) fn elements(&self, pair: &Pair) -> [usize; 2] {
        pair.sites.map(|site| self.sites[site].element)
    }

    /// Gives a pair its place in the bundle of its group.
    fn place<T>(&mut self, pair: &Pair, of: &Interactions<T>) {
        let index = self.pairs.len();
        let found = self.groups.iter().position(|g| g.axes == pair.axes);
        let group = found.unwrap_or_else(|| {
            self.groups.push(Group::new(&pair.axes));
            self.groups.len() - 1
        });
        let [a, b] = pair.sites;
        let ways = if a == b { vec![(a, a)] } else { vec![(a, b), (b, a)] };
        let mut directions: Vec<Direction> = Vec::new();
        for (receiver, sender) in ways {
            let mut direction = self.direction(receiver, sender, &of.layers);
            let own = &mut self.groups[group];
            (direction.first, direction.scalars) = (own.values, own.scalars);
            own.values += direction.values;
            own.scalars += of.scalar_count();
            // Pairs come by site, so senders come in order.
            self.incoming[receiver].push((index, directions.len()));
            directions.push(direction);
        }
        self.groups[group].pairs.push(index);
        self.pairs.push(PairGeometry { group, spheres: spheres(pair), directions });
    }

    /// The rows from a sender into a receiver, with no place in a bundle yet.
    fn direction<T>(&self, receiver: usize, sender: usize, layers: &[Interaction<T>]) -> Direction {
        let components = |p: &Path| [self.components.of(p.l3, receiver), self.components.of(p.l1, sender)];
        let mut angular = vec![0];
        for path in &self.paths {
            let [n3, n1] = components(path).map(|c| c.len());
            angular.push(angular[angular.len() - 1] + n3 * n1);
        }
        let mut values = 0;
        let mut blocks = Vec::new();
        for layer in layers {
            let rows = |p: &PathColumns| {
                let place = self.paths.iter().position(|q| *q == p.path).unwrap_or(0);
                let (first, own) = (values, components(&p.path));
                let shape = own.clone().map(|c| c.len());
                values += shape[0] * shape[1] * p.width;
                Rows { angular: angular[place], first, shape, components: own.map(|c| c.start) }
            };
            blocks.push(layer.paths.iter().map(rows).collect());
        }
        let angular = angular[self.paths.len()];
        Direction {
            receiver,
            #[cfg(feature = "cuda")]
            sender,
            first: 0,
            values,
            angular,
            blocks,
            scalars: 0,
        }
    }
}

/// Shells of a pair whose bonds have the same length at every point: symmetry that the potential or the scene does
/// without makes more of them equal.
fn spheres(pair: &Pair) -> Vec<Vec<usize>> {
    // |base + sum slopes s|^2 as a polynomial of s.
    let square = |bond: &Bond| {
        let vectors: Vec<_> = std::iter::once(&bond.base).chain(&bond.slopes).collect();
        let products = (0..vectors.len()).flat_map(|i| (0..=i).map(move |j| (i, j)));
        products.map(|(i, j)| vectors[i].dot(vectors[j])).collect::<Vec<f64>>()
    };
    let mut spheres: Vec<(Vec<f64>, Vec<usize>)> = Vec::new();
    for (index, bond) in pair.shells.iter().enumerate().filter_map(|(k, s)| Some((k, s.bonds.first()?))) {
        let own = square(bond);
        let same = |(other, _): &&mut (Vec<f64>, Vec<usize>)| {
            own.iter().zip(other).all(|(a, b)| (a - *b).abs() < SAME_LENGTH)
        };
        match spheres.iter_mut().find(same) {
            Some((_, members)) => members.push(index),
            None => spheres.push((own, vec![index])),
        }
    }
    spheres.into_iter().map(|(_, members)| members).collect()
}
