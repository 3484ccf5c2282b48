//! Kernels on a stream of a device, and the buffers that they work on.

use std::sync::Arc;

use cudarc::driver::{
    CudaFunction, CudaModule, CudaSlice, CudaStream, DeviceRepr, DriverError, LaunchArgs, LaunchConfig,
    ValidAsZeroBits,
};

/// Threads of a block of every kernel; some rely on it.
const BLOCK_THREADS: u32 = 128;

/// Most threads of a launch: kernels number them with 32 bits.
pub const MOST_THREADS: usize = 1 << 31;

/// Declares the kernels by name.
macro_rules! kernels {
    ($($kernel:ident = $name:literal,)*) => {
        /// A kernel of `kernels/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "kernels/README.md describes each of them")]
        pub enum Kernel { $($kernel,)* }

        impl Kernel {
            /// All of them with their names, in the order of their numbers.
            pub const ALL: &[(Kernel, &str)] = &[$((Kernel::$kernel, $name),)*];
        }
    };
}

kernels! {
    Embed = "embed",
    DistanceCost = "distance_cost",
    Neighbours = "neighbours",
    Places = "places",
    Harmonics = "harmonics",
    Angular = "angular",
    PairScalars = "pair_scalars",
    SumScalars = "sum_scalars",
    Normalise = "normalise",
    Operators = "operators",
    ApplyFirst = "apply_first",
    ApplyLater = "apply_later",
    FirstMessages = "first_messages",
    LaterMessages = "later_messages",
    Linear = "linear",
    Contract = "contract",
    LinearReadout = "linear_readout",
    HiddenReadout = "hidden_readout",
    Energy = "energy",
}

/// Kernels of one precision, loaded on a device.
#[derive(Debug)]
pub struct Kernels {
    functions: Vec<CudaFunction>,
}

impl Kernels {
    /// Finds all kernels in a module.
    pub fn new(module: &Arc<CudaModule>) -> Result<Kernels, DriverError> {
        let load = |(_, name): &(Kernel, &str)| module.load_function(name);
        Ok(Kernels { functions: Kernel::ALL.iter().map(load).collect::<Result<_, _>>()? })
    }

    /// A kernel as the driver knows it.
    pub fn function(&self, kernel: Kernel) -> &CudaFunction {
        &self.functions[kernel as usize]
    }
}

/// A stream, on which launches and copies happen in the order in which they are asked for.
#[derive(Clone, Debug)]
pub struct Queue {
    stream: Arc<CudaStream>,
    kernels: Arc<Kernels>,
}

/// Numbers of a buffer that a kernel may find, wherever an array has none.
fn at_least_one(count: usize) -> usize {
    count.max(1)
}

impl Queue {
    /// Launches on a stream of the device that the kernels were loaded on.
    pub fn new(stream: Arc<CudaStream>, kernels: Arc<Kernels>) -> Queue {
        Queue { stream, kernels }
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Copies an array to the device; an empty one becomes a buffer of one zero.
    pub fn upload<T: DeviceRepr + ValidAsZeroBits>(&self, values: &[T]) -> Result<CudaSlice<T>, DriverError> {
        match values.is_empty() {
            true => self.stream.alloc_zeros(1),
            false => self.stream.clone_htod(values),
        }
    }

    /// A buffer of numbers that are written before they are read.
    pub fn buffer<T: DeviceRepr>(&self, count: usize) -> Result<CudaSlice<T>, DriverError> {
        // SAFETY: the types of buffers are plain numbers, for which any bits are valid.
        unsafe { self.stream.alloc(at_least_one(count)) }
    }

    /// Begins a launch.
    pub(super) fn arguments(&self, kernel: Kernel) -> LaunchArgs<'_> {
        self.stream.launch_builder(self.kernels.function(kernel))
    }
}

/// A launch of so many threads, in whole blocks.
///
/// # Panics
/// If they are more than [`MOST_THREADS`], which batches are too small for.
pub(super) fn threads(count: usize) -> LaunchConfig {
    assert!(count <= MOST_THREADS, "a launch of {count} threads");
    blocks(count.div_ceil(BLOCK_THREADS as usize))
}

/// A launch of so many blocks.
pub(super) fn blocks(count: usize) -> LaunchConfig {
    let grid_dim = (u32::try_from(count).unwrap_or(u32::MAX), 1, 1);
    LaunchConfig { grid_dim, block_dim: (BLOCK_THREADS, 1, 1), shared_mem_bytes: 0 }
}
