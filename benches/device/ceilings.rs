//! What a GPU can do at most in float32: multiply-adds in registers, and copying memory.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;
use cudarc::driver::{CudaModule, CudaStream, DriverError, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::{Ptx, result, sys};
use s2dpes::engine::cuda::compile::compiler;
use s2dpes::engine::cuda::device::Device;
use serde_json::{Value, json};

use super::{Failure, median};

const SOURCE: &str = concat!(include_str!("../../kernels/common.cuh"), include_str!("ceilings.cu"));
const THREADS: usize = 128;
/// As in `ceilings.cu`.
const MULTIPLY_ADDS: usize = 8 * 16;
/// Part of the free memory that each of the two buffers may take.
const SHARE: usize = 8;

/// What the kernels do.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Blocks for each multiprocessor.
    blocks: usize,
    /// Of the multiply-adds.
    rounds: i32,
    /// Most bytes to copy.
    bytes: usize,
}

/// Enough to keep a GPU busy for milliseconds.
pub const MUCH: Work = Work { blocks: 64, rounds: 2000, bytes: 1 << 30 };
/// To try it out.
pub const LITTLE: Work = Work { blocks: 1, rounds: 2, bytes: 1 << 16 };

/// Operations and bytes a second; nothing if there is no compiler.
pub fn measure(device: &Arc<Device>, work: Work, rounds: usize) -> Result<Value, Failure> {
    let Some(compiler) = compiler()? else {
        return Ok(json!({ "missing": "NVRTC was not found, which compiles the kernels for it" }));
    };
    if !compiler.architectures.contains(&device.info.architecture) {
        return Ok(json!({ "missing": "NVRTC does not know the GPU" }));
    }
    device.context.bind_to_thread()?;
    let image = machine_code(device.info.architecture)?;
    let module = device.context.load_module(Ptx::from_binary(image))?;
    let stream = device.context.new_stream()?;
    let operations = multiply_add(device, &module, &stream, (work, rounds))?;
    let bytes = copy(device, &module, &stream, (work, rounds))?;
    Ok(json!({ "TFLOP_per_s": operations / 1e12, "GB_per_s": bytes / 1e9 }))
}

fn machine_code(architecture: u32) -> Result<Vec<u8>, Failure> {
    let source = CString::new(SOURCE)?;
    let program = result::create_program(&source, Some(c"ceilings.cu"))?;
    let options = ["--std=c++17".to_string(), format!("--gpu-architecture=sm_{architecture}")];
    // SAFETY: the program is there until it is destroyed below, and the image is as long as the compiler says.
    unsafe {
        result::compile_program(program, &options)?;
        let mut size = 0;
        sys::nvrtcGetCUBINSize(program, &mut size).result()?;
        let mut image = vec![0_u8; size];
        sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast::<c_char>()).result()?;
        result::destroy_program(program)?;
        Ok(image)
    }
}

fn config(blocks: usize) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 }
}

/// Median seconds of a launch after one to warm up.
fn seconds(
    stream: &Arc<CudaStream>,
    rounds: usize,
    mut launch: impl FnMut() -> Result<(), DriverError>,
) -> Result<f64, DriverError> {
    launch()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = stream.record_event(Some(CU_EVENT_DEFAULT))?;
        launch()?;
        let end = stream.record_event(Some(CU_EVENT_DEFAULT))?;
        times.push(1e-3 * f64::from(start.elapsed_ms(&end)?));
    }
    Ok(median(times))
}

/// Operations a second; a multiply-add is two.
fn multiply_add(
    device: &Device,
    module: &Arc<CudaModule>,
    stream: &Arc<CudaStream>,
    (work, rounds): (Work, usize),
) -> Result<f64, DriverError> {
    let function = module.load_function("ceiling_fma")?;
    let blocks = work.blocks * device.info.multiprocessors.max(1);
    let mut out = stream.alloc_zeros::<f32>(blocks * THREADS)?;
    let time = seconds(stream, rounds, || {
        let mut arguments = stream.launch_builder(&function);
        arguments.arg(&0.999_f32).arg(&work.rounds).arg(&mut out);
        // SAFETY: the arguments are those of the kernel, and each thread writes one number.
        unsafe { arguments.launch(config(blocks)) }.map(drop)
    })?;
    Ok((2 * MULTIPLY_ADDS * blocks * THREADS) as f64 * f64::from(work.rounds) / time)
}

/// Bytes read and written a second.
fn copy(
    device: &Device,
    module: &Arc<CudaModule>,
    stream: &Arc<CudaStream>,
    (work, rounds): (Work, usize),
) -> Result<f64, Failure> {
    let function = module.load_function("ceiling_copy")?;
    let quads = (device.free_memory()? / SHARE).min(work.bytes) / 16;
    let from = stream.alloc_zeros::<f32>(4 * quads)?;
    let mut to = stream.alloc_zeros::<f32>(4 * quads)?;
    let count = quads as u32;
    let time = seconds(stream, rounds, || {
        let mut arguments = stream.launch_builder(&function);
        arguments.arg(&from).arg(&count).arg(&mut to);
        // SAFETY: the arguments are those of the kernel, and both buffers have as many quads.
        unsafe { arguments.launch(config(quads.div_ceil(THREADS))) }.map(drop)
    })?;
    Ok((2 * 16 * quads) as f64 / time)
}
