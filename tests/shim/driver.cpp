#include "driver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "random.h"

namespace shim {

thread_local Context* current_context = nullptr;

Driver& driver() {
    // Never destroyed: other threads may still use it when the process ends.
    static Driver& instance = *new Driver;
    return instance;
}

std::uint64_t Driver::mixed_seed(unsigned seed) { return mixed(seed); }

unsigned Driver::max_shared() const {
    switch (settings.capability) {
        case 70: return 96 * 1024;
        case 75: return 64 * 1024;
        case 80: case 87: return 163 * 1024;
        case 86: case 89: case 120: case 121: return 99 * 1024;
        default: return 227 * 1024;
    }
}

void Driver::log(const std::string& line) {
    const char* path = std::getenv("S2DPES_SHIM_LOG");
    if (!path && !log_enabled) return;
    static std::FILE* file = path ? std::fopen(path, "a") : stderr;
    if (!file) return;
    std::fprintf(file, "%s\n", line.c_str());
    std::fflush(file);
}

void* Memory::allocate(std::size_t size) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, size) != 0) return nullptr;
    std::memset(memory, 0xFF, size);
    allocations_[reinterpret_cast<std::uint64_t>(memory)] = {size};
    used_ += size;
    return memory;
}

void Memory::release(std::uint64_t address) {
    const auto found = allocations_.find(address);
    used_ -= found->second.size;
    allocations_.erase(found);
    std::free(reinterpret_cast<void*>(address));
}

void Memory::clear() {
    while (!allocations_.empty()) release(allocations_.begin()->first);
}

Allocation* Memory::find(std::uint64_t address, std::size_t size) {
    auto after = allocations_.upper_bound(address);
    if (after == allocations_.begin()) return nullptr;
    auto& [begin, allocation] = *std::prev(after);
    return address + size <= begin + allocation.size ? &allocation : nullptr;
}

Allocation* Memory::at(std::uint64_t address) {
    const auto found = allocations_.find(address);
    return found == allocations_.end() ? nullptr : &found->second;
}

bool Mark::reached() const { return stream->completed >= position; }

void Stream::push(Work work) {
    queue.push_back(std::move(work));
    ++enqueued;
}

void Stream::wait_for(Mark mark) {
    if (!mark.reached()) push({[] {}, std::move(mark)});
}

Mark Stream::enqueue(std::function<void()> run) {
    if (this == context.default_stream.get()) {
        for (const auto& other : context.streams)
            if (other->blocking) wait_for(other->end());
    } else if (blocking) {
        wait_for(context.default_stream->end());
    }
    push({std::move(run), {}});
    return end();
}

void Stream::step() {
    const Work work = std::move(queue.front());
    queue.pop_front();
    work.run();
    ++completed;
}

void Stream::abandon() {
    queue.clear();
    completed = enqueued;
}

void Context::fail(CUresult code, const std::string& message) {
    std::fprintf(stderr, "CPU shim: %s\n", message.c_str());
    if (driver().settings.abort_on_fault) std::abort();
    failure = code;
}

Stream* Context::any_ready() {
    std::vector<Stream*> ready;
    for (const auto& stream : streams)
        if (stream->ready()) ready.push_back(stream.get());
    if (ready.empty()) return nullptr;
    return ready[driver().settings.seed ? next_random(driver().random) % ready.size() : 0];
}

void Context::advance() {
    if (Stream* stream = any_ready()) stream->step();
}

void Context::finish(const Mark& mark) {
    // Sometimes the other streams do nothing meanwhile, sometimes they are far ahead.
    const std::uint64_t others = driver().settings.seed ? next_random(driver().random) % 3 : 0;
    while (!mark.reached() && !failure) {
        // Work that the mark needs. Waits only look back to what was enqueued before them, so this ends.
        Stream* needed = mark.stream.get();
        while (!needed->ready()) needed = needed->queue.front().after.stream.get();
        Stream* chosen = next_random(driver().random) % 2 < others ? any_ready() : nullptr;
        (chosen ? chosen : needed)->step();
    }
}

void Context::finish_all() {
    while (Stream* stream = failure ? nullptr : any_ready()) stream->step();
    // What remains waits for streams of other contexts.
    for (std::size_t i = 0; i < streams.size(); ++i) finish(streams[i]->end());
    std::erase_if(streams, [](const auto& stream) {
        return stream != stream->context.default_stream && stream->queue.empty() && !driver().streams.count(stream.get());
    });
}

}  // namespace shim

using namespace shim;

SHIM_EXPORT void shim_seed(unsigned seed) {
    std::lock_guard lock(driver().mutex);
    driver().settings.seed = seed;
    driver().random = mixed(seed);
}

SHIM_EXPORT unsigned long long shim_launches() {
    std::lock_guard lock(driver().mutex);
    return driver().launches;
}

SHIM_EXPORT void shim_log(int on) {
    std::lock_guard lock(driver().mutex);
    driver().log_enabled = on != 0;
}

SHIM_EXPORT void shim_abort_on_fault(int on) {
    std::lock_guard lock(driver().mutex);
    driver().settings.abort_on_fault = on != 0;
}
