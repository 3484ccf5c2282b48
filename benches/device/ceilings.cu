// Two plain kernels that show what a GPU can do at most; kernels/common.cuh goes before.

#define CEILING_CHAINS 8
#define CEILING_STEPS 16

// Multiply-adds in independent chains: CEILING_CHAINS * CEILING_STEPS a round and thread.
KERNEL(ceiling_fma)(real factor, int rounds, real* out) {
    unsigned id = thread_number();
    real sums[CEILING_CHAINS];
#pragma unroll
    for (int k = 0; k < CEILING_CHAINS; ++k) sums[k] = (real)(id + k);
    for (int round = 0; round < rounds; ++round) {
#pragma unroll
        for (int step = 0; step < CEILING_STEPS; ++step) {
#pragma unroll
            for (int k = 0; k < CEILING_CHAINS; ++k) sums[k] = FMA(sums[k], factor, factor);
        }
    }
    real total = 0;
#pragma unroll
    for (int k = 0; k < CEILING_CHAINS; ++k) total += sums[k];
    out[id] = total;
}

// A thread a quad.
KERNEL(ceiling_copy)(const real* from, unsigned quads, real* to) {
    unsigned id = thread_number();
    if (id < quads) store_quad(to + 4 * (size_t)id, load_quad(from + 4 * (size_t)id));
}
