// Initialisation, devices, contexts and errors.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "driver.h"

using namespace shim;

namespace {

template <class Body>
CUresult on_device(CUdevice device, Body&& body) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!driver().has_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    return body(driver());
}

int attribute(const Driver& driver, CUdevice device, CUdevice_attribute name) {
    switch (name) {
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 2147483647;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return default_max_shared;
        case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: return 65536;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
        case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1000000;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 4;
        case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
        case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
        case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
        case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: return driver.settings.devices[device] + 1;
        case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 4 << 20;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
        case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return driver.settings.capability / 10;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return driver.settings.capability % 10;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return driver.max_shared() + 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return driver.max_shared();
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return 32;
        case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK: return 1024;
    }
    return 0;  // a feature that the shim has not
}

// Everything that belongs to a context goes with it.
void destroy(Driver& driver, CUdevice device) {
    Context& context = *driver.contexts[device];
    context.finish_all();
    for (const auto& stream : context.streams) stream->abandon();  // something is left if the context has failed
    std::erase_if(driver.events, [&](const auto& entry) { return &entry.second->context == &context; });
    std::erase_if(driver.functions, [&](const auto& entry) { return &entry.second->context == &context; });
    std::erase_if(driver.modules, [&](const auto& entry) { return &entry.second->context == &context; });
    std::erase_if(driver.streams, [&](const auto& entry) { return &entry.second->context == &context; });
    driver.contexts.erase(device);
}

}  // namespace

SHIM_EXPORT CUresult cuInit(unsigned flags) {
    std::lock_guard lock(driver().mutex);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (driver().settings.devices.empty()) return CUDA_ERROR_NO_DEVICE;
    driver().initialised = true;
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuDriverGetVersion(int* version) {
    *version = 13000;
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuGetErrorName(CUresult error, const char** text) {
    switch (error) {
#define SHIM_RESULT(name, number, description) \
    case name: *text = #name; return CUDA_SUCCESS;
        SHIM_RESULTS(SHIM_RESULT)
#undef SHIM_RESULT
    }
    *text = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

SHIM_EXPORT CUresult cuGetErrorString(CUresult error, const char** text) {
    switch (error) {
#define SHIM_RESULT(name, number, description) \
    case name: *text = description; return CUDA_SUCCESS;
        SHIM_RESULTS(SHIM_RESULT)
#undef SHIM_RESULT
    }
    *text = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

SHIM_EXPORT CUresult cuDeviceGetCount(int* count) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    *count = static_cast<int>(driver().settings.devices.size());
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return on_device(ordinal, [&](Driver&) {
        *device = ordinal;
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
    return on_device(device, [&](Driver&) {
        std::snprintf(name, static_cast<std::size_t>(length), "CPU shim");
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
    return on_device(device, [&](Driver& driver) {
        *uuid = {"s2dpes CPU shim"};
        uuid->bytes[15] = static_cast<char>(driver.settings.devices[device]);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

SHIM_EXPORT CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute name, CUdevice device) {
    return on_device(device, [&](Driver& driver) {
        *value = attribute(driver, device, name);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice device) {
    return on_device(device, [&](Driver& driver) {
        *bytes = driver.settings.memory;
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* handle, CUdevice device) {
    return on_device(device, [&](Driver& driver) {
        auto& context = driver.contexts[device];
        if (!context) context = std::make_unique<Context>(device);
        ++context->users;
        *handle = context.get();
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return on_device(device, [&](Driver& driver) {
        const auto found = driver.contexts.find(device);
        if (found == driver.contexts.end()) return CUDA_ERROR_INVALID_CONTEXT;
        if (--found->second->users == 0) destroy(driver, device);
        return CUDA_SUCCESS;
    });
}

namespace {

// A context that has been destroyed may still be the current one of some thread.
bool exists(Context* context) {
    const auto& contexts = driver().contexts;
    return std::any_of(contexts.begin(), contexts.end(), [&](const auto& entry) { return entry.second.get() == context; });
}

}  // namespace

SHIM_EXPORT CUresult cuCtxGetCurrent(CUcontext* context) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    *context = exists(current_context) ? current_context : nullptr;
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
    std::lock_guard lock(driver().mutex);
    if (!driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (context && !exists(context)) return CUDA_ERROR_INVALID_CONTEXT;
    current_context = context;
    return CUDA_SUCCESS;
}

SHIM_EXPORT CUresult cuCtxSynchronize() {
    return in_current_context([](Context& context) {
        context.finish_all();
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuCtxSetFlags(unsigned) {
    return in_current_context([](Context&) { return CUDA_SUCCESS; });
}

SHIM_EXPORT CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    return in_current_context([&](Context&) {
        *least = *greatest = 0;
        return CUDA_SUCCESS;
    });
}
