# `make demo` and `make test` do everything on a fresh Debian or Ubuntu machine that has Rust.

.PHONY: demo test lint setup readers slurm kernels gpu-dry-run clean

demo: setup
	cargo build --release
	mkdir -p demo
	target/release/s2dpes run configs/w2n3.toml --output demo/w2n3.h5
	target/release/s2dpes plot demo/w2n3.h5 --output demo/w2n3.png --range 0,3
	@echo "results: demo/w2n3.h5   picture: demo/w2n3.png"

test: setup
	cargo test

# Formatting, lints with and without the default features, documentation.
lint: setup
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Reads a result file with xarray, h5py and netCDF4, which pip fetches into target/readers.
readers: setup
	tests/readers/run.sh

# Runs s2dpes under a real Slurm with MPICH; as root on Debian, which it installs them from.
slurm: setup
	tests/slurm/run.sh

# Compiles the kernels with NVIDIA's compiler, which pip fetches into target/nvrtc, and with AMD's from Debian, and
# writes what they use to benches/results/kernels.md. No GPU is needed.
kernels:
	python3 tests/kernels/compile.py
	tests/kernels/hip.sh

# What tests/gpu/run.sh does on a machine with a GPU, small and through the imitated driver.
gpu-dry-run: setup
	tests/gpu/run.sh --dry-run

setup:
	tools/setup.sh

clean:
	cargo clean
	rm -rf demo
