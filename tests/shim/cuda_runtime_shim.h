// The part of the CUDA device language that the kernels use, for a C++ compiler. Included before the kernels.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <bit>
#include <concepts>
#include <type_traits>

#include "block.h"
#include "registry.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
// One OS thread runs one block at a time.
#define __shared__ static thread_local
#define DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(shim::current_block->dynamic_shared())

// KERNEL(name)(parameters), or KERNEL(name, threads)(parameters) with the launch bound.
#define KERNEL(name, ...)                                                            \
    constexpr unsigned name##_launch_bounds[] = {1024 __VA_OPT__(, ) __VA_ARGS__};   \
    static void name
// The build script writes one for each KERNEL.
#define SHIM_REGISTER(name)                                                                                            \
    const shim::Registration name##_registration(                                                                      \
        {#name, is_double, name##_launch_bounds[std::size(name##_launch_bounds) > 1], shim::Binder<&name>::bind})

#define threadIdx (shim::current_thread->index)
#define blockIdx (shim::current_block->index)
#define blockDim (shim::current_block->size)
#define gridDim (shim::current_block->grid)
#define warpSize 32

// Where a barrier is written, to recognise threads that wait at different ones.
#define SHIM_SITE std::source_location site = std::source_location::current()

inline void __syncthreads(SHIM_SITE) { shim::current_block->barrier(0, site); }
inline int __syncthreads_count(int predicate, SHIM_SITE) { return shim::current_block->barrier(predicate, site); }
inline int __syncthreads_or(int predicate, SHIM_SITE) { return shim::current_block->barrier(predicate, site) != 0; }
inline int __syncthreads_and(int predicate, SHIM_SITE) { return shim::current_block->barrier(!predicate, site) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu, SHIM_SITE) { shim::current_block->exchange(mask, 0, site); }

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() {}
[[noreturn]] inline void __trap() { shim::current_block->fault("__trap"); }

namespace shim {
inline unsigned lane() { return current_thread->linear % 32; }
}  // namespace shim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SHIM_SITE) {
    const auto& exchange = shim::current_block->exchange(mask, shim::to_bits(value), site);
    return shim::from_lane<T>(exchange, (shim::lane() & ~(width - 1)) | (source & (width - 1)));
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SHIM_SITE) {
    const auto& exchange = shim::current_block->exchange(mask, shim::to_bits(value), site);
    const unsigned lane = shim::lane();
    return (lane & (width - 1)) < delta ? value : shim::from_lane<T>(exchange, lane - delta);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SHIM_SITE) {
    const auto& exchange = shim::current_block->exchange(mask, shim::to_bits(value), site);
    const unsigned lane = shim::lane();
    return (lane & (width - 1)) + delta >= unsigned(width) ? value : shim::from_lane<T>(exchange, lane + delta);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, SHIM_SITE) {
    const auto& exchange = shim::current_block->exchange(mask, shim::to_bits(value), site);
    const unsigned lane = shim::lane(), source = lane ^ lane_mask;
    // A lane of a later segment is out of reach, one of an earlier segment is not.
    return source >= (lane & ~(width - 1)) + width ? value : shim::from_lane<T>(exchange, source);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SHIM_SITE) {
    const auto& exchange = shim::current_block->exchange(mask, predicate != 0, site);
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
        if (exchange.lanes >> lane & 1 && exchange.value[lane]) result |= 1u << lane;
    return result;
}
inline int __any_sync(unsigned mask, int predicate, SHIM_SITE) { return __ballot_sync(mask, predicate, site) != 0; }
inline int __all_sync(unsigned mask, int predicate, SHIM_SITE) { return __ballot_sync(mask, !predicate, site) == 0; }

#undef SHIM_SITE

inline int __popc(unsigned value) { return std::popcount(value); }
inline int __popcll(unsigned long long value) { return std::popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
template <class T>
T __ldg(const T* pointer) {
    return *pointer;
}

inline double rsqrt(double value) { return 1.0 / sqrt(value); }
inline float rsqrt(float value) { return 1.0f / sqrtf(value); }
inline float rsqrtf(float value) { return rsqrt(value); }
inline float __fdividef(float a, float b) { return a / b; }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __int_as_float(int value) { return std::bit_cast<float>(value); }

// For numbers of different types, as in CUDA; of a NaN and a number the number.
template <class A, class B>
    requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::floating_point<T>) return fmin(T(a), T(b));
    else return T(a) < T(b) ? T(a) : T(b);
}
template <class A, class B>
    requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::floating_point<T>) return fmax(T(a), T(b));
    else return T(a) > T(b) ? T(a) : T(b);
}

// Atomics return the old value.
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
    __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
    T old;
    __atomic_exchange(address, &value, &old, __ATOMIC_RELAXED);
    return old;
}
namespace shim {
template <class T, class F>
T atomic_update(T* address, F&& update) {
    T old;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    T desired = update(old);
    while (!__atomic_compare_exchange(address, &old, &desired, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        desired = update(old);
    return old;
}
}  // namespace shim
#define SHIM_ATOMIC(name, expression)                                                 \
    template <class T>                                                                \
    T name(T* address, std::type_identity_t<T> value) {                               \
        return shim::atomic_update(address, [value](T old) -> T { return expression; }); \
    }
SHIM_ATOMIC(atomicAdd, old + value)
SHIM_ATOMIC(atomicSub, old - value)
SHIM_ATOMIC(atomicMin, old < value ? old : value)
SHIM_ATOMIC(atomicMax, old > value ? old : value)
SHIM_ATOMIC(atomicAnd, old & value)
SHIM_ATOMIC(atomicOr, old | value)
SHIM_ATOMIC(atomicXor, old ^ value)
#undef SHIM_ATOMIC

// Vectors with CUDA's alignments.
#define SHIM_VECTORS(T, name, alignment2, alignment4)                                           \
    struct alignas(alignment2) name##2 { T x, y; };                                             \
    struct name##3 { T x, y, z; };                                                              \
    struct alignas(alignment4) name##4 { T x, y, z, w; };                                       \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                  \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                          \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
SHIM_VECTORS(float, float, 8, 16)
SHIM_VECTORS(double, double, 16, 16)
SHIM_VECTORS(int, int, 8, 16)
#undef SHIM_VECTORS

// CUDA takes alignas behind __shared__, C++ takes it only in front of what __shared__ stands for here.
#define alignas(bytes) __attribute__((aligned(bytes)))
