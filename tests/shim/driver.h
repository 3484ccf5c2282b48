// State of the imitated driver: devices with one (primary) context each, streams with queued work, events, memory.
//
// Nothing that is put into a stream runs before somebody waits for it. Then streams advance in a pseudo-random order that
// respects the order within a stream and waits for events, so that missing synchronisation gives wrong results.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda_types.h"
#include "registry.h"
#include "settings.h"

namespace shim {

// A place in a stream: reached when as much of its work is done.
struct Mark {
    std::shared_ptr<Stream> stream;
    std::uint64_t position = 0;
    bool reached() const;
};

struct Work {
    std::function<void()> run;
    Mark after;  // runs only when this is reached, if it names a stream
};

struct Stream : std::enable_shared_from_this<Stream> {
    Context& context;
    bool blocking;  // waits for the default stream, which waits for it
    std::deque<Work> queue;
    std::uint64_t enqueued = 0, completed = 0;

    Stream(Context& context, bool blocking) : context(context), blocking(blocking) {}
    Mark enqueue(std::function<void()> run);
    void wait_for(Mark mark);
    Mark end() { return {shared_from_this(), enqueued}; }
    bool ready() const { return !queue.empty() && (!queue.front().after.stream || queue.front().after.reached()); }
    void step();
    void abandon();

private:
    void push(Work work);
};

struct Event {
    // Each record replaces this; who waits for an earlier one keeps that.
    struct Record {
        Mark mark;
        std::chrono::steady_clock::time_point time;
    };
    Context& context;
    bool timing;
    std::shared_ptr<Record> last = nullptr;
};

struct Function {
    const Kernel* kernel;
    Context& context;
    unsigned max_dynamic_shared;
};

struct Module {
    Context& context;
    bool is_double;
    std::map<std::string, std::unique_ptr<Function>, std::less<>> functions;
};

struct Allocation {
    std::size_t size;
    bool freed = false;  // a free is queued
};

// Memory by address: of a device, or pinned memory of the host.
class Memory {
public:
    ~Memory() { clear(); }
    // Alignment as CUDA guarantees it; exactly `size` bytes, for the sanitizer. Filled with ones: NaN.
    void* allocate(std::size_t size);
    void release(std::uint64_t address);
    void clear();
    // The allocation that holds all of [address, address + size).
    Allocation* find(std::uint64_t address, std::size_t size);
    Allocation* at(std::uint64_t address);
    std::size_t used() const { return used_; }

private:
    std::map<std::uint64_t, Allocation> allocations_;
    std::size_t used_ = 0;
};

struct Context {
    CUdevice device;
    unsigned users = 0;
    CUresult failure = CUDA_SUCCESS;  // sticks, as with a real driver
    Memory memory;
    std::shared_ptr<Stream> default_stream = std::make_shared<Stream>(*this, false);
    std::vector<std::shared_ptr<Stream>> streams = {default_stream};  // destroyed ones too, as long as they have work

    explicit Context(CUdevice device) : device(device) {}
    void fail(CUresult code, const std::string& message);
    void finish(const Mark& mark);  // runs work until the mark is reached
    void finish_all();
    void advance();  // one piece of work, if any is ready
private:
    Stream* any_ready();
};

struct Driver {
    std::mutex mutex;
    Settings settings = read_settings();
    bool initialised = false;
    std::uint64_t random = mixed_seed(settings.seed);
    std::uint64_t launches = 0;
    std::map<CUdevice, std::unique_ptr<Context>> contexts;
    std::unordered_map<Stream*, std::shared_ptr<Stream>> streams;
    std::unordered_map<Event*, std::unique_ptr<Event>> events;
    std::unordered_map<Module*, std::unique_ptr<Module>> modules;
    std::unordered_map<Function*, Function*> functions;
    Memory pinned;

    static std::uint64_t mixed_seed(unsigned seed);
    bool has_device(CUdevice device) const {
        return device >= 0 && static_cast<std::size_t>(device) < settings.devices.size();
    }
    // Most dynamic shared memory of a block, if the program asks for it.
    unsigned max_shared() const;
    bool log_enabled = false;
    void log(const std::string& line);
};

Driver& driver();
extern thread_local Context* current_context;

constexpr unsigned default_max_shared = 48 * 1024;

template <class Map, class Handle>
auto find_handle(Map& map, Handle* handle) -> decltype(&*map.begin()->second) {
    const auto found = map.find(handle);
    return found == map.end() ? nullptr : &*found->second;
}

// Runs `body(context)` unless the context has failed, and reports if it fails meanwhile.
template <class Body>
CUresult in_context(Context* context, Body&& body) {
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (context->failure) return context->failure;
    const CUresult result = body(*context);
    return context->failure ? context->failure : result;
}

template <class Body>
CUresult in_current_context(Body&& body) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    return in_context(current_context, body);
}

// Runs `body(stream)`. Handles 0 and 1 are the default stream.
template <class Body>
CUresult on_stream(CUstream handle, Body&& body) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (reinterpret_cast<std::uintptr_t>(handle) <= 1)
        return in_context(current_context, [&](Context& context) { return body(*context.default_stream); });
    Stream* stream = find_handle(driver().streams, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    return in_context(&stream->context, [&](Context&) { return body(*stream); });
}

}  // namespace shim
