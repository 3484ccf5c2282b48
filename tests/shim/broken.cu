// Kernels for the test of the shim: a right one, and two that a GPU may run with any result.

// Each number of a block of 128, from the thread at the other end of the block.
KERNEL(reverse)(const real* in, real* out) {
    __shared__ real block[BLOCK_THREADS];
    block[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = block[BLOCK_THREADS - 1 - threadIdx.x];
}

// The same without its barrier.
KERNEL(reverse_without_barrier)(const real* in, real* out) {
    __shared__ real block[BLOCK_THREADS];
    block[threadIdx.x] = in[threadIdx.x];
    out[threadIdx.x] = block[BLOCK_THREADS - 1 - threadIdx.x];
}

// A barrier that half of the block comes to.
KERNEL(reverse_with_half_a_barrier)(const real* in, real* out) {
    __shared__ real block[BLOCK_THREADS];
    block[threadIdx.x] = in[threadIdx.x];
    if (threadIdx.x < BLOCK_THREADS / 2) __syncthreads();
    out[threadIdx.x] = block[BLOCK_THREADS - 1 - threadIdx.x];
}
