// Execution of a grid: one OS thread runs one block at a time, every CUDA thread of the block is a fiber.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <string>
#include <type_traits>
#include <vector>

#include "fiber.h"

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace shim {

struct Launch {
    dim3 grid, block;
    std::size_t shared_bytes;
    std::function<void()> thread;  // the kernel with its arguments
    std::uint64_t seed;            // 0: threads and blocks in their natural order, shared memory not filled
};

// Runs all blocks on `os_threads` threads. Returns what went wrong, or nothing.
std::string run_grid(const Launch& launch, unsigned os_threads);

struct Thread {
    uint3 index;
    unsigned linear;
    Fiber fiber;
    bool finished;
    // Sleeps while *generation == slept_at; runs when generation is null.
    const std::uint32_t* generation;
    std::uint32_t slept_at;
};

// Lanes of a warp that exchange values under one mask.
struct LaneGroup {
    std::uint32_t mask = 0, arrived = 0, generation = 0;
    std::source_location site;
    // Two exchanges: fast lanes may already be in the next one while slow lanes still read the last.
    struct Exchange {
        std::uint64_t value[32];
        std::uint32_t lanes;  // that took part
    } exchange[2];
};

struct Warp {
    std::uint32_t running = 0;
    LaneGroup groups[8];
};

class Block {
public:
    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block();

    void prepare(const Launch& launch);
    std::string run(uint3 index);  // returns what went wrong, or nothing

    // Called by CUDA threads.
    int barrier(int predicate, std::source_location site);  // returns how many threads had a predicate
    const LaneGroup::Exchange& exchange(std::uint32_t mask, std::uint64_t value, std::source_location site);
    [[noreturn]] void fault(std::string message);
    void* dynamic_shared() const { return dynamic_shared_; }

    dim3 grid, size;
    uint3 index;

private:
    static void thread_main();
    void finish(Thread& thread);
    void sleep(const std::uint32_t& generation);
    void schedule(std::uint64_t random);
    LaneGroup& group(Warp& warp, std::uint32_t mask);
    std::string deadlock() const;

    const Launch* launch_ = nullptr;
    std::vector<Thread> threads_;
    std::vector<unsigned> order_;
    std::vector<Warp> warps_;
    Stacks stacks_;
    Fiber scheduler_;
    void* dynamic_shared_ = nullptr;
    std::string fault_;
    unsigned finished_ = 0;

    struct {
        unsigned arrived = 0, sum = 0, result = 0;
        std::uint32_t generation = 0;
        std::source_location site;
    } barrier_;
};

extern constinit thread_local Block* current_block;
extern constinit thread_local Thread* current_thread;

template <class T>
std::uint64_t to_bits(T value) {
    static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
}

// The value of a lane. From a lane that does not take part CUDA gives anything; here it is all ones, NaN for numbers.
template <class T>
T from_lane(const LaneGroup::Exchange& exchange, unsigned lane) {
    const std::uint64_t bits = exchange.lanes >> lane & 1 ? exchange.value[lane] : ~std::uint64_t{0};
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace shim
