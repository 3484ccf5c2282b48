// Memory of devices, pinned memory of the host, and copies.
#include <cstring>
#include <string>

#include "driver.h"

using namespace shim;

namespace {

bool valid(Context& context, CUdeviceptr address, std::size_t size) {
    const Allocation* allocation = context.memory.find(address, size);
    return allocation && !allocation->freed;
}

// Queues work on a range of memory that a stream can have freed, or freed and given away, before it runs.
Mark enqueue_access(Stream& stream, CUdeviceptr address, std::size_t size, const char* what, std::function<void()> run) {
    Context& context = stream.context;
    return stream.enqueue([&context, address, size, what, run = std::move(run)] {
        if (context.memory.find(address, size)) run();
        else context.fail(CUDA_ERROR_ILLEGAL_ADDRESS, std::string(what) + " of memory that was freed before it ran");
    });
}

CUresult allocate(CUdeviceptr* address, std::size_t size, Context& context) {
    if (!size) return CUDA_ERROR_INVALID_VALUE;
    const std::size_t total = driver().settings.memory;
    const auto fits = [&] { return size <= total && context.memory.used() <= total - size; };
    if (!fits()) context.finish_all();  // there may be frees in the queues
    if (!fits()) return CUDA_ERROR_OUT_OF_MEMORY;
    void* memory = context.memory.allocate(size);
    if (!memory) return CUDA_ERROR_OUT_OF_MEMORY;
    *address = reinterpret_cast<CUdeviceptr>(memory);
    return CUDA_SUCCESS;
}

CUresult host_to_device(Stream& stream, CUdeviceptr target, const void* source, std::size_t size, Mark* mark = nullptr) {
    if (!size) return CUDA_SUCCESS;
    if (!valid(stream.context, target, size)) return CUDA_ERROR_INVALID_VALUE;
    std::function<void()> copy;
    if (driver().pinned.find(reinterpret_cast<std::uint64_t>(source), size)) {
        copy = [=] { std::memcpy(reinterpret_cast<void*>(target), source, size); };
    } else {
        // CUDA reads memory that is not pinned before the call returns.
        const auto* bytes = static_cast<const char*>(source);
        copy = [target, bytes = std::vector<char>(bytes, bytes + size)] {
            std::memcpy(reinterpret_cast<void*>(target), bytes.data(), bytes.size());
        };
    }
    const Mark end = enqueue_access(stream, target, size, "a copy into", std::move(copy));
    if (mark) *mark = end;
    return CUDA_SUCCESS;
}

CUresult device_to_host(Stream& stream, void* target, CUdeviceptr source, std::size_t size, bool wait) {
    if (!size) return CUDA_SUCCESS;
    if (!valid(stream.context, source, size)) return CUDA_ERROR_INVALID_VALUE;
    const Mark end = enqueue_access(stream, source, size, "a copy out",
                                    [=] { std::memcpy(target, reinterpret_cast<const void*>(source), size); });
    // Into memory that is not pinned CUDA copies before the call returns.
    if (wait || !driver().pinned.find(reinterpret_cast<std::uint64_t>(target), size)) stream.context.finish(end);
    return CUDA_SUCCESS;
}

CUresult device_to_device(Stream& stream, CUdeviceptr target, Context& source_context, CUdeviceptr source,
                          std::size_t size) {
    if (!size) return CUDA_SUCCESS;
    if (!valid(stream.context, target, size) || !valid(source_context, source, size)) return CUDA_ERROR_INVALID_VALUE;
    enqueue_access(stream, target, size, "a copy into", [&stream, &source_context, target, source, size] {
        if (source_context.memory.find(source, size))
            std::memcpy(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), size);
        else
            stream.context.fail(CUDA_ERROR_ILLEGAL_ADDRESS, "a copy out of memory that was freed before it ran");
    });
    return CUDA_SUCCESS;
}

CUresult set_bytes(Stream& stream, CUdeviceptr target, unsigned char value, std::size_t size) {
    if (!size) return CUDA_SUCCESS;
    if (!valid(stream.context, target, size)) return CUDA_ERROR_INVALID_VALUE;
    enqueue_access(stream, target, size, "a memset",
                   [=] { std::memset(reinterpret_cast<void*>(target), value, size); });
    return CUDA_SUCCESS;
}

}  // namespace

SHIM_EXPORT CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    return in_current_context([&](Context& context) {
        const Settings& settings = driver().settings;
        *total = settings.memory + settings.claim;
        *free = *total - context.memory.used();
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* address, std::size_t size) {
    return in_current_context([&](Context& context) { return allocate(address, size, context); });
}

SHIM_EXPORT CUresult cuMemAllocAsync(CUdeviceptr* address, std::size_t size, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) {
        const CUresult result = allocate(address, size, stream.context);
        if (result) return result;
        // The memory is this stream's only when it gets here: what other streams write earlier is lost.
        Context& context = stream.context;
        stream.enqueue([&context, memory = *address, size] {
            if (context.memory.find(memory, size)) std::memset(reinterpret_cast<void*>(memory), 0xFF, size);
        });
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
    return in_current_context([&](Context& context) {
        const Allocation* allocation = context.memory.at(address);
        if (!allocation || allocation->freed) return address ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
        context.finish_all();
        if (!context.failure) context.memory.release(address);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) {
        Allocation* allocation = stream.context.memory.at(address);
        if (!allocation || allocation->freed) return CUDA_ERROR_INVALID_VALUE;
        allocation->freed = true;
        Context& context = stream.context;
        stream.enqueue([&context, address] { context.memory.release(address); });
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemHostAlloc(void** memory, std::size_t size, unsigned) {
    return in_current_context([&](Context&) {
        if (!size) return CUDA_ERROR_INVALID_VALUE;
        *memory = driver().pinned.allocate(size);
        return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    });
}

SHIM_EXPORT CUresult cuMemFreeHost(void* memory) {
    return in_current_context([&](Context& context) {
        const auto address = reinterpret_cast<std::uint64_t>(memory);
        if (!driver().pinned.at(address)) return CUDA_ERROR_INVALID_VALUE;
        context.finish_all();
        driver().pinned.release(address);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, std::size_t size, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) { return set_bytes(stream, target, value, size); });
}

SHIM_EXPORT CUresult cuMemsetD8_v2(CUdeviceptr target, unsigned char value, std::size_t size) {
    return cuMemsetD8Async(target, value, size, nullptr);
}

SHIM_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void* source, std::size_t size, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) { return host_to_device(stream, target, source, size); });
}

SHIM_EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr target, const void* source, std::size_t size) {
    return on_stream(nullptr, [&](Stream& stream) {
        Mark end = stream.end();
        const CUresult result = host_to_device(stream, target, source, size, &end);
        if (!result) stream.context.finish(end);
        return result;
    });
}

SHIM_EXPORT CUresult cuMemcpyDtoHAsync_v2(void* target, CUdeviceptr source, std::size_t size, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) { return device_to_host(stream, target, source, size, false); });
}

SHIM_EXPORT CUresult cuMemcpyDtoH_v2(void* target, CUdeviceptr source, std::size_t size) {
    return on_stream(nullptr, [&](Stream& stream) { return device_to_host(stream, target, source, size, true); });
}

SHIM_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, std::size_t size, CUstream handle) {
    return on_stream(handle,
                     [&](Stream& stream) { return device_to_device(stream, target, stream.context, source, size); });
}

SHIM_EXPORT CUresult cuMemcpyDtoD_v2(CUdeviceptr target, CUdeviceptr source, std::size_t size) {
    return cuMemcpyDtoDAsync_v2(target, source, size, nullptr);
}

SHIM_EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr target, CUcontext target_context, CUdeviceptr source,
                                       CUcontext source_context, std::size_t size, CUstream handle) {
    return on_stream(handle, [&](Stream& stream) {
        if (&stream.context != target_context || !source_context) return CUDA_ERROR_INVALID_VALUE;
        return device_to_device(stream, target, *source_context, source, size);
    });
}

// Memory pools: every allocation goes back to the host at once, so there is nothing to set or to trim.

SHIM_EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice device) {
    std::lock_guard lock(driver().mutex);
    if (!driver().has_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    *pool = &driver();
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice device) {
    return cuDeviceGetDefaultMemPool(pool, device);
}

SHIM_EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool, int, void*) { return CUDA_SUCCESS; }

SHIM_EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool, int, void* value) {
    return in_current_context([&](Context& context) {
        *static_cast<std::uint64_t*>(value) = context.memory.used();
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool, std::size_t) { return CUDA_SUCCESS; }
