//! Which device an engine is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(feature = "cuda")]
use super::cuda::device::{Device, DeviceInfo, survey};
#[cfg(feature = "cuda")]
use std::sync::Arc;

use super::EngineError;

/// What the user wants to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineChoice {
    /// GPUs if all ranks can use one, CPUs otherwise.
    #[default]
    Auto,
    /// GPUs, or nothing.
    Cuda,
    /// CPUs.
    Cpu,
}

impl EngineChoice {
    /// All of them with the names that users write.
    pub const ALL: [(EngineChoice, &'static str); 3] =
        [(EngineChoice::Auto, "auto"), (EngineChoice::Cuda, "cuda"), (EngineChoice::Cpu, "cpu")];
}

impl FromStr for EngineChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<EngineChoice, Self::Err> {
        let found = EngineChoice::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(choice, _)| *choice).ok_or("write auto, cuda or cpu")
    }
}

/// A device that an engine can be made for.
#[derive(Clone, Debug)]
pub enum Place {
    /// The CPUs of this process.
    Cpu,
    /// A GPU.
    #[cfg(feature = "cuda")]
    Gpu(Arc<Device>),
}

impl Place {
    /// Opens the GPU of a number among those that this process sees, and loads its kernels.
    pub fn gpu(ordinal: usize) -> Result<Place, EngineError> {
        #[cfg(feature = "cuda")]
        {
            let device = Device::open(ordinal)?;
            device.module(false)?;
            Ok(Place::Gpu(device))
        }
        #[cfg(not(feature = "cuda"))]
        Err(EngineError::Device(format!("GPU {ordinal} cannot be used: {WITHOUT_CUDA}")))
    }
}

impl Place {
    /// Why nothing can be computed here any more, if that is so.
    pub fn failure(&self) -> Option<EngineError> {
        match self {
            Place::Cpu => None,
            #[cfg(feature = "cuda")]
            Place::Gpu(device) => device.failure().map(EngineError::from),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Cpu => f.write_str("CPU"),
            #[cfg(feature = "cuda")]
            Place::Gpu(device) => f.write_str(&device.info.name),
        }
    }
}

#[cfg(not(feature = "cuda"))]
const WITHOUT_CUDA: &str = "this s2dpes was built without CUDA (feature `cuda`)";

/// A GPU, as other ranks know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its name: `NVIDIA H200`.
    pub name: String,
    /// Its identity, different for every GPU.
    pub uuid: String,
}

/// The GPUs that a process sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpus {
    /// By number.
    pub visible: Vec<Gpu>,
    /// Why it cannot compute on them: something, if there are none.
    pub obstacle: Option<String>,
}

impl Gpus {
    /// Looks for them. This takes a moment where there are some.
    pub fn of_this_process() -> Gpus {
        #[cfg(feature = "cuda")]
        {
            let survey = survey();
            let obstacle = survey.obstacle().map(|error| error.to_string());
            let gpu = |device: DeviceInfo| Gpu { name: device.name, uuid: device.uuid };
            let visible = survey.devices.unwrap_or_default().into_iter().map(gpu).collect();
            Gpus { visible, obstacle }
        }
        #[cfg(not(feature = "cuda"))]
        Gpus::without(WITHOUT_CUDA)
    }

    /// None, for a reason.
    pub fn without(why: &str) -> Gpus {
        Gpus { visible: Vec::new(), obstacle: Some(why.into()) }
    }
}
