//! Kernels + architecture -> machine code, by NVRTC.

use std::ffi::{CStr, CString, c_char, c_int};

use cudarc::nvrtc::result::{self, NvrtcError};
use cudarc::nvrtc::sys;

use super::cache::{Cache, Key};
use super::{DeviceError, Version, library, source};

/// Options for every architecture. Products and sums are rounded one by one, as on CPUs.
const OPTIONS: [&str; 2] = ["--std=c++17", "--fmad=false"];
/// Has the assembler tell registers and memory of every kernel; changes no code.
const VERBOSE: &str = "--ptxas-options=-v";

/// Compiled kernels.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// `sm_90`: machine code; `compute_90`: PTX, from which the driver makes machine code.
    pub target: String,
    /// What the driver loads.
    pub image: Vec<u8>,
    /// What the compiler said.
    pub log: String,
    /// Of the compiler.
    pub version: Version,
}

/// A compiler that has been found.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Of CUDA.
    pub version: Version,
    /// Architectures that it knows, ascending: 90 for `sm_90`.
    pub architectures: Vec<u32>,
}

/// The compiler, if this machine has one.
pub fn compiler() -> Result<Option<Compiler>, DeviceError> {
    if !library::is_present() {
        return Ok(None);
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the library is there, and both pointers are valid.
    succeed("nvrtcVersion", unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result())?;
    let version = Version { major, minor };
    if version < Version::OLDEST {
        return Err(DeviceError::OldCompiler(version));
    }
    let mut count: c_int = 0;
    // SAFETY: the pointer is valid.
    let counted = unsafe { sys::nvrtcGetNumSupportedArchs(&mut count) };
    succeed("nvrtcGetNumSupportedArchs", counted.result())?;
    let mut found: Vec<c_int> = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many as were counted.
    let listed = unsafe { sys::nvrtcGetSupportedArchs(found.as_mut_ptr()) };
    succeed("nvrtcGetSupportedArchs", listed.result())?;
    let mut architectures: Vec<u32> = found.into_iter().filter_map(|a| u32::try_from(a).ok()).collect();
    architectures.sort_unstable();
    Ok(Some(Compiler { version, architectures }))
}

impl Compiler {
    /// What to compile to for an architecture: its machine code, or PTX of the next lower one.
    fn target(&self, architecture: u32) -> Result<String, DeviceError> {
        if self.architectures.contains(&architecture) {
            return Ok(format!("sm_{architecture}"));
        }
        let lower = self.architectures.iter().rev().find(|a| **a < architecture);
        lower.map(|a| format!("compute_{a}")).ok_or_else(|| {
            let supported: Vec<String> = self.architectures.iter().map(|a| format!("sm_{a}")).collect();
            DeviceError::Unsupported {
                version: self.version,
                architecture: format!("sm_{architecture}"),
                supported: supported.join(", "),
            }
        })
    }

    fn compile(&self, architecture: u32, double: bool) -> Result<Compiled, DeviceError> {
        let target = self.target(architecture)?;
        let mut options = options(double);
        options.extend([format!("--gpu-architecture={target}"), VERBOSE.into()]);
        let program = Program::new(&source::kernels())?;
        let is_compiled = program.compile(&options);
        let log = program.log();
        match is_compiled {
            Ok(()) => {}
            Err(NvrtcError(sys::nvrtcResult::NVRTC_ERROR_COMPILATION)) => {
                return Err(DeviceError::Compilation { version: self.version, target, log });
            }
            Err(error) => {
                let why = if log.is_empty() { error.to_string() } else { format!("{error}\n{log}") };
                return Err(DeviceError::Compiler { what: "nvrtcCompileProgram", why });
            }
        }
        let image = if target.starts_with("sm_") { program.machine_code() } else { program.ptx() }?;
        Ok(Compiled { target, image, log, version: self.version })
    }
}

/// Options that make a difference, but for the architecture.
fn options(double: bool) -> Vec<String> {
    let precision = double.then_some("-DS2DPES_DOUBLE");
    OPTIONS.into_iter().chain(precision).map(String::from).collect()
}

/// What names the kernels' code for an architecture.
pub(super) fn key(architecture: u32, double: bool) -> Key {
    Key::new(&source::kernels(), &options(double), architecture)
}

/// Compiles the kernels for an architecture such as `sm_90` and leaves them in the cache. This needs no GPU.
pub fn compile_for(architecture: &str, double: bool) -> Result<Compiled, DeviceError> {
    let number = architecture.strip_prefix("sm_").and_then(|n| n.parse().ok());
    let number: u32 = number.ok_or_else(|| DeviceError::Architecture(architecture.into()))?;
    let compiler = compiler()?.ok_or_else(|| DeviceError::NoCompiler(architecture.into()))?;
    let compiled = compiler.compile(number, double)?;
    Cache::of_environment().store(&key(number, double), compiled.version, &compiled.image);
    Ok(compiled)
}

/// Whether there will be code for an architecture: a compiler for it, or what one left in the cache.
pub(super) fn check(architecture: u32) -> Result<(), DeviceError> {
    match compiler()? {
        Some(compiler) => compiler.target(architecture).map(|_| ()),
        None => match Cache::of_environment().load(&key(architecture, false), None) {
            Some(_) => Ok(()),
            None => Err(DeviceError::NoCompiler(format!("sm_{architecture}"))),
        },
    }
}

/// What an earlier run left in the cache for an architecture, and the version of its compiler.
pub(super) fn kept_image(architecture: u32, double: bool) -> Result<Option<(Version, Vec<u8>)>, DeviceError> {
    let wanted = compiler()?.map(|c| c.version);
    Ok(Cache::of_environment().load(&key(architecture, double), wanted))
}

/// What the driver loads for an architecture, compiled now and kept, and the version of its compiler.
pub(super) fn new_image(architecture: u32, double: bool) -> Result<(Version, Vec<u8>), DeviceError> {
    let (cache, key) = (Cache::of_environment(), key(architecture, double));
    let compiler = compiler()?.ok_or_else(|| DeviceError::NoCompiler(format!("sm_{architecture}")))?;
    log::debug!("compiling kernels for sm_{architecture} with NVRTC {}", compiler.version);
    let compiled = compiler.compile(architecture, double)?;
    cache.store(&key, compiled.version, &compiled.image);
    Ok((compiled.version, compiled.image))
}

fn succeed(what: &'static str, result: Result<(), NvrtcError>) -> Result<(), DeviceError> {
    result.map_err(|error| DeviceError::Compiler { what, why: error.to_string() })
}

/// A program of NVRTC.
struct Program {
    handle: sys::nvrtcProgram,
    /// The program may refer to it.
    _source: CString,
}

impl Program {
    fn new(source: &str) -> Result<Program, DeviceError> {
        let failed = |why: String| DeviceError::Compiler { what: "nvrtcCreateProgram", why };
        let source = CString::new(source).map_err(|e| failed(e.to_string()))?;
        let handle =
            result::create_program(&source, Some(c"s2dpes.cu")).map_err(|e| failed(e.to_string()))?;
        Ok(Program { handle, _source: source })
    }

    fn compile(&self, options: &[String]) -> Result<(), NvrtcError> {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        // SAFETY: the program has been created and not destroyed.
        unsafe { result::compile_program(self.handle, &options) }
    }

    fn log(&self) -> String {
        // SAFETY: the program has been created and not destroyed.
        let log = unsafe { result::get_program_log(self.handle) }.unwrap_or_default();
        let bytes: Vec<u8> = log.iter().map(|c| *c as u8).collect();
        let text = CStr::from_bytes_until_nul(&bytes).map(CStr::to_string_lossy);
        text.unwrap_or_default().trim().to_string()
    }

    fn machine_code(&self) -> Result<Vec<u8>, DeviceError> {
        let mut size = 0;
        // SAFETY: the program has been created and not destroyed, and the pointer is valid.
        let sized = unsafe { sys::nvrtcGetCUBINSize(self.handle, &mut size) };
        succeed("nvrtcGetCUBINSize", sized.result())?;
        let mut image = vec![0_u8; size];
        // SAFETY: as above, and there is room for what was said.
        let copied = unsafe { sys::nvrtcGetCUBIN(self.handle, image.as_mut_ptr().cast::<c_char>()) };
        succeed("nvrtcGetCUBIN", copied.result())?;
        Ok(image)
    }

    /// With the zero at its end that the driver wants.
    fn ptx(&self) -> Result<Vec<u8>, DeviceError> {
        // SAFETY: the program has been created and not destroyed.
        let text = unsafe { result::get_ptx(self.handle) };
        let text = text.map_err(|e| DeviceError::Compiler { what: "nvrtcGetPTX", why: e.to_string() })?;
        Ok(text.iter().map(|c| *c as u8).chain([0]).collect())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: nobody else has the program, and this is its end.
        let _ = unsafe { result::destroy_program(self.handle) };
    }
}
