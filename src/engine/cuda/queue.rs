//! Kernels on a stream of a device, and the buffers that they work on.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;
use cudarc::driver::{
    CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaStream, DeviceRepr, DriverError, LaunchArgs,
    LaunchConfig, PushKernelArg, ValidAsZeroBits,
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
    Gate = "gate",
    LinearReadout = "linear_readout",
    HiddenReadout = "hidden_readout",
    Energy = "energy",
    BondLengths = "bond_lengths",
    CountRows = "count_rows",
    ScanRows = "scan_rows",
    FillBonds = "fill_bonds",
    FillDirected = "fill_directed",
    FillAngles = "fill_angles",
    LookUp = "look_up",
    FirstAtoms = "first_atoms",
    LongMessages = "long_messages",
    LinearRows = "linear_rows",
    BondMessages = "bond_messages",
    AngleMessages = "angle_messages",
    UpdateAngles = "update_angles",
    SumAtoms = "sum_atoms",
    SumBonds = "sum_bonds",
    NormAtoms = "norm_atoms",
    Activate = "activate",
}

/// Times of launches, for benchmarks: nothing is noted unless somebody asks for it.
#[derive(Debug, Default)]
pub struct Profile {
    /// Of each launch, events before and after it.
    spans: Mutex<Option<Vec<(Kernel, CudaEvent, CudaEvent)>>>,
}

impl Profile {
    /// Notes launches from now on. The events take time of their own, and launches of several streams that overlap count
    /// more than once.
    pub fn start(&self) {
        *self.spans.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// Notes no more; waits for the launches since `start` and gives their times in milliseconds, in their order.
    pub fn finish(&self) -> Result<Vec<(Kernel, f32)>, DriverError> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner).take();
        let time =
            |(kernel, start, end): (Kernel, CudaEvent, CudaEvent)| Ok((kernel, start.elapsed_ms(&end)?));
        spans.unwrap_or_default().into_iter().map(time).collect()
    }
}

/// Kernels of one precision, loaded on a device.
#[derive(Debug)]
pub struct Kernels {
    functions: Vec<CudaFunction>,
    /// Of all queues that launch them.
    pub profile: Profile,
}

impl Kernels {
    /// Finds all kernels in a module.
    pub fn new(module: &Arc<CudaModule>) -> Result<Kernels, DriverError> {
        let load = |(_, name): &(Kernel, &str)| module.load_function(name);
        let functions = Kernel::ALL.iter().map(load).collect::<Result<_, _>>()?;
        Ok(Kernels { functions, profile: Profile::default() })
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

/// Kernels get a buffer for an empty array, too.
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
    pub(super) fn arguments(&self, kernel: Kernel) -> Launch<'_> {
        let arguments = self.stream.launch_builder(self.kernels.function(kernel));
        Launch { arguments, kernel, profile: &self.kernels.profile }
    }
}

/// A launch that gets its arguments.
pub(super) struct Launch<'a> {
    arguments: LaunchArgs<'a>,
    kernel: Kernel,
    profile: &'a Profile,
}

impl<'a> Deref for Launch<'a> {
    type Target = LaunchArgs<'a>;

    fn deref(&self) -> &LaunchArgs<'a> {
        &self.arguments
    }
}

impl<'a> DerefMut for Launch<'a> {
    fn deref_mut(&mut self) -> &mut LaunchArgs<'a> {
        &mut self.arguments
    }
}

impl<'a> Launch<'a> {
    /// Adds numbers one after another.
    pub(super) fn numbers(&mut self, numbers: &'a [i32]) {
        numbers.iter().for_each(|n| {
            self.arguments.arg(n);
        });
    }

    /// Asks for the launch.
    ///
    /// # Safety
    /// As for [`LaunchArgs::launch`]: the arguments have to be those of the kernel, and arrays as long as it takes them
    /// to be.
    pub(super) unsafe fn launch(&mut self, config: LaunchConfig) -> Result<(), DriverError> {
        let mut spans = self.profile.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.is_some() {
            self.arguments.record_kernel_launch(CU_EVENT_DEFAULT);
        }
        // SAFETY: the caller sees to it.
        let events = unsafe { self.arguments.launch(config) }?;
        if let (Some(spans), Some((start, end))) = (spans.as_mut(), events) {
            spans.push((self.kernel, start, end));
        }
        Ok(())
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
