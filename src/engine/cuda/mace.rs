//! MACE on a GPU.

use std::marker::PhantomData;
use std::sync::Arc;

use super::device::Device;
use crate::crystal::Element;
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use crate::potential::mace::Mace;

/// A MACE model on a GPU.
pub struct MaceEngine<T> {
    device: Arc<Device>,
    real: PhantomData<T>,
}

impl<T> MaceEngine<T> {
    /// Prepares a model's head for some elements.
    pub fn new(_: &Mace, _: &[Element], _: usize, device: Arc<Device>) -> Result<Self, EngineError> {
        Err(EngineError::Device(format!("not built yet for {}", device.info.name)))
    }
}

impl<T: Send> Engine for MaceEngine<T> {
    fn evaluate(&mut self, _: &Arc<Scene>, _: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        Err(EngineError::Device("not built yet".into()))
    }

    fn cost(&mut self, _: &Arc<Scene>, _: &[Point]) -> Result<Cost, EngineError> {
        Err(EngineError::Device("not built yet".into()))
    }

    fn call(&self) -> usize {
        1
    }

    fn describe(&self) -> String {
        format!("cuda {}{}", self.device.info.name, std::mem::size_of_val(&self.real))
    }
}
