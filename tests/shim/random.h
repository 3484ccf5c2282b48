// Pseudo-random numbers from a seed: the same order of threads, blocks and streams at every run.
#pragma once

#include <cstdint>

namespace shim {

// splitmix64
inline std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

inline std::uint64_t mixed(std::uint64_t seed) { return next_random(seed); }

}  // namespace shim
