//! Builds the fake driver and compiler of this folder, and loads them into this process or another one.

#![allow(dead_code, reason = "every test uses a part of this")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use libloading::{Library, Symbol};

/// Whether the tests are to run on a real GPU instead.
pub fn on_gpu() -> bool {
    std::env::var_os("REQUIRE_GPU").is_some()
}

/// Builds the libraries into a folder of that name below `target` and returns it.
pub fn build(name: &str, arguments: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target").join(name);
    let status = Command::new(root.join("tests/shim/build.sh")).arg(&folder).args(arguments).status();
    assert!(status.unwrap().success(), "the shim cannot be built");
    folder
}

/// The fake driver, loaded before anything else asks for one.
pub fn load() -> &'static Library {
    static LIBRARIES: OnceLock<[Library; 2]> = OnceLock::new();
    let open = |folder: &Path, name: &str| {
        // SAFETY: the libraries' initialisers touch nothing but their own memory.
        unsafe { Library::new(folder.join(name)) }.unwrap()
    };
    let libraries = LIBRARIES.get_or_init(|| {
        let folder = build("shim", &[]);
        // The user's cache is for kernels of real compilers.
        // SAFETY: tests read the environment through the standard library only, which locks it, and the shim reads it
        // when it is first called, after this.
        unsafe { std::env::set_var("S2DPES_CACHE_DIR", folder.join("cache")) };
        ["libcuda.so", "libnvrtc.so"].map(|name| open(&folder, name))
    });
    &libraries[0]
}

/// Sets the seed of the order in which threads, blocks and streams go on.
pub fn seed(seed: u32) {
    // SAFETY: the function is there and takes an unsigned integer.
    unsafe {
        let set: Symbol<unsafe extern "C" fn(u32)> = load().get(b"shim_seed").unwrap();
        set(seed);
    }
}
