//! What the other tests of kernels rely on: the shim finds barriers that are missing or that not all threads come to.

#![cfg(feature = "cuda")]

#[path = "shim/load.rs"]
mod shim;

use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaContext, CudaModule, DriverError, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use libloading::Library;
use s2dpes::engine::cuda::compile::compile_for;

/// Numbers of a block from the other end, as a kernel gives them.
fn reversed(
    context: &Arc<CudaContext>,
    module: &Arc<CudaModule>,
    kernel: &str,
) -> Result<Vec<f32>, DriverError> {
    let stream = context.new_stream()?;
    let input = stream.clone_htod(&(0..128).map(|k| k as f32).collect::<Vec<_>>())?;
    let mut output = stream.alloc_zeros::<f32>(128)?;
    let function = module.load_function(kernel)?;
    let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the kernels of broken.cu take two arrays of 128 numbers.
    unsafe { stream.launch_builder(&function).arg(&input).arg(&mut output).launch(config)? };
    let numbers = stream.clone_dtoh(&output)?;
    stream.synchronize()?;
    Ok(numbers)
}

#[test]
fn barriers_that_are_missing_or_divergent_are_found() {
    let broken = format!("{}/tests/shim/broken.cu", env!("CARGO_MANIFEST_DIR"));
    let folder = shim::build("shim-broken", &[&broken]);
    // SAFETY: the libraries' initialisers touch nothing but their own memory; one test runs in this process, so nobody
    // reads the environment meanwhile.
    let libraries = unsafe {
        std::env::set_var("S2DPES_SHIM_ON_FAULT", "error");
        std::env::set_var("S2DPES_CACHE_DIR", folder.join("cache"));
        ["libcuda.so", "libnvrtc.so"].map(|name| Library::new(folder.join(name)).unwrap())
    };
    let context = CudaContext::new(0).unwrap();
    let image = compile_for("sm_90", false).unwrap().image;
    let module = context.load_module(Ptx::from_binary(image)).unwrap();
    let expected: Vec<f32> = (0..128).rev().map(|k| k as f32).collect();
    assert_eq!(reversed(&context, &module, "reverse").unwrap(), expected);
    let wrong = reversed(&context, &module, "reverse_without_barrier").unwrap();
    assert_ne!(wrong, expected);
    let error = reversed(&context, &module, "reverse_with_half_a_barrier").unwrap_err();
    assert_eq!(error.0, CUresult::CUDA_ERROR_LAUNCH_FAILED);
    drop((module, context, libraries));
}
