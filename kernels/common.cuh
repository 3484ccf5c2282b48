// What all kernels share. Differences between CUDA, HIP and the CPU shim of the tests live here alone.
//
// Arrays over the points of a batch are `[row][point][channel]`; rows are components of sites, as the host's plan
// numbers them. Channels are padded to a multiple of 16, and most kernels give a thread four of them, a quad.

#if defined(CPU_CUDA)
#include "cuda_runtime_shim.h"
#elif defined(__HIP__) || defined(__HIPCC__)
#if !defined(__HIPCC_RTC__)
#include <hip/hip_runtime.h>
#endif
// Wavefronts may have 64 lanes: each half is a warp of its own.
#define __shfl_xor_sync(mask, value, lanes) __shfl_xor(value, lanes, 32)
#define __ballot_sync(mask, predicate) ((unsigned)(__ballot(predicate) >> (__lane_id() & 32u)))
#define DYNAMIC_SHARED(T, name) extern __shared__ T name[]
#else
#define DYNAMIC_SHARED(T, name) extern __shared__ T name[]
#endif

// Every kernel runs in blocks of this many threads.
#define BLOCK_THREADS 128
#if !defined(KERNEL)
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(BLOCK_THREADS) name
#endif

// float32 with float64 where it is cheap and counts, or float64 throughout. POINTS is how many points a thread
// works on where it can use what it has loaded for all of them.
#if defined(S2DPES_DOUBLE)
typedef double real;
#define FMA fma
#define POINTS 2
#else
typedef float real;
#define FMA fmaf
#define POINTS 4
#endif

#define WARP 32
#define ALL_LANES 0xffffffffu
// Highest degree of harmonics and features, and components up to it.
#define MAX_DEGREE 3
#define MAX_COMPONENTS 16
// Rows of a quintic table that a distance touches.
#define TAPS 6

// Four neighbouring channels.
struct alignas(16) quad {
    real x, y, z, w;
};

__device__ __forceinline__ quad zero_quad() {
    quad out = {0, 0, 0, 0};
    return out;
}

__device__ __forceinline__ quad load_quad(const real* from) {
    return *reinterpret_cast<const quad*>(from);
}

__device__ __forceinline__ void store_quad(real* to, const quad& value) {
    *reinterpret_cast<quad*>(to) = value;
}

// sum += factor * value
__device__ __forceinline__ void add_scaled(quad& sum, real factor, const quad& value) {
    sum.x = FMA(factor, value.x, sum.x);
    sum.y = FMA(factor, value.y, sum.y);
    sum.z = FMA(factor, value.z, sum.z);
    sum.w = FMA(factor, value.w, sum.w);
}

// sum += a * b
__device__ __forceinline__ void add_product(quad& sum, const quad& a, const quad& b) {
    sum.x = FMA(a.x, b.x, sum.x);
    sum.y = FMA(a.y, b.y, sum.y);
    sum.z = FMA(a.z, b.z, sum.z);
    sum.w = FMA(a.w, b.w, sum.w);
}

__device__ __forceinline__ void add(quad& sum, const quad& value) {
    sum.x += value.x;
    sum.y += value.y;
    sum.z += value.z;
    sum.w += value.w;
}

// Number of this thread in the grid.
__device__ __forceinline__ unsigned thread_number() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

// Where a distance lies on the radial tables, and the shell it belongs to.
struct alignas(16) Place {
    real weights[TAPS];
    int row;
    int shell;
};

// A group of pairs of sites that the same axes move, as all kernels see it; see plan.rs. A node is one set of values
// of these axes.
struct Group {
    // Operators that are kept, `[node][values]`; null if they are not.
    const real* operators;
    // `[node][scalars]`.
    const double* scalars;
    // `[node][pairs + 1]`: where the entries of each pair begin.
    const int* begins;
    // `[node][most]`, of which the first are in use.
    const Place* places;
    // `[node][most][rows]`.
    const real* angular;
    // The node of each point; null if it is `step * point`.
    const int* nodes;
    long long value_count;
    int scalar_count;
    int pair_count;
    // Most entries of a node.
    int most;
    int row_count;
    int step;
    int padding;
};

__device__ __forceinline__ size_t node_of(const Group& group, int point) {
    return group.nodes ? group.nodes[point] : group.step * point;
}

// Four functions of the distance at a place: `table` points at the first of them in the first row of the table.
__device__ __forceinline__ quad radial(const real* table, int columns, const Place& place) {
    const real* from = table + (size_t)place.row * columns;
    quad sum = zero_quad();
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {
        add_scaled(sum, place.weights[tap], load_quad(from + (size_t)tap * columns));
    }
    return sum;
}

// The six quintic B-splines that are not zero at distance t in [0, 1] from a knot.
__device__ __forceinline__ double fifth_power(double x) {
    return x * x * x * x * x;
}

__device__ __forceinline__ double quintic_spline(double x) {
    double value = fifth_power(3.0 - x);
    if (x < 2.0) value -= 6.0 * fifth_power(2.0 - x);
    if (x < 1.0) value += 15.0 * fifth_power(1.0 - x);
    return value / 120.0;
}

// Row of a table and the distance from it, in steps, of a distance r >= 0.
__device__ __forceinline__ int table_row(double r, double inverse_step, int intervals, double& t) {
    double position = r * inverse_step;
    int row = (int)position;
    if (row > intervals - 1) row = intervals - 1;
    t = position - (double)row;
    return row;
}

__device__ __forceinline__ void quintic_weights(double t, double* weights) {
    weights[0] = quintic_spline(t + 2.0);
    weights[1] = quintic_spline(t + 1.0);
    weights[2] = quintic_spline(t);
    weights[3] = quintic_spline(1.0 - t);
    weights[4] = quintic_spline(2.0 - t);
    weights[5] = quintic_spline(3.0 - t);
}

// Vector of a bond from sender to receiver: `vectors` is `[bond][1 + axes][3]`, first at axis values 0, then its change
// with each axis.
__device__ __forceinline__ void bond_vector(
    const double* vectors, int bond, const double* values, int axes, double* v) {
    const double* own = vectors + (size_t)bond * (axes + 1) * 3;
    v[0] = own[0];
    v[1] = own[1];
    v[2] = own[2];
    for (int a = 0; a < axes; ++a) {
        const double* slope = own + 3 * (a + 1);
        v[0] += slope[0] * values[a];
        v[1] += slope[1] * values[a];
        v[2] += slope[2] * values[a];
    }
}

__device__ __forceinline__ double norm(const double* v) {
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

// `e^-x` with x between -43 and 43, and quotients by what is made of it, which is far from the largest number also
// squared.
#if defined(S2DPES_DOUBLE)
__device__ __forceinline__ real exp_minus(real x) {
    return exp(-fmin(fmax(x, -43.0), 43.0));
}

__device__ __forceinline__ real quotient(real x, real y) {
    return x / y;
}
#else
// The CPU engine's polynomial: `2^n e^-r` with the integer n nearest to `-x / ln 2`.
__device__ __forceinline__ real exp_minus(real x) {
    // Adding it leaves the nearest integer in the lowest bits.
    const float round = 12582912.0f;
    x = fminf(fmaxf(x, -43.0f), 43.0f);
    float shifted = fmaf(x, -1.44269504f, round), n = shifted - round;
    // x + n ln 2
    float r = fmaf(n, -2.1219444e-4f, fmaf(n, 0.6933594f, x));
    float power = fmaf(1.3814475e-3f, r, -8.368783e-3f);
    power = fmaf(power, r, 4.1668394e-2f);
    power = fmaf(power, r, -1.6666521e-1f);
    power = fmaf(power, r, 4.9999993e-1f);
    power = fmaf(power, r, -1.0f);
    power = fmaf(power, r, 1.0f);
    // n is added to the exponent; what stands above it falls out.
    return __int_as_float((int)((unsigned)__float_as_int(power) + ((unsigned)__float_as_int(shifted) << 23)));
}

// To two units in the last place, in a fourth of the instructions.
__device__ __forceinline__ real quotient(real x, real y) {
    return __fdividef(x, y);
}
#endif

// x / (1 + e^-x)
__device__ __forceinline__ real silu(real x) {
    return quotient(x, (real)1 + exp_minus(x));
}

__device__ __forceinline__ quad silu(const quad& x) {
    quad out = {silu(x.x), silu(x.y), silu(x.z), silu(x.w)};
    return out;
}
