// Fibers: each CUDA thread of a block has a stack of its own and runs until it waits for others.
#pragma once

#include <cstddef>

namespace shim {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t stack_bytes = 256 * 1024;  // the sanitizer puts gaps between local variables
#else
constexpr std::size_t stack_bytes = 64 * 1024;
#endif

// A suspended flow of execution: a fiber, or the loop that schedules them.
struct Fiber {
    void* stack_pointer = nullptr;
    // The address sanitizer wants to know where every stack is.
    const void* stack = nullptr;
    std::size_t stack_size = 0;
    void* fake_stack = nullptr;
};

// Stacks with a guard page below each, kept from one block to the next.
class Stacks {
public:
    Stacks() = default;
    Stacks(const Stacks&) = delete;
    Stacks& operator=(const Stacks&) = delete;
    ~Stacks();

    void reserve(std::size_t count);
    // A fiber that starts in `entry`, which must never return.
    Fiber start(std::size_t index, void (*entry)());
    // After fibers were given up in the middle of a kernel: what the sanitizer knows of their frames is no longer true.
    void forget_frames();

private:
    char* stack(std::size_t index) const;
    char* memory_ = nullptr;
    std::size_t count_ = 0;
};

// Goes on in `to`; returns when something switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);
// The same from a fiber that has ended.
[[noreturn]] void leave_fiber(Fiber& from, Fiber& to);
// First thing in a new fiber; `scheduler` is where it was started from.
void enter_fiber(Fiber& scheduler);

}  // namespace shim
