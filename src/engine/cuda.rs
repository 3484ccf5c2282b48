//! The engine for NVIDIA GPUs.
//!
//! Neither the driver nor the compiler is linked: both are looked for when they are first needed, so that the same
//! program starts on machines that have neither.
//!
//! ```text
//! library      where the compiler is
//! source       the kernels, in CUDA C++
//! compile      kernels + architecture -> machine code, by NVRTC
//! cache        machine code -> files, so that the compiler runs once
//! device       what GPUs there are; one of them, opened, with its kernels
//! layout       structures that kernels and host share
//! queue        kernels by name, streams, buffers
//! memory       how many points fit into a device
//! slot         batches under way: host, copies and kernels of neighbouring batches overlap
//! pairs        models with pair operators: what families share
//! mace         MACE
//! sevennet     SevenNet
//! chgnet       CHGNet
//! ```

pub mod cache;
pub mod chgnet;
pub mod compile;
pub mod device;
pub mod layout;
mod library;
pub mod mace;
pub mod memory;
pub mod pairs;
pub mod queue;
pub mod sevennet;
pub mod slot;
pub mod source;

use std::fmt;

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use super::EngineError;
use super::cpu::Real;

/// A precision that kernels are compiled for.
pub trait CudaReal: Real + DeviceRepr + ValidAsZeroBits {
    /// Whether it is float64.
    const DOUBLE: bool;
    /// Points that a thread works on where it can, as `POINTS` in `kernels/common.cuh`.
    const POINTS: usize;
}

impl CudaReal for f32 {
    const DOUBLE: bool = false;
    const POINTS: usize = 4;
}

impl CudaReal for f64 {
    const DOUBLE: bool = true;
    const POINTS: usize = 2;
}

/// A version of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the point.
    pub major: i32,
    /// After it.
    pub minor: i32,
}

impl Version {
    /// Older drivers and compilers lack functions that are called.
    pub const OLDEST: Version = Version { major: 11, minor: 4 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a GPU cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No library of the driver.
    #[error("no CUDA driver (libcuda.so) was found")]
    NoDriver,
    /// The driver's functions are too few.
    #[error("the driver is for CUDA {0}, and {oldest} or newer is needed", oldest = Version::OLDEST)]
    OldDriver(Version),
    /// The driver works, and shows nothing.
    #[error("the CUDA driver shows no GPU{0}")]
    NoDevice(String),
    /// A number beyond what there is.
    #[error("there is no GPU {ordinal}: the CUDA driver shows {count}, counted from 0")]
    Ordinal {
        /// The number.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver does not take code of a newer compiler.
    #[error(
        "{what} failed: {why}. The code is by NVRTC {compiler}, and the driver for CUDA {driver}: use NVRTC of CUDA \
         {driver} or older"
    )]
    NewCode {
        /// What was tried.
        what: String,
        /// What the driver says.
        why: String,
        /// Version of the compiler.
        compiler: Version,
        /// Version of the driver.
        driver: Version,
    },
    /// A call of the driver failed.
    #[error("{what} failed: {why}")]
    Driver {
        /// What was tried.
        what: String,
        /// What the driver says.
        why: String,
    },
    /// Nothing to compile with, and nothing compiled before.
    #[error(
        "the GPU's kernels cannot be compiled for {0}: no NVRTC (libnvrtc.so) was found, and no earlier run left them \
         in the cache. Load the machine's cuda module, or `pip install nvidia-cuda-nvrtc-cu12` into the active Python \
         environment, or run `s2dpes doctor --compile {0}` on a machine that has NVRTC and the same home"
    )]
    NoCompiler(String),
    /// The compiler's functions are too few.
    #[error("NVRTC is of CUDA {0}, and {oldest} or newer is needed", oldest = Version::OLDEST)]
    OldCompiler(Version),
    /// An architecture by a name that is none.
    #[error("{0} is no GPU architecture; write it as sm_90")]
    Architecture(String),
    /// The compiler is too new or too old for a GPU.
    #[error(
        "NVRTC {version} cannot compile for {architecture}, but for {supported}: use that of another CUDA"
    )]
    Unsupported {
        /// Of the compiler.
        version: Version,
        /// Of the GPU.
        architecture: String,
        /// What it can compile for.
        supported: String,
    },
    /// A call of the compiler failed.
    #[error("NVRTC fails in {what}: {why}")]
    Compiler {
        /// The call.
        what: &'static str,
        /// What it says.
        why: String,
    },
    /// The compiler refuses the kernels.
    #[error("NVRTC {version} does not compile the kernels for {target}; please report this:\n{log}")]
    Compilation {
        /// Of the compiler.
        version: Version,
        /// Architecture.
        target: String,
        /// What it says.
        log: String,
    },
}

impl From<DeviceError> for EngineError {
    fn from(error: DeviceError) -> EngineError {
        EngineError::Device(error.to_string())
    }
}
