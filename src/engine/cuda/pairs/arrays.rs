//! A model's tables and matrices as arrays for a device, and the places of everything in them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Network;
use crate::engine::cpu::{LANES, Real, Table};
use crate::engine::cuda::CudaReal;

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
    pub fn add(&mut self, values: &[T]) -> usize {
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

/// A model for a device, still on the host.
#[derive(Debug)]
pub struct ModelArrays<T, P> {
    /// Radial tables of all layers.
    pub tables: Pool<T>,
    /// Those of the density normalisers, in float64; empty without any.
    pub densities: Pool<f64>,
    /// All matrices, `[inputs][outputs]`.
    pub matrices: Pool<T>,
    /// Rows that are added.
    pub biases: Pool<T>,
    /// Tables of layer 0, 1, ...
    pub layer_tables: Vec<TablePlaces>,
    /// Tables of the densities.
    pub density_tables: Option<TablePlaces>,
    /// Matrices of layer 0, 1, ..., as places in the matrices, and their biases.
    pub layers: Vec<P>,
}

impl<T: CudaReal, P> ModelArrays<T, P> {
    /// Drops the numbers, which are on the device, and keeps their places.
    pub fn forget_values(&mut self) {
        (self.tables, self.matrices, self.biases) = (Pool::new(), Pool::new(), Pool::new());
        self.densities = Pool::new();
    }

    /// Lays out a model's weights.
    pub fn new<N: Network<T, Places = P>>(model: &N) -> Self {
        let (mut tables, mut densities) = (Pool::new(), Pool::new());
        let of = model.interactions();
        let layer_tables = of.layers.iter().map(|layer| tables.add_tables(&layer.tables)).collect();
        let of_densities = of.scalars.as_ref().and_then(|scalars| scalars.densities.as_ref());
        let density_tables = of_densities.map(|d| densities.add_tables(d));
        let (mut matrices, mut biases) = (Pool::new(), Pool::new());
        let layers = model.places(&mut matrices, &mut biases);
        ModelArrays { tables, densities, matrices, biases, layer_tables, density_tables, layers }
    }
}
