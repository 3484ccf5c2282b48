//! A model's tables and matrices as arrays for a device, and the places of everything in them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::cpu::mace::weights::{HeadReadout, Weights};
use crate::engine::cpu::{LANES, Real, Table};

/// Arrays of one precision behind one another.
#[derive(Debug)]
pub struct Pool<T> {
    /// All of them.
    pub values: Vec<T>,
}

impl<T: Real> Pool<T> {
    fn new() -> Pool<T> {
        Pool { values: Vec::new() }
    }

    /// Appends an array; returns where it begins.
    fn add(&mut self, values: &[T]) -> usize {
        let place = self.values.len();
        self.values.extend_from_slice(values);
        // Whatever follows stays aligned for four numbers at a time.
        self.values.resize(self.values.len().next_multiple_of(LANES), T::ZERO);
        place
    }

    /// Appends tables by pair of elements, each shared table once; returns where they begin.
    fn add_tables(&mut self, tables: &[Vec<Arc<Table<T>>>]) -> TablePlaces {
        let mut known: HashMap<*const Table<T>, usize> = HashMap::new();
        let columns = tables.iter().flatten().next().map_or(0, |t| t.columns());
        let places = tables
            .iter()
            .map(|row| {
                let place = |table: &Arc<Table<T>>| {
                    *known.entry(Arc::as_ptr(table)).or_insert_with(|| self.add(table.coefficients()))
                };
                row.iter().map(place).collect()
            })
            .collect();
        TablePlaces { places, columns }
    }
}

/// Radial tables of one layer.
#[derive(Clone, Debug)]
pub struct TablePlaces {
    /// Where the table of each (receiver, sender) begins.
    places: Vec<Vec<usize>>,
    /// Of each table.
    pub columns: usize,
}

impl TablePlaces {
    /// Where the table of two elements begins.
    pub fn of(&self, receiver: usize, sender: usize) -> usize {
        self.places[receiver][sender]
    }
}

/// Matrices of a layer: places in the matrices, and those of constants for each element in the biases.
#[derive(Debug, Default)]
pub struct LayerPlaces {
    /// By degree of the inputs; empty in layer 0.
    pub up: Vec<usize>,
    /// What is added to degree 0 after it.
    pub up_constants: Option<Vec<usize>>,
    /// By degree and receiver's element (a single one serves all); empty in layer 0.
    pub linear: Vec<Vec<usize>>,
    /// By output degree, or none.
    pub product: Vec<usize>,
    /// What is added to degree 0 after it.
    pub constants: Option<Vec<usize>>,
    /// Degrees of the self-connection and their matrices by element.
    pub skip: Vec<(usize, Vec<usize>)>,
    /// The first matrix of a hidden readout and its columns, padded.
    pub hidden: Option<(usize, usize)>,
}

/// A model for a device, still on the host.
#[derive(Debug)]
pub struct ModelArrays<T> {
    /// Radial tables of all layers.
    pub tables: Pool<T>,
    /// Those of the density normalisers, in float64; empty without any.
    pub densities: Pool<f64>,
    /// All matrices, `[inputs][outputs]`.
    pub matrices: Pool<T>,
    /// Constants, `[channels]` each.
    pub biases: Pool<T>,
    /// Tables of layer 0, 1, ...
    pub layer_tables: Vec<TablePlaces>,
    /// Tables of the densities.
    pub density_tables: Option<TablePlaces>,
    /// Matrices of layer 0, 1, ...
    pub layers: Vec<LayerPlaces>,
}

impl<T: Real> ModelArrays<T> {
    /// Drops the numbers, which are on the device, and keeps their places.
    pub fn forget_values(&mut self) {
        (self.tables, self.matrices, self.biases) = (Pool::new(), Pool::new(), Pool::new());
        self.densities = Pool::new();
    }

    /// Lays out a model's weights.
    pub(crate) fn new(weights: &Weights<T>) -> ModelArrays<T> {
        let (mut tables, mut densities) = (Pool::new(), Pool::new());
        let mut layer_tables = vec![tables.add_tables(&weights.first)];
        layer_tables.extend(weights.later.iter().map(|layer| tables.add_tables(&layer.tables)));
        let density_tables = weights.densities.as_ref().map(|d| densities.add_tables(d));
        let (mut matrices, mut biases) = (Pool::new(), Pool::new());
        let layers = (0..weights.layers.len())
            .map(|t| layer_places(weights, t, (&mut matrices, &mut biases)))
            .collect();
        ModelArrays { tables, densities, matrices, biases, layer_tables, density_tables, layers }
    }
}

fn layer_places<T: Real>(
    weights: &Weights<T>,
    t: usize,
    (matrices, biases): (&mut Pool<T>, &mut Pool<T>),
) -> LayerPlaces {
    let mut places = LayerPlaces::default();
    let mut constants =
        |of: &Option<Vec<Vec<T>>>| of.as_ref().map(|of| of.iter().map(|row| biases.add(row)).collect());
    let update = &weights.layers[t];
    places.constants = constants(&update.constant);
    if t > 0 {
        let layer = &weights.later[t - 1];
        places.up_constants = constants(&layer.up_constant);
        places.up = layer.up.iter().map(|m| matrices.add(&m.values)).collect();
        let of_degree = |m: &Vec<crate::engine::cpu::Matrix<T>>, matrices: &mut Pool<T>| {
            m.iter().map(|m| matrices.add(&m.values)).collect()
        };
        places.linear = layer.linear.iter().map(|m| of_degree(m, matrices)).collect();
    }
    places.product = update.product.iter().map(|m| matrices.add(&m.values)).collect();
    for (degree, by_element) in &update.skip {
        places.skip.push((*degree, by_element.iter().map(|m| matrices.add(&m.values)).collect()));
    }
    if let HeadReadout::Hidden { first, .. } = &weights.readouts[t] {
        let columns = hidden_units(first.outputs);
        let mut padded = Vec::with_capacity(first.inputs * columns);
        for row in first.values.chunks_exact(first.outputs.max(1)) {
            padded.extend_from_slice(row);
            padded.resize(padded.len().next_multiple_of(columns), T::ZERO);
        }
        places.hidden = Some((matrices.add(&padded), columns));
    }
    places
}

/// Hidden units of a readout, padded to whole quads.
pub fn hidden_units(units: usize) -> usize {
    units.next_multiple_of(4)
}
