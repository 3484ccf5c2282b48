//! A model's weights as the engine uses them: first layers split by their inputs, means taken out of what a norm follows,
//! functions of distance and angle in tables.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;

use super::first::{self, functions_at};
use crate::crystal::Element;
use crate::engine::cpu::real::rounded;
use crate::engine::cpu::{Matrix, Real, Table};
use crate::engine::{EngineError, Scene};
use crate::potential::chgnet::{Branch, Chgnet, Convolution, FEATURES, GatedMlp, Linear, Norm};

/// Features of both branches of a gated message, those of the core first.
pub(in crate::engine) const BOTH: usize = 2 * FEATURES;

/// Intervals of a table are so many times [`Real::TABLE_INTERVALS`]: the radial functions have waves of 0.35 Angstrom.
const FINER: usize = 2;

/// Where the columns of a table are.
pub(in crate::engine) struct Columns;

impl Columns {
    /// First features of a bond or an angle.
    pub(in crate::engine) const FEATURES: usize = 0;
    /// Of a bond: w.
    pub(in crate::engine) const WEIGHTS: usize = FEATURES;

    /// Of a bond with its first features: what it adds to the first layers of an atom layer but the first, `[BOTH]`.
    pub(in crate::engine) fn of_bond(layer: usize) -> usize {
        2 * FEATURES + (layer - 1) * BOTH
    }

    /// Of an angle with its first features: what it adds to the first layers of the first bond layer, `[BOTH]`.
    pub(in crate::engine) const BOND_LAYER: usize = FEATURES;
    /// The same for the first update of the angles.
    pub(in crate::engine) const ANGLE_LAYER: usize = FEATURES + BOTH;
}

/// All weights.
pub(in crate::engine) struct Weights<T> {
    pub(in crate::engine) elements: Vec<ElementWeights<T>>,
    /// By distance up to the cutoff, see [`Columns`].
    pub(in crate::engine) bond_table: Table<T>,
    /// By distance up to the angle cutoff: v, `[C]`.
    pub(in crate::engine) short_table: Table<T>,
    /// By angle up to pi, see [`Columns`].
    pub(in crate::engine) angle_table: Table<T>,
    pub(in crate::engine) cutoff: f64,
    pub(in crate::engine) angle_cutoff: f64,
    pub(in crate::engine) atom_layers: Vec<AtomLayer<T>>,
    pub(in crate::engine) bond_layers: Vec<BondLayer<T>>,
    /// The updates of the angles after each bond layer but the last.
    pub(in crate::engine) angle_layers: Vec<BondInputs<T>>,
    pub(in crate::engine) readout_norm: [Vec<T>; 2],
    /// Hidden layers of the readout: matrix and bias.
    pub(in crate::engine) readout: Vec<(Matrix<T>, Vec<T>)>,
    /// The last layer.
    pub(in crate::engine) last: Vec<T>,
    pub(in crate::engine) last_bias: f64,
}

/// What depends on an element.
pub(in crate::engine) struct ElementWeights<T> {
    element: Element,
    pub(in crate::engine) embedding: Vec<T>,
    /// Of an isolated atom, eV.
    pub(in crate::engine) energy: f64,
    /// Along long bonds in the first atom layer, by neighbouring element: see [`first::messages`].
    pub(in crate::engine) messages: Vec<Table<T>>,
}

/// Convolution over the bonds of an atom.
pub(in crate::engine) struct AtomLayer<T> {
    /// Centre, then neighbour: `[C][2 BOTH]`.
    pub(in crate::engine) atom: Matrix<T>,
    /// Bias of both branches, for the centre; zeros for the neighbour.
    pub(in crate::engine) atom_bias: Vec<T>,
    /// `[C][BOTH]`.
    pub(in crate::engine) bond: Matrix<T>,
    pub(in crate::engine) gated: Gated<T>,
    /// `[C][C]`.
    pub(in crate::engine) output: Matrix<T>,
}

/// Convolution over the angles of a bond.
pub(in crate::engine) struct BondLayer<T> {
    pub(in crate::engine) inputs: BondInputs<T>,
    /// `[C][C]`.
    pub(in crate::engine) output: Matrix<T>,
}

/// A gated message of a bond, another bond, an angle and the centre.
pub(in crate::engine) struct BondInputs<T> {
    /// The bond, then the other bond: `[C][2 BOTH]`.
    pub(in crate::engine) bond: Matrix<T>,
    /// `[C][BOTH]`.
    pub(in crate::engine) angle: Matrix<T>,
    /// `[C][BOTH]`.
    pub(in crate::engine) atom: Matrix<T>,
    pub(in crate::engine) atom_bias: Vec<T>,
    pub(in crate::engine) gated: Gated<T>,
}

/// What follows the first layer of a gated message.
pub(in crate::engine) struct Gated<T> {
    /// Second layers of core and gate, if there are any.
    pub(in crate::engine) second: Option<[Matrix<T>; 2]>,
    /// Their bias, `[BOTH]`; zeros without them.
    pub(in crate::engine) bias: Vec<T>,
    /// Of the norms, `[BOTH]`; the mean of what they see is zero already.
    pub(in crate::engine) scale: Vec<T>,
    pub(in crate::engine) shift: Vec<T>,
}

/// A site in terms of the model.
pub(in crate::engine) struct SiteWeights {
    /// Place of its element in [`Weights::elements`].
    pub(in crate::engine) element: usize,
    /// Atoms that it stands for, as a share of all.
    pub(in crate::engine) share: f64,
}

impl<T: Real> Weights<T> {
    pub(in crate::engine) fn new(model: &Chgnet, elements: &[Element]) -> Weights<T> {
        let mut known: Vec<(Element, usize)> =
            elements.iter().filter_map(|e| Some((*e, model.element_index(*e)?))).collect();
        known.sort_unstable();
        known.dedup();
        let element = |(element, k): &(Element, usize)| ElementWeights {
            element: *element,
            embedding: rounded(model.embedding.row(*k).to_vec()),
            energy: model.atomic_energies[*k],
            messages: known.par_iter().map(|(_, neighbour)| first::messages(model, *k, *neighbour)).collect(),
        };
        let (last, hidden) = model.readout.split_last().map_or((None, &[][..]), |(l, h)| (Some(l), h));
        let layer = |l: &Linear| (matrix(l.weights.view()), rounded(l.bias.to_vec()));
        Weights {
            elements: known.par_iter().map(element).collect(),
            bond_table: bond_table(model),
            short_table: short_table(model),
            angle_table: angle_table(model),
            cutoff: model.bond_functions.cutoff,
            angle_cutoff: model.short_functions.cutoff,
            atom_layers: model.atom_convolutions.iter().map(AtomLayer::new).collect(),
            bond_layers: model.bond_convolutions.iter().map(BondLayer::new).collect(),
            angle_layers: model.angle_updates.iter().map(BondInputs::new).collect(),
            readout_norm: [&model.readout_norm.scale, &model.readout_norm.shift].map(|v| rounded(v.to_vec())),
            readout: hidden.iter().map(layer).collect(),
            last: rounded(last.into_iter().flat_map(|l| l.weights.iter().copied())),
            last_bias: last.map_or(0.0, |l| l.bias[0]),
        }
    }

    /// The sites of a scene in terms of the model.
    pub(in crate::engine) fn sites(&self, scene: &Scene) -> Result<Vec<SiteWeights>, EngineError> {
        if scene.network.is_none() {
            return Err(EngineError::Scene);
        }
        let site = |site: &crate::engine::Site| {
            let found = self.elements.iter().position(|e| e.element == site.element);
            let element = found.ok_or(EngineError::Element(site.element))?;
            Ok(SiteWeights { element, share: site.multiplicity as f64 / scene.atom_count as f64 })
        };
        scene.sites.iter().map(site).collect()
    }
}

fn bond_table<T: Real>(model: &Chgnet) -> Table<T> {
    let embedding = &model.bond_embedding;
    let mut columns = vec![embedding.clone(), model.bond_weights.clone()];
    let later = model.atom_convolutions.iter().skip(1);
    columns.extend(later.map(|c| embedding.dot(&Split::new(&c.message).input(1))));
    let row = |r: &f64| model.bond_functions.at(*r);
    let values = |r: &[f64]| functions_at(r, row).dot(&side_by_side(&columns));
    Table::new(model.bond_functions.cutoff, FINER * T::TABLE_INTERVALS, values)
}

fn short_table<T: Real>(model: &Chgnet) -> Table<T> {
    let row = |r: &f64| model.short_functions.at(*r);
    let values = |r: &[f64]| functions_at(r, row).dot(&model.short_weights);
    Table::new(model.short_functions.cutoff, FINER * T::TABLE_INTERVALS, values)
}

fn angle_table<T: Real>(model: &Chgnet) -> Table<T> {
    let embedding = &model.angle_embedding;
    let mut columns = vec![embedding.clone()];
    let messages = model.bond_convolutions.iter().take(1).map(|c| &c.message);
    let messages = messages.chain(model.angle_updates.iter().take(1));
    columns.extend(messages.map(|m| embedding.dot(&Split::new(m).input(2))));
    let row = |angle: &f64| model.angle_functions.at(*angle);
    let values = |angles: &[f64]| functions_at(angles, row).dot(&side_by_side(&columns));
    Table::new(std::f64::consts::PI, T::TABLE_INTERVALS, values)
}

/// Matrices of equal height in one.
fn side_by_side(matrices: &[Array2<f64>]) -> Array2<f64> {
    let height = matrices.first().map_or(0, |m| m.nrows());
    let columns: Vec<_> = matrices.iter().flat_map(|m| m.columns()).collect();
    Array2::from_shape_fn((height, columns.len()), |(i, k)| columns[k][i])
}

impl<T: Real> AtomLayer<T> {
    fn new(Convolution { message, output }: &Convolution) -> AtomLayer<T> {
        let split = Split::new(message);
        AtomLayer {
            atom: matrix(concatenate![Axis(1), split.input(0), split.input(2)].view()),
            atom_bias: rounded(split.bias.iter().copied().chain([0.0; BOTH])),
            bond: matrix(split.input(1)),
            gated: Gated::new(message),
            output: matrix(output.view()),
        }
    }
}

impl<T: Real> BondLayer<T> {
    fn new(Convolution { message, output }: &Convolution) -> BondLayer<T> {
        BondLayer { inputs: BondInputs::new(message), output: matrix(output.view()) }
    }
}

impl<T: Real> BondInputs<T> {
    fn new(message: &GatedMlp) -> BondInputs<T> {
        let split = Split::new(message);
        BondInputs {
            bond: matrix(concatenate![Axis(1), split.input(0), split.input(1)].view()),
            angle: matrix(split.input(2)),
            atom: matrix(split.input(3)),
            atom_bias: rounded(split.bias.to_vec()),
            gated: Gated::new(message),
        }
    }
}

/// First layers of core and gate side by side, `[inputs C][BOTH]`.
struct Split {
    weights: Array2<f64>,
    bias: Array1<f64>,
}

impl Split {
    fn new(message: &GatedMlp) -> Split {
        let first = |branch: &Branch| {
            let layer = &branch.layers[0];
            // A norm follows the only layer.
            if branch.layers.len() == 1 { centred(layer) } else { layer.clone() }
        };
        let (core, gate) = (first(&message.core), first(&message.gate));
        Split {
            weights: concatenate![Axis(1), core.weights, gate.weights],
            bias: concatenate![Axis(0), core.bias, gate.bias],
        }
    }

    /// The rows of an input.
    fn input(&self, k: usize) -> ArrayView2<'_, f64> {
        self.weights.slice(s![k * FEATURES..(k + 1) * FEATURES, ..])
    }
}

impl<T: Real> Gated<T> {
    fn new(GatedMlp { core, gate }: &GatedMlp) -> Gated<T> {
        let second = core.layers.get(1).zip(gate.layers.get(1)).map(|(c, g)| [centred(c), centred(g)]);
        let bias = match &second {
            Some([core, gate]) => concatenate![Axis(0), core.bias, gate.bias],
            None => Array1::zeros(BOTH),
        };
        let both = |of: fn(&Norm) -> &Array1<f64>| {
            rounded(of(&core.norm).iter().chain(of(&gate.norm)).copied().collect::<Vec<_>>())
        };
        Gated {
            second: second.map(|layers| layers.map(|l| matrix(l.weights.view()))),
            bias: rounded(bias.to_vec()),
            scale: both(|norm| &norm.scale),
            shift: both(|norm| &norm.shift),
        }
    }
}

/// A linear layer without the mean of its outputs, which the norm after it would subtract.
fn centred(layer: &Linear) -> Linear {
    let outputs = layer.bias.len() as f64;
    let means = layer.weights.sum_axis(Axis(1)).insert_axis(Axis(1)) / outputs;
    Linear { weights: &layer.weights - &means, bias: &layer.bias - layer.bias.sum() / outputs }
}

fn matrix<T: Real>(weights: ArrayView2<f64>) -> Matrix<T> {
    Matrix::padded(&weights.to_owned(), weights.nrows(), weights.ncols())
}
