#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a function must preserve on the stack, stores the stack pointer and continues with another
// stack. Unlike swapcontext it makes no system call: kernels switch at every barrier of every thread.
extern "C" void shim_switch_stack(void** saved, void* next);

#if defined(__x86_64__)
asm(R"(
.text
.globl shim_switch_stack
.hidden shim_switch_stack
.type shim_switch_stack,@function
shim_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size shim_switch_stack,.-shim_switch_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl shim_switch_stack
.hidden shim_switch_stack
.type shim_switch_stack,%function
shim_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size shim_switch_stack,.-shim_switch_stack
)");
#else
#error "fibers are written for x86-64 and aarch64"
#endif

namespace shim {

namespace {

// What shim_switch_stack expects to find on a stack: zeros for the saved registers and the address to go on at.
void* initial_frame(char* top, void (*entry)()) {
    auto* frame = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{63});
#if defined(__x86_64__)
    frame -= 8;
    std::memset(frame, 0, 8 * sizeof(void*));
    frame[6] = reinterpret_cast<void*>(entry);  // frame[7]: a return address that is never used, it aligns the stack
#else
    frame -= 20;
    std::memset(frame, 0, 20 * sizeof(void*));
    frame[11] = reinterpret_cast<void*>(entry);
#endif
    return frame;
}

std::size_t guard_bytes() {
    static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

}  // namespace

Stacks::~Stacks() {
    if (memory_) munmap(memory_, count_ * (guard_bytes() + stack_bytes));
}

char* Stacks::stack(std::size_t index) const { return memory_ + index * (guard_bytes() + stack_bytes) + guard_bytes(); }

void Stacks::reserve(std::size_t count) {
    if (count <= count_) return;
    const std::size_t pitch = guard_bytes() + stack_bytes;
    if (memory_) munmap(memory_, count_ * pitch);
    void* memory =
        mmap(nullptr, count * pitch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("CPU shim: stacks of fibers");
        std::abort();
    }
    memory_ = static_cast<char*>(memory);
    count_ = count;
    for (std::size_t i = 0; i < count; ++i) mprotect(memory_ + i * pitch, guard_bytes(), PROT_NONE);
    forget_frames();
}

Fiber Stacks::start(std::size_t index, void (*entry)()) {
    char* bottom = stack(index);
#if defined(__SANITIZE_ADDRESS__)
    // The entry function of the fiber before never returned, its frame is still marked.
    __asan_unpoison_memory_region(bottom + stack_bytes - 8192, 8192);
#endif
    // Stacks a power of two apart would share cache sets, so their tops are staggered.
    char* top = bottom + stack_bytes - index % 61 * 64;
    return {initial_frame(top, entry), bottom, stack_bytes, nullptr};
}

void Stacks::forget_frames() {
#if defined(__SANITIZE_ADDRESS__)
    for (std::size_t i = 0; i < count_; ++i) __asan_unpoison_memory_region(stack(i), stack_bytes);
#endif
}

#if defined(__SANITIZE_ADDRESS__)

void switch_fiber(Fiber& from, Fiber& to) {
    __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_size);
    shim_switch_stack(&from.stack_pointer, to.stack_pointer);
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
}

void leave_fiber(Fiber& from, Fiber& to) {
    __sanitizer_start_switch_fiber(nullptr, to.stack, to.stack_size);
    shim_switch_stack(&from.stack_pointer, to.stack_pointer);
    std::abort();
}

void enter_fiber(Fiber& scheduler) {
    __sanitizer_finish_switch_fiber(nullptr, &scheduler.stack, &scheduler.stack_size);
}

#else

void switch_fiber(Fiber& from, Fiber& to) { shim_switch_stack(&from.stack_pointer, to.stack_pointer); }

void leave_fiber(Fiber& from, Fiber& to) {
    shim_switch_stack(&from.stack_pointer, to.stack_pointer);
    std::abort();
}

void enter_fiber(Fiber&) {}

#endif

}  // namespace shim
