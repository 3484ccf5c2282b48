//! The order of launches: axis values -> rows -> energies of a batch. The same steps as on the CPU.

use std::ops::Range;

use cudarc::driver::{CudaSlice, DriverError};

use super::atoms;
use super::buffers::{ChgnetBuffers, FeatureBuffers, RowBuffers};
use super::launch::{self, AngleInputs, Batch};
use super::shape::{BOTH, Total};
use super::tables::{AngleMessageTables, BondLayerTables, FunctionTable, ModelTables, NetworkTables};
use crate::engine::cpu::chgnet::weights::Columns;
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::queue::Queue;
use crate::potential::chgnet::FEATURES;

/// A scene and a model on a device, and where their kernels run.
pub struct Forward<'a, T> {
    /// Where they run.
    pub queue: &'a Queue,
    /// The model.
    pub model: &'a ModelTables<T>,
    /// The scene.
    pub scene: &'a NetworkTables,
}

impl<T: CudaReal> Forward<'_, T> {
    /// Energies and separations of the first `points` points, whose axis values are there.
    pub fn points(&self, buffers: &mut ChgnetBuffers<T>, points: usize) -> Result<(), DriverError> {
        let Forward { queue, scene, .. } = self;
        let batch = Batch { queue, shape: &scene.shape, points };
        let ChgnetBuffers { atoms: own, rows, features } = buffers;
        let separation = (&scene.shape.atoms, &scene.atoms.separation);
        atoms::embed::<T>(queue, separation, &own.values, &mut own.positions, points)?;
        atoms::distance_cost(queue, separation, own, points)?;
        self.rows(batch, &own.values, rows)?;
        self.embed(batch, rows, features)?;
        for t in 0..self.model.atom_layers.len() {
            self.atom_layer(batch, t, rows, features)?;
            if t == 0 {
                launch::long_messages(batch, (self.model, scene), rows, &mut features.atoms)?;
            }
            if let Some(layer) = self.model.bond_layers.get(t) {
                self.bond_layer(batch, (t, layer), rows, features)?;
            }
            if let Some(layer) = self.model.angle_layers.get(t) {
                self.angle_layer(batch, (t, layer), rows, features)?;
            }
        }
        self.readout(batch, rows, features, &mut own.readouts)?;
        atoms::energy(queue, (&scene.shape.atoms, &scene.atoms), own, points)
    }

    /// Bonds and angles that are short enough.
    pub fn rows(
        &self,
        batch: Batch,
        values: &CudaSlice<f64>,
        rows: &mut RowBuffers<T>,
    ) -> Result<(), DriverError> {
        let limits = &self.model.limits;
        launch::bond_lengths(batch, self.scene, values, rows)?;
        launch::count_rows(batch, self.scene, limits, rows)?;
        launch::scan_rows(batch, rows)?;
        launch::fill_bonds(batch, limits, rows)?;
        launch::fill_directed(batch, self.scene, rows)?;
        launch::fill_angles(batch, (self.scene, limits), values, rows)
    }

    /// First features of everything.
    fn embed(
        &self,
        batch: Batch,
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
    ) -> Result<(), DriverError> {
        let ModelTables { bonds, short_bonds, angles, .. } = self.model;
        let first = Columns::FEATURES..Columns::FEATURES + FEATURES;
        let weights = Columns::WEIGHTS..Columns::WEIGHTS + FEATURES;
        let upto = |last| (&rows.totals, [Total::None, last]);
        launch::first_atoms(batch, (self.model, self.scene), &mut features.atoms)?;
        let FeatureBuffers { bonds: of_bonds, bond_weights, short_weights, .. } = features;
        launch::look_up(batch, (bonds, first.clone()), &rows.places, upto(Total::Short), of_bonds)?;
        launch::look_up(batch, (bonds, weights), &rows.places, upto(Total::Bonds), bond_weights)?;
        let all = (short_bonds, 0..FEATURES);
        launch::look_up(batch, all, &rows.short_places, upto(Total::Short), short_weights)?;
        let to = upto(Total::Angles);
        launch::look_up(batch, (angles, first), &rows.angle_places, to, &mut features.angles)
    }

    /// Messages along bonds into atoms; in the first layer along short ones only.
    fn atom_layer(
        &self,
        batch: Batch,
        t: usize,
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
    ) -> Result<(), DriverError> {
        let (layer, totals) = (&self.model.atom_layers[t], &rows.totals);
        let FeatureBuffers { atoms, bonds, of_atoms, of_bonds, messages, sums, .. } = features;
        launch::linear_rows(batch, (totals, Total::Atoms), &layer.atom, (atoms, of_atoms), false)?;
        launch::linear_rows(batch, (totals, Total::Short), &layer.bond, (bonds, of_bonds), false)?;
        let directed = if t == 0 { &rows.short_directed } else { &rows.directed };
        if t > 0 {
            // Features of long bonds never change.
            let columns = Columns::of_bond(t)..Columns::of_bond(t + 1);
            let long = (totals, [Total::Short, Total::Bonds]);
            launch::look_up(batch, (&self.model.bonds, columns), &rows.places, long, of_bonds)?;
        }
        launch::bond_messages(batch, &layer.gated, (directed, totals), (of_atoms, of_bonds), messages)?;
        launch::sum_atoms(batch, directed, (&features.bond_weights, messages), sums)?;
        launch::linear_rows(batch, (totals, Total::Atoms), &layer.output, (sums, atoms), true)
    }

    /// Messages along angles into bonds.
    fn bond_layer(
        &self,
        batch: Batch,
        (t, layer): (usize, &BondLayerTables<T>),
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
    ) -> Result<(), DriverError> {
        let known = (t == 0).then_some(Columns::BOND_LAYER..Columns::ANGLE_LAYER);
        self.first_layers(batch, (&layer.inputs, known), rows, features)?;
        let FeatureBuffers { bonds, short_weights, messages, sums, .. } = features;
        let inputs = AngleInputs {
            of_angles: &features.of_angles,
            of_bonds: &features.of_bonds,
            of_atoms: &features.of_atoms,
        };
        launch::angle_messages(batch, &layer.inputs.gated, rows, inputs, messages)?;
        launch::sum_bonds(batch, rows, (short_weights, messages), sums)?;
        launch::linear_rows(batch, (&rows.totals, Total::Short), &layer.output, (sums, bonds), true)
    }

    /// New features of the angles.
    fn angle_layer(
        &self,
        batch: Batch,
        (t, layer): (usize, &AngleMessageTables<T>),
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
    ) -> Result<(), DriverError> {
        let known = (t == 0).then_some(Columns::ANGLE_LAYER..Columns::ANGLE_LAYER + BOTH);
        self.first_layers(batch, (layer, known), rows, features)?;
        let FeatureBuffers { angles, of_angles, of_bonds, of_atoms, .. } = features;
        launch::update_angles(
            batch,
            &layer.gated,
            rows,
            AngleInputs { of_angles, of_bonds, of_atoms },
            angles,
        )
    }

    /// What angles, bonds and atoms add to first layers. As long as angles have their first features, columns of the
    /// table say what they add.
    fn first_layers(
        &self,
        batch: Batch,
        (layer, known): (&AngleMessageTables<T>, Option<Range<usize>>),
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
    ) -> Result<(), DriverError> {
        let FeatureBuffers { atoms, bonds, angles, of_atoms, of_bonds, of_angles, .. } = features;
        let totals = &rows.totals;
        launch::linear_rows(batch, (totals, Total::Atoms), &layer.atom, (atoms, of_atoms), false)?;
        launch::linear_rows(batch, (totals, Total::Short), &layer.bond, (bonds, of_bonds), false)?;
        match known {
            Some(columns) => {
                let table: (&FunctionTable<T>, _) = (&self.model.angles, columns);
                let all = (totals, [Total::None, Total::Angles]);
                launch::look_up(batch, table, &rows.angle_places, all, of_angles)
            }
            None => {
                launch::linear_rows(batch, (totals, Total::Angles), &layer.angle, (angles, of_angles), false)
            }
        }
    }

    /// Features of the atoms -> their energies, eV.
    fn readout(
        &self,
        batch: Batch,
        rows: &RowBuffers<T>,
        features: &mut FeatureBuffers<T>,
        readouts: &mut CudaSlice<f64>,
    ) -> Result<(), DriverError> {
        let (readout, scene) = (&self.model.readout, self.scene);
        let FeatureBuffers { atoms, of_atoms, sums, .. } = features;
        launch::norm_atoms(batch, &readout.norm, atoms, sums)?;
        let (mut input, mut output) = (sums, of_atoms);
        for layer in &readout.hidden {
            launch::linear_rows(batch, (&rows.totals, Total::Atoms), layer, (input, output), false)?;
            launch::activate(batch, output)?;
            std::mem::swap(&mut input, &mut output);
        }
        self.queue.stream().memset_zeros(readouts)?;
        let last = (&readout.last, &scene.constants);
        let shape = (scene.shape.atoms.sites, FEATURES);
        atoms::linear_readout(self.queue, shape, last, (input, readouts), batch.points)
    }
}
