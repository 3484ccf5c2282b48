//! A model and a scene on a device: all that stays the same from batch to batch.

use cudarc::driver::{CudaSlice, DriverError};

use super::atoms::AtomTables;
use super::plan::ChgnetPlan;
use super::shape::ChgnetShape;
use crate::engine::cpu::chgnet::weights::{AtomLayer, BondInputs, BondLayer, Gated, Weights};
use crate::engine::cpu::{Matrix, Table};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{AngleCandidate, BondCandidate, RowLimits, TableGrid};
use crate::engine::cuda::queue::Queue;

/// Functions of a distance or an angle.
#[derive(Debug)]
pub struct FunctionTable<T> {
    /// `[intervals + 5][columns]`.
    pub coefficients: CudaSlice<T>,
    /// Functions, padded.
    pub columns: usize,
}

impl<T: CudaReal> FunctionTable<T> {
    fn new(queue: &Queue, table: &Table<T>) -> Result<Self, DriverError> {
        Ok(FunctionTable { coefficients: queue.upload(table.coefficients())?, columns: table.columns() })
    }
}

/// A matrix and perhaps a row that is added.
#[derive(Debug)]
pub struct LinearTable<T> {
    /// `[inputs][outputs]`.
    pub weights: CudaSlice<T>,
    /// `[outputs]`.
    pub bias: Option<CudaSlice<T>>,
    /// Rows of the matrix.
    pub inputs: usize,
    /// Its columns.
    pub outputs: usize,
}

impl<T: CudaReal> LinearTable<T> {
    fn new(queue: &Queue, matrix: &Matrix<T>, bias: Option<&[T]>) -> Result<Self, DriverError> {
        Ok(LinearTable {
            weights: queue.upload(&matrix.values)?,
            bias: bias.map(|b| queue.upload(b)).transpose()?,
            inputs: matrix.inputs,
            outputs: matrix.outputs,
        })
    }
}

/// What follows the first layers of a gated message.
#[derive(Debug)]
pub struct GatedTable<T> {
    /// Second layers of core and gate below one another, `[2][C][C]`; empty where there are none.
    pub second: CudaSlice<T>,
    /// `[3][BOTH]`: bias of what a norm takes, scale, shift.
    pub norms: CudaSlice<T>,
}

impl<T: CudaReal> GatedTable<T> {
    fn new(queue: &Queue, gated: &Gated<T>) -> Result<Self, DriverError> {
        let second = gated.second.iter().flatten().flat_map(|layer| layer.values.iter().copied());
        Ok(GatedTable {
            second: queue.upload(&second.collect::<Vec<T>>())?,
            norms: queue.upload(&[&gated.bias[..], &gated.scale, &gated.shift].concat())?,
        })
    }
}

/// Messages along bonds into atoms.
#[derive(Debug)]
pub struct AtomLayerTables<T> {
    /// What an atom adds to first layers as centre, then as neighbour: `[C][2 BOTH]`.
    pub atom: LinearTable<T>,
    /// What a bond adds to them: `[C][BOTH]`.
    pub bond: LinearTable<T>,
    /// What follows them.
    pub gated: GatedTable<T>,
    /// Sums of messages -> features: `[C][C]`.
    pub output: LinearTable<T>,
}

impl<T: CudaReal> AtomLayerTables<T> {
    fn new(queue: &Queue, layer: &AtomLayer<T>) -> Result<Self, DriverError> {
        Ok(AtomLayerTables {
            atom: LinearTable::new(queue, &layer.atom, Some(&layer.atom_bias))?,
            bond: LinearTable::new(queue, &layer.bond, None)?,
            gated: GatedTable::new(queue, &layer.gated)?,
            output: LinearTable::new(queue, &layer.output, None)?,
        })
    }
}

/// Messages along angles.
#[derive(Debug)]
pub struct AngleMessageTables<T> {
    /// What a bond adds to first layers as first leg, then as second one: `[C][2 BOTH]`.
    pub bond: LinearTable<T>,
    /// What an angle adds to them: `[C][BOTH]`.
    pub angle: LinearTable<T>,
    /// What the centre adds to them: `[C][BOTH]`.
    pub atom: LinearTable<T>,
    /// What follows them.
    pub gated: GatedTable<T>,
}

impl<T: CudaReal> AngleMessageTables<T> {
    fn new(queue: &Queue, inputs: &BondInputs<T>) -> Result<Self, DriverError> {
        Ok(AngleMessageTables {
            bond: LinearTable::new(queue, &inputs.bond, None)?,
            angle: LinearTable::new(queue, &inputs.angle, None)?,
            atom: LinearTable::new(queue, &inputs.atom, Some(&inputs.atom_bias))?,
            gated: GatedTable::new(queue, &inputs.gated)?,
        })
    }
}

/// Messages along angles into bonds.
#[derive(Debug)]
pub struct BondLayerTables<T> {
    /// The messages.
    pub inputs: AngleMessageTables<T>,
    /// Their sums -> features: `[C][C]`.
    pub output: LinearTable<T>,
}

impl<T: CudaReal> BondLayerTables<T> {
    fn new(queue: &Queue, layer: &BondLayer<T>) -> Result<Self, DriverError> {
        Ok(BondLayerTables {
            inputs: AngleMessageTables::new(queue, &layer.inputs)?,
            output: LinearTable::new(queue, &layer.output, None)?,
        })
    }
}

/// The last steps.
#[derive(Debug)]
pub struct ReadoutTables<T> {
    /// `[2][C]`: scale and shift.
    pub norm: CudaSlice<T>,
    /// Hidden layers.
    pub hidden: Vec<LinearTable<T>>,
    /// `[C]`.
    pub last: CudaSlice<f64>,
    /// What is added to it, eV.
    pub last_bias: f64,
}

/// A model.
#[derive(Debug)]
pub struct ModelTables<T> {
    /// Cutoffs, and the grids of the tables.
    pub limits: RowLimits,
    /// `[element][C]`.
    pub embeddings: CudaSlice<T>,
    /// Elements.
    pub elements: usize,
    /// Over the cutoff.
    pub bonds: FunctionTable<T>,
    /// Over the angle cutoff.
    pub short_bonds: FunctionTable<T>,
    /// Over the angle.
    pub angles: FunctionTable<T>,
    /// First messages along long bonds: `[centre][neighbour]`, by element.
    pub messages: FunctionTable<T>,
    /// Convolutions over bonds.
    pub atom_layers: Vec<AtomLayerTables<T>>,
    /// Convolutions over angles.
    pub bond_layers: Vec<BondLayerTables<T>>,
    /// Updates of angles.
    pub angle_layers: Vec<AngleMessageTables<T>>,
    /// Features of atoms -> energies.
    pub readout: ReadoutTables<T>,
}

impl<T: CudaReal> ModelTables<T> {
    /// Copies a model to the device.
    pub(in crate::engine) fn new(queue: &Queue, weights: &Weights<T>) -> Result<Self, DriverError> {
        let embeddings: Vec<T> = weights.elements.iter().flat_map(|e| e.embedding.iter().copied()).collect();
        let messages = || weights.elements.iter().flat_map(|e| &e.messages);
        let of_messages: Vec<T> = messages().flat_map(|t| t.coefficients().iter().copied()).collect();
        let hidden = weights.readout.iter().map(|(m, bias)| LinearTable::new(queue, m, Some(bias)));
        let atom_layers = weights.atom_layers.iter().map(|l| AtomLayerTables::new(queue, l));
        let bond_layers = weights.bond_layers.iter().map(|l| BondLayerTables::new(queue, l));
        let angle_layers = weights.angle_layers.iter().map(|l| AngleMessageTables::new(queue, l));
        Ok(ModelTables {
            limits: limits(weights),
            embeddings: queue.upload(&embeddings)?,
            elements: weights.elements.len(),
            bonds: FunctionTable::new(queue, &weights.bond_table)?,
            short_bonds: FunctionTable::new(queue, &weights.short_table)?,
            angles: FunctionTable::new(queue, &weights.angle_table)?,
            messages: FunctionTable {
                coefficients: queue.upload(&of_messages)?,
                columns: messages().next().map_or(0, Table::columns),
            },
            atom_layers: atom_layers.collect::<Result<_, _>>()?,
            bond_layers: bond_layers.collect::<Result<_, _>>()?,
            angle_layers: angle_layers.collect::<Result<_, _>>()?,
            readout: ReadoutTables {
                norm: queue.upload(&weights.readout_norm.concat())?,
                hidden: hidden.collect::<Result<_, _>>()?,
                last: queue.upload(&weights.last.iter().map(|w| w.to_f64()).collect::<Vec<f64>>())?,
                last_bias: weights.last_bias,
            },
        })
    }
}

fn limits<T: CudaReal>(weights: &Weights<T>) -> RowLimits {
    let grid = |table: &Table<T>| {
        let piece = &table.pieces()[0];
        TableGrid { inverse_step: piece.inverse_step, intervals: piece.intervals as i32, padding: 0 }
    };
    let messages = weights.elements.iter().flat_map(|e| &e.messages).next();
    RowLimits {
        cutoff: weights.cutoff,
        angle_cutoff: weights.angle_cutoff,
        bonds: grid(&weights.bond_table),
        short_bonds: grid(&weights.short_table),
        first_messages: messages.map_or(TableGrid { intervals: 1, ..TableGrid::default() }, grid),
        angles: grid(&weights.angle_table),
    }
}

/// A scene, see [`ChgnetPlan`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of ChgnetPlan")]
pub struct NetworkTables {
    pub shape: ChgnetShape,
    pub atoms: AtomTables,
    pub elements: CudaSlice<i32>,
    pub bonds: CudaSlice<i32>,
    pub directed: CudaSlice<BondCandidate>,
    pub angles: CudaSlice<AngleCandidate>,
    pub first_angles: CudaSlice<i32>,
    pub vectors: CudaSlice<f64>,
    pub legs: CudaSlice<f64>,
    /// `[site]`: what the last layer of the readout adds, eV.
    pub constants: CudaSlice<f64>,
}

impl NetworkTables {
    /// Copies a plan to the device.
    pub fn new<T>(queue: &Queue, plan: &ChgnetPlan, model: &ModelTables<T>) -> Result<Self, DriverError> {
        Ok(NetworkTables {
            shape: plan.shape.clone(),
            atoms: plan.atoms.upload(queue)?,
            elements: queue.upload(&plan.elements)?,
            bonds: queue.upload(&plan.bonds)?,
            directed: queue.upload(&plan.directed)?,
            angles: queue.upload(&plan.angles)?,
            first_angles: queue.upload(&plan.first_angles)?,
            vectors: queue.upload(&plan.vectors)?,
            legs: queue.upload(&plan.legs)?,
            constants: queue.upload(&vec![model.readout.last_bias; plan.elements.len()])?,
        })
    }
}
