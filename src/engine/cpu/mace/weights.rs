//! A model for one set of elements: radial networks tabulated, weights folded together and rounded.

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::contraction::SymmetricContraction;
use crate::crystal::Element;
use crate::engine::cpu::pairs::{Interaction, Interactions, PathColumns, Scalars};
use crate::engine::cpu::real::rounded;
use crate::engine::cpu::{LANES, Matrix, Real, Table};
use crate::potential::mace::{Layer, Mace, Normaliser, Path, RadialBasis, Readout, Skip, density};

/// A model for one set of elements and one head. Weight matrices and tables have the channels padded to [`LANES`].
pub struct Weights<T> {
    /// The messages of all layers; other indices of elements are places in its list. Radial functions of layer 0 are
    /// the whole way from distance to `A_l`, harmonics aside.
    pub(in crate::engine) interactions: Interactions<T>,
    /// Padded channels.
    pub(crate) channels: usize,
    /// Layers 1, 2, ...
    pub(crate) later: Vec<LaterLayer<T>>,
    /// All layers, what follows their messages.
    pub(crate) layers: Vec<Update<T>>,
    /// Which of the densities among the scalars normalises a layer, if one does.
    pub(crate) density_column: Vec<Option<usize>>,
    /// One a layer.
    pub(crate) readouts: Vec<HeadReadout<T>>,
    /// Energy of the isolated atom plus the shift, eV, by element.
    pub(crate) atomic_energies: Vec<f64>,
    /// Factor of everything else.
    pub(crate) scale: f64,
}

/// What surrounds the messages of a layer whose input features come from the layer before.
pub(crate) struct LaterLayer<T> {
    /// One a degree of the inputs.
    pub(crate) up: Vec<Matrix<T>>,
    /// What is added to degree 0 after it, by element.
    pub(crate) up_constant: Option<Vec<Vec<T>>>,
    /// By degree l3, then by element of the receiver (a single entry serves all): the matrices of its paths below one
    /// another.
    pub(crate) linear: Vec<Vec<Matrix<T>>>,
}

/// What turns a layer's messages A into its output features. Those of layer 0 are B itself where a layer and a linear
/// readout follow: its product matrices, and the constant of its self-connection, are then part of what follows.
pub(crate) struct Update<T> {
    pub(crate) outputs: Vec<usize>,
    /// One an output degree; the coefficients depend on the site.
    pub(in crate::engine) contractions: Vec<SymmetricContraction>,
    /// One an output degree, or none.
    pub(crate) product: Vec<Matrix<T>>,
    /// A constant for each element, added to degree 0: the self-connection of layer 0.
    pub(crate) constant: Option<Vec<Vec<T>>>,
    /// Self-connection of a later layer: degrees and matrices by element.
    pub(crate) skip: Vec<(usize, Vec<Matrix<T>>)>,
}

/// A readout for one head.
pub(crate) enum HeadReadout<T> {
    /// `[C]`, and a constant for each element.
    Linear(Vec<T>, Vec<f64>),
    /// The hidden units of the head, and their weights with kappa in them.
    Hidden { first: Matrix<T>, second: Vec<f64> },
}

impl<T: Real> Weights<T> {
    /// Folds and rounds a model's weights for some elements, which it must know, and one of its heads.
    pub(crate) fn new(model: &Mace, elements: &[Element], head: usize) -> Weights<T> {
        let known = Interactions::<T>::known(elements, |e| model.element_index(e));
        let fold = Fold { model, elements: known, channels: model.channels.next_multiple_of(LANES) };
        let density_layers: Vec<usize> = (model.layers.iter().enumerate())
            .filter(|(_, l)| matches!(l.normaliser, Normaliser::Density(_)))
            .map(|(t, _)| t)
            .collect();
        let column = |t: usize| density_layers.iter().position(|d| *d == t);
        Weights {
            interactions: Interactions {
                elements: fold.elements.iter().map(|(e, _)| *e).collect(),
                lmax: model.lmax,
                layers: (0..model.layers.len()).map(|t| fold.interaction(t)).collect(),
                scalars: Some(Scalars {
                    densities: (!density_layers.is_empty()).then(|| fold.density_tables()),
                    density_count: density_layers.len(),
                    zbl: model.zbl.clone(),
                }),
            },
            channels: fold.channels,
            later: (1..model.layers.len()).map(|t| fold.later_layer(t)).collect(),
            layers: (0..model.layers.len()).map(|t| fold.update(t)).collect(),
            density_column: (0..model.layers.len()).map(column).collect(),
            readouts: (0..model.layers.len()).map(|t| fold.readout(t, head)).collect(),
            atomic_energies: (fold.elements.iter())
                .map(|(_, e)| model.atomic_energies[(head, *e)] + model.shift[head])
                .collect(),
            scale: model.scale[head],
        }
    }
}

struct Fold<'a> {
    model: &'a Mace,
    /// Elements with their indices in the model.
    elements: Vec<(Element, usize)>,
    /// Padded channels.
    channels: usize,
}

impl Fold<'_> {
    /// A table for every (receiver, sender); pairs with equal keys share theirs.
    fn by_pair<T: Real, K: std::hash::Hash + Eq + Send + Clone + Sync>(
        &self,
        key: impl Fn(usize, usize) -> K,
        functions: impl Fn(usize, usize, &[f64]) -> Array2<f64> + Sync,
    ) -> Vec<Vec<Arc<Table<T>>>> {
        let count = self.elements.len();
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        let mut distinct: HashMap<K, (usize, usize)> = HashMap::new();
        for (a, b) in pairs {
            distinct.entry(key(a, b)).or_insert((a, b));
        }
        let cutoff = self.model.radial.cutoff;
        let build = |(key, (a, b)): (K, (usize, usize))| {
            (key, Arc::new(Table::new(cutoff, T::TABLE_INTERVALS, |r| functions(a, b, r))))
        };
        let tables: HashMap<K, Arc<Table<T>>> = distinct.into_par_iter().map(build).collect();
        (0..count).map(|a| (0..count).map(|b| tables[&key(a, b)].clone()).collect()).collect()
    }

    /// Pairs with the same radial basis have the same key: all of them without a transform, else both orders.
    fn basis_key(&self, a: usize, b: usize) -> (usize, usize) {
        if self.model.radial.transform.is_some() { (a.min(b), a.max(b)) } else { (0, 0) }
    }

    fn basis(&self, a: usize, b: usize, distances: &[f64]) -> Array2<f64> {
        // The basis is symmetric in the pair; one order makes it so to the last bit.
        let (a, b) = (a.min(b), a.max(b));
        basis_functions(&self.model.radial, (self.elements[a].0, self.elements[b].0), distances)
    }

    /// Paths in blocks of equal width, and their radial functions.
    fn interaction<T: Real>(&self, t: usize) -> Interaction<T> {
        let (c, lmax) = (self.channels, self.model.lmax);
        let own = match t {
            0 => (0..=lmax).map(|l| Path { l1: 0, l2: l, l3: l }).collect(),
            _ => self.model.layers[t].paths.clone(),
        };
        let count = |paths: &[Path], l3: usize| paths.iter().filter(|p| p.l3 == l3).count();
        let columns = |(k, path): (usize, &Path)| PathColumns {
            path: *path,
            width: c,
            column: k * c,
            slot: c * count(&own[..k], path.l3),
        };
        let inputs = |outputs: &[usize]| {
            let highest = outputs.iter().max().copied().unwrap_or(0);
            (0..=highest).map(|l| if outputs.contains(&l) { c } else { 0 }).collect()
        };
        Interaction {
            inputs: t.checked_sub(1).map_or(Vec::new(), |before| inputs(&self.model.layers[before].outputs)),
            messages: (0..=lmax).map(|l| c * count(&own, l)).collect(),
            paths: own.iter().enumerate().map(columns).collect(),
            tables: if t == 0 { self.first_tables() } else { self.later_tables(t) },
        }
    }

    fn first_tables<T: Real>(&self) -> Vec<Vec<Arc<Table<T>>>> {
        let layer = &self.model.layers[0];
        let mixes = matches!(layer.skip, Skip::Messages(_));
        let key = |receiver: usize, sender: usize| {
            (self.basis_key(receiver, sender), sender, if mixes { receiver } else { 0 })
        };
        self.by_pair(key, |receiver, sender, r| self.first_functions(layer, receiver, sender, r))
    }

    /// Columns `l*C + d`: R_l(r) u(sender) linear_l, mixed for the receiver's element and normalised.
    fn first_functions(&self, layer: &Layer, receiver: usize, sender: usize, r: &[f64]) -> Array2<f64> {
        let c = self.model.channels;
        let weights = layer.network.evaluate(&self.basis(receiver, sender, r));
        let embedded = self.model.embedding.row(self.elements[sender].1).dot(&layer.up[0]);
        let mut out = Array2::zeros((r.len(), (self.model.lmax + 1) * self.channels));
        for (k, path) in layer.paths.iter().enumerate() {
            let radial = &weights.slice(ndarray::s![.., k * c..(k + 1) * c]) * &embedded;
            let mut messages = radial.dot(&self.mixed_linear(layer, k, receiver));
            messages *= normalisation(path) / mean_neighbours(layer);
            let start = path.l3 * self.channels;
            out.slice_mut(ndarray::s![.., start..start + c]).assign(&messages);
        }
        out
    }

    /// Columns `k*C + c`: the weight of path k.
    fn later_tables<T: Real>(&self, t: usize) -> Vec<Vec<Arc<Table<T>>>> {
        let (layer, c) = (&self.model.layers[t], self.model.channels);
        let functions = |a: usize, b: usize, r: &[f64]| {
            let weights = layer.network.evaluate(&self.basis(a, b, r));
            let mut out = Array2::zeros((r.len(), layer.paths.len() * self.channels));
            for (k, path) in layer.paths.iter().enumerate() {
                let (own, start) = (weights.slice(ndarray::s![.., k * c..(k + 1) * c]), k * self.channels);
                let own = &own * normalisation(path);
                out.slice_mut(ndarray::s![.., start..start + c]).assign(&own);
            }
            out
        };
        self.by_pair(|a, b| self.basis_key(a, b), functions)
    }

    /// The linear map of a path, followed by the mixing for the receiver's element where the block has it.
    fn mixed_linear(&self, layer: &Layer, path: usize, receiver: usize) -> Array2<f64> {
        match &layer.skip {
            Skip::Messages(maps) => {
                layer.linear[path].dot(&maps[layer.paths[path].l3][self.elements[receiver].1])
            }
            _ => layer.linear[path].clone(),
        }
    }

    fn later_layer<T: Real>(&self, t: usize) -> LaterLayer<T> {
        let layer = &self.model.layers[t];
        let receivers = if matches!(layer.skip, Skip::Messages(_)) { self.elements.len() } else { 1 };
        let linear = |l3: usize, receiver: usize| {
            let paths = (0..layer.paths.len()).filter(|k| layer.paths[*k].l3 == l3);
            let matrix =
                |k: usize| self.square(&(self.mixed_linear(layer, k, receiver) / mean_neighbours(layer)));
            Matrix::stacked(paths.map(matrix).collect())
        };
        let constants = self.folded_constants(t).zip(layer.up.first());
        LaterLayer {
            up: layer.up.iter().enumerate().map(|(k, m)| self.square(&self.after_product(t, k, m))).collect(),
            up_constant: constants
                .map(|(of, up)| of.into_iter().map(|constant| self.pad(constant.dot(up))).collect()),
            linear: (0..=self.model.lmax).map(|l3| (0..receivers).map(|e| linear(l3, e)).collect()).collect(),
        }
    }

    fn update<T: Real>(&self, t: usize) -> Update<T> {
        let layer = &self.model.layers[t];
        let indices: Vec<usize> = self.elements.iter().map(|(_, e)| *e).collect();
        let folded = t == 0 && self.folds();
        let (mut constant, mut skip) = (None, Vec::new());
        match &layer.skip {
            Skip::Residual(_) if t == 0 && !folded => constant = self.first_constants(),
            Skip::Residual(maps) if t > 0 => {
                let outputs = &self.model.layers[t - 1].outputs;
                for (l, of) in maps {
                    let Some(k) = outputs.iter().position(|o| o == l) else { continue };
                    let matrix = |(_, e): &(Element, usize)| self.square(&self.after_product(t, k, &of[*e]));
                    skip.push((*l, self.elements.iter().map(matrix).collect()));
                }
                let scalars = maps.iter().find(|(l, _)| *l == 0);
                constant = self.folded_constants(t).zip(scalars).map(|(constants, (_, of))| {
                    constants.iter().zip(&self.elements).map(|(c, (_, e))| c.dot(&of[*e])).collect()
                });
            }
            _ => {}
        }
        Update {
            outputs: layer.outputs.clone(),
            contractions: (layer.contractions.iter())
                .map(|c| SymmetricContraction::new(c, self.model.lmax, &indices))
                .collect(),
            product: if folded { Vec::new() } else { layer.product.iter().map(|m| self.square(m)).collect() },
            constant: constant.map(|of| of.into_iter().map(|row| self.pad(row)).collect()),
            skip,
        }
    }

    /// Whether the product of layer 0 is part of what follows it.
    fn folds(&self) -> bool {
        self.model.layers.len() > 1 && matches!(self.model.readouts[0], Readout::Linear(_))
    }

    /// A matrix that is applied to the k-th degree of the features that layer `t` gets.
    fn after_product(&self, t: usize, k: usize, matrix: &Array2<f64>) -> Array2<f64> {
        if t == 1 && self.folds() { self.model.layers[0].product[k].dot(matrix) } else { matrix.clone() }
    }

    /// What the self-connection of layer 0 adds to degree 0, by element.
    fn first_constants(&self) -> Option<Vec<Array1<f64>>> {
        let Skip::Residual(maps) = &self.model.layers[0].skip else { return None };
        let map = &maps.first()?.1;
        let row = |(_, e): &(Element, usize)| self.model.embedding.row(*e).dot(&map[*e]);
        Some(self.elements.iter().map(row).collect())
    }

    /// The same, where layer `t` has to add it because its input lacks it.
    fn folded_constants(&self, t: usize) -> Option<Vec<Array1<f64>>> {
        if t == 1 && self.folds() { self.first_constants() } else { None }
    }

    fn density_tables(&self) -> Vec<Vec<Arc<Table<f64>>>> {
        let weights: Vec<_> = (self.model.layers.iter())
            .filter_map(|l| match &l.normaliser {
                Normaliser::Density(w) => Some(w),
                Normaliser::Mean(_) => None,
            })
            .collect();
        self.by_pair(
            |a, b| self.basis_key(a, b),
            |a, b, r| {
                let basis = self.basis(a, b, r);
                Array2::from_shape_fn((r.len(), weights.len()), |(i, k)| {
                    density(&basis.row(i).to_vec(), weights[k])
                })
            },
        )
    }

    fn readout<T: Real>(&self, t: usize, head: usize) -> HeadReadout<T> {
        match &self.model.readouts[t] {
            Readout::Linear(weights) => {
                let weights = weights.column(head).to_owned();
                let constants = self.folded_constants(t + 1);
                let constant = |c: Vec<Array1<f64>>| c.iter().map(|c| c.dot(&weights)).collect();
                let folded = t == 0 && self.folds();
                let row =
                    if folded { self.model.layers[0].product[0].dot(&weights) } else { weights.clone() };
                HeadReadout::Linear(self.pad(row), constants.map_or(vec![0.0; self.elements.len()], constant))
            }
            Readout::Hidden { first, second, kappa } => {
                // Each head has its own block of hidden units; those of other heads are masked.
                let units = first.ncols() / second.ncols();
                let columns = ndarray::s![.., head * units..(head + 1) * units];
                let rows = ndarray::s![head * units..(head + 1) * units, head];
                HeadReadout::Hidden {
                    first: Matrix::padded(&first.slice(columns).to_owned(), self.channels, units),
                    second: second.slice(rows).iter().map(|w| kappa * w).collect(),
                }
            }
        }
    }

    fn square<T: Real>(&self, matrix: &Array2<f64>) -> Matrix<T> {
        Matrix::padded(matrix, self.channels, self.channels)
    }

    fn pad<T: Real>(&self, values: Array1<f64>) -> Vec<T> {
        let mut padded = rounded(values);
        padded.resize(self.channels, T::ZERO);
        padded
    }
}

/// Factor of a coupling whose squares add up to 1.
fn normalisation(path: &Path) -> f64 {
    ((2 * path.l3 + 1) as f64).sqrt()
}

fn mean_neighbours(layer: &Layer) -> f64 {
    match layer.normaliser {
        Normaliser::Mean(mean) => mean,
        Normaliser::Density(_) => 1.0,
    }
}

/// `[distances][basis]`.
fn basis_functions(radial: &RadialBasis, pair: (Element, Element), distances: &[f64]) -> Array2<f64> {
    let mut basis = Array2::zeros((distances.len(), radial.len()));
    for (r, mut row) in distances.iter().zip(basis.rows_mut()) {
        let mut values = vec![0.0; radial.len()];
        radial.evaluate(*r, pair, &mut values);
        row.assign(&Array1::from(values));
    }
    basis
}
