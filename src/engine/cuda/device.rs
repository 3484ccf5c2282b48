//! The GPUs of this machine.

use std::ffi::c_int;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cudarc::driver::sys::CUdevice_attribute::{
    self, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
};
use cudarc::driver::sys::CUmemPool_attribute::{
    CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
};
use cudarc::driver::sys::CUresult::CUDA_ERROR_NO_DEVICE;
use cudarc::driver::{CudaContext, CudaModule, DriverError, result, sys};
use cudarc::nvrtc::Ptx;

use super::{DeviceError, Version, compile};

/// What the driver tells of its GPUs.
#[derive(Clone, Debug)]
pub struct Survey {
    /// CUDA of the driver, or why there is none.
    pub driver: Result<Version, DeviceError>,
    /// The GPUs that this process may use, by number, at least one; or why there are none.
    pub devices: Result<Vec<DeviceInfo>, DeviceError>,
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name: `NVIDIA H200`.
    pub name: String,
    /// Compute capability as one number: 90 for 9.0.
    pub architecture: u32,
    /// Bytes of its memory.
    pub memory: usize,
    /// Its identity: `GPU-` and 32 hexadecimal digits in groups.
    pub uuid: String,
    /// Number of multiprocessors.
    pub multiprocessors: usize,
}

/// Looks for a driver and its GPUs. Opens none of them.
pub fn survey() -> Survey {
    let driver = driver();
    let devices = driver.clone().and_then(|_| devices());
    Survey { driver, devices }
}

impl Survey {
    /// Why this process cannot compute on any of its GPUs, if anything speaks against it before they are opened.
    pub fn obstacle(&self) -> Option<DeviceError> {
        let devices = match &self.devices {
            Ok(devices) => devices,
            Err(error) => return Some(error.clone()),
        };
        let mut errors = Vec::new();
        for device in devices {
            errors.push(compile::check(device.architecture).err()?);
        }
        errors.into_iter().next()
    }
}

/// Version of the driver. Everything that other functions call is there if this succeeds.
fn driver() -> Result<Version, DeviceError> {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    // SAFETY: loads and unloads the driver's library, whose initialisers do nothing that others notice.
    if !*PRESENT.get_or_init(|| unsafe { sys::is_culib_present() }) {
        return Err(DeviceError::NoDriver);
    }
    let mut number: c_int = 0;
    // SAFETY: the library is there, and the pointer is valid.
    let told = unsafe { sys::cuDriverGetVersion(&mut number) };
    told.result().map_err(driver_error("asking for the driver's version"))?;
    let version = Version { major: number / 1000, minor: number % 1000 / 10 };
    if version < Version::OLDEST { Err(DeviceError::OldDriver(version)) } else { Ok(version) }
}

fn devices() -> Result<Vec<DeviceInfo>, DeviceError> {
    let count = match result::init().and_then(|()| result::device::get_count()) {
        Err(DriverError(CUDA_ERROR_NO_DEVICE)) => 0,
        count => count.map_err(driver_error("starting the CUDA driver"))?,
    };
    if count == 0 {
        let shown = std::env::var("CUDA_VISIBLE_DEVICES");
        let hint = shown.map(|list| format!(" (CUDA_VISIBLE_DEVICES is \"{list}\")"));
        return Err(DeviceError::NoDevice(hint.unwrap_or_default()));
    }
    let about = |ordinal| info(ordinal).map_err(driver_error(&format!("asking GPU {ordinal} what it is")));
    (0..count).map(about).collect()
}

fn info(ordinal: c_int) -> Result<DeviceInfo, DriverError> {
    let device = result::device::get(ordinal)?;
    // SAFETY: the driver has just given the device.
    let attribute = |which: CUdevice_attribute| unsafe { result::device::get_attribute(device, which) };
    let unsigned = |number: i32| u32::try_from(number).unwrap_or(0);
    let major = unsigned(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?);
    let minor = unsigned(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?);
    Ok(DeviceInfo {
        name: result::device::get_name(device)?,
        architecture: 10 * major + minor,
        // SAFETY: as above.
        memory: unsafe { result::device::total_mem(device) }?,
        uuid: uuid(result::device::get_uuid(device)?),
        multiprocessors: unsigned(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?) as usize,
    })
}

/// As `nvidia-smi` writes it.
fn uuid(id: sys::CUuuid) -> String {
    let digits: String = id.bytes.iter().map(|b| format!("{:02x}", *b as u8)).collect();
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    format!("GPU-{}", groups.join("-"))
}

/// What the driver says of a failure.
fn driver_error(what: &str) -> impl FnOnce(DriverError) -> DeviceError {
    move |error| {
        let name = error.error_name().map(|n| n.to_string_lossy().into_owned());
        let text = error.error_string().map(|t| t.to_string_lossy().into_owned());
        let why = match (name, text) {
            (Ok(name), Ok(text)) => format!("{text} ({name})"),
            _ => format!("error {} of the CUDA driver", error.0 as u32),
        };
        DeviceError::Driver { what: what.to_string(), why }
    }
}

/// Lets the driver keep what is freed for the next landscape, since asking the system for it again takes milliseconds.
fn keep_freed_memory(context: &CudaContext) -> Result<(), DriverError> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut all = u64::MAX;
    // SAFETY: the device is that of the context, and the attribute is a number of 64 bits.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device())?;
        result::mem_pool::set_attribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut all).cast())
    }
}

/// Bytes that the driver keeps and nobody uses.
fn kept_memory(context: &CudaContext) -> Result<usize, DriverError> {
    if !context.has_async_alloc() {
        return Ok(0);
    }
    let (mut reserved, mut used) = (0_u64, 0_u64);
    // SAFETY: as above.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device())?;
        let reserved = (&raw mut reserved).cast();
        result::mem_pool::get_attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, reserved)?;
        result::mem_pool::get_attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, (&raw mut used).cast())?;
    }
    Ok(usize::try_from(reserved.saturating_sub(used)).unwrap_or(usize::MAX))
}

/// A GPU that this process computes on.
#[derive(Debug)]
pub struct Device {
    /// What it is.
    pub info: DeviceInfo,
    /// Its number among those that this process sees.
    pub ordinal: usize,
    /// Its memory and what runs on it. cudarc adds no events: whoever uses it synchronises.
    pub context: Arc<CudaContext>,
    /// Kernels in float32 and float64.
    modules: Mutex<[Option<Arc<CudaModule>>; 2]>,
}

impl Device {
    /// Opens the GPU of a number.
    pub fn open(ordinal: usize) -> Result<Arc<Device>, DeviceError> {
        let devices = survey().devices?;
        let count = devices.len();
        let info = devices.into_iter().nth(ordinal).ok_or(DeviceError::Ordinal { ordinal, count })?;
        let what = format!("opening GPU {ordinal} ({})", info.name);
        let context = CudaContext::new(ordinal).map_err(driver_error(&what))?;
        // SAFETY: no memory has been allocated yet, and the engine uses one stream, or synchronises its streams.
        unsafe { context.disable_event_tracking() };
        keep_freed_memory(&context).map_err(driver_error(&what))?;
        Ok(Arc::new(Device { info, ordinal, context, modules: Mutex::default() }))
    }

    /// An error of the driver while doing something with it.
    pub fn failed(&self, what: &str, error: DriverError) -> DeviceError {
        driver_error(&format!("{what} on GPU {} ({})", self.ordinal, self.info.name))(error)
    }

    /// Bytes of its memory that nobody uses, once what is under way has ended.
    pub fn free_memory(&self) -> Result<usize, DeviceError> {
        let what = format!("asking GPU {} for its free memory", self.ordinal);
        let free = || {
            self.context.synchronize()?;
            let (free, _) = self.context.mem_get_info()?;
            Ok(free + kept_memory(&self.context)?)
        };
        free().map_err(driver_error(&what))
    }

    /// The kernels, in float64 or float32: compiled, or read from the cache, once.
    pub fn module(&self, double: bool) -> Result<Arc<CudaModule>, DeviceError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut modules[usize::from(double)];
        if let Some(module) = kept {
            return Ok(module.clone());
        }
        let architecture = self.info.architecture;
        let module = match compile::kept_image(architecture, double)?.map(|image| self.load(image)) {
            Some(Ok(module)) => module,
            // What is in the cache is of no use: what is compiled now takes its place.
            Some(Err(error)) => match compile::new_image(architecture, double) {
                Err(DeviceError::NoCompiler(_)) => return Err(error),
                image => self.load(image?)?,
            },
            None => self.load(compile::new_image(architecture, double)?)?,
        };
        *kept = Some(module.clone());
        Ok(module)
    }

    /// Loads compiled kernels.
    fn load(&self, (compiler, image): (Version, Vec<u8>)) -> Result<Arc<CudaModule>, DeviceError> {
        let what = format!("loading kernels onto GPU {} ({})", self.ordinal, self.info.name);
        let module = self.context.load_module(Ptx::from_binary(image)).map_err(driver_error(&what));
        module.map_err(|error| match (error, driver()) {
            (DeviceError::Driver { what, why }, Ok(driver)) if compiler > driver => {
                DeviceError::NewCode { what, why, compiler, driver }
            }
            (error, _) => error,
        })
    }

    /// Why it computes no more, if it does not: after a failed kernel the driver refuses everything.
    pub fn failure(&self) -> Option<DeviceError> {
        self.context.synchronize().err().map(|e| self.failed("waiting for what runs", e))
    }
}
