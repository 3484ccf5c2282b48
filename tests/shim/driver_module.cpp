// Modules, functions and launches.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "block.h"
#include "driver.h"
#include "image.h"
#include "random.h"

using namespace shim;

namespace {

CUresult load(CUmodule* handle, const char* image, Context& context) {
    // Stops at the first difference, for other images may be shorter.
    if (std::strncmp(image, image_magic, std::strlen(image_magic)) != 0) return CUDA_ERROR_INVALID_IMAGE;
    int built_for = 0, bits = 0;
    char kind[8] = "";
    if (std::sscanf(image + std::strlen(image_magic), "%7[a-z]_%d\nfloat%d", kind, &built_for, &bits) != 3)
        return CUDA_ERROR_INVALID_IMAGE;
    // A cubin runs on its generation from its minor version on, PTX on everything newer.
    const int capability = driver().settings.capability;
    const bool is_binary = std::string_view(kind) == "sm";
    if (built_for > capability || (is_binary && built_for / 10 != capability / 10)) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    auto module = std::make_unique<Module>(Module{context, bits == 64, {}});
    *handle = module.get();
    driver().modules[*handle] = std::move(module);
    return CUDA_SUCCESS;
}

template <class Body>
CUresult with_function(CUfunction handle, Body&& body) {
    std::lock_guard lock(driver().mutex);
    Function* function = find_handle(driver().functions, handle);
    return function ? body(*function) : CUDA_ERROR_INVALID_HANDLE;
}

std::string text(dim3 size) {
    return std::to_string(size.x) + "," + std::to_string(size.y) + "," + std::to_string(size.z);
}

bool within_limits(const Function& function, dim3 grid, dim3 block, unsigned shared_bytes) {
    if (!grid.x || !grid.y || !grid.z || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) return false;
    if (block.x > 1024 || block.y > 1024 || block.z > 64) return false;
    const unsigned threads = block.x * block.y * block.z;
    return threads && threads <= function.kernel->max_threads && shared_bytes <= function.max_dynamic_shared;
}

// Whether all pointers that a kernel got point to memory it can use.
bool check_pointers(Context& context, const Kernel& kernel, const BoundKernel& bound, bool at_launch) {
    for (const void* pointer : bound.pointers) {
        const auto address = reinterpret_cast<std::uint64_t>(pointer);
        if (!address || driver().pinned.find(address, 0)) continue;
        const Allocation* allocation = context.memory.find(address, 0);
        // A free that is queued behind the launch is in order.
        if (allocation && !(at_launch && allocation->freed)) continue;
        context.fail(CUDA_ERROR_ILLEGAL_ADDRESS,
                     "an argument of kernel " + std::string(kernel.name) + " is " +
                         (at_launch ? "not memory of the device" : "memory that was freed before the kernel ran"));
        return false;
    }
    return true;
}

void enqueue_kernel(Stream& stream, const Kernel& kernel, BoundKernel bound, dim3 grid, dim3 block, unsigned shared_bytes) {
    const unsigned seed = driver().settings.seed;
    Context& context = stream.context;
    Launch launch{grid, block, shared_bytes, bound.thread, seed ? mixed(seed) + driver().launches : 0};
    stream.enqueue([&context, &kernel, bound = std::move(bound), launch = std::move(launch)] {
        if (!check_pointers(context, kernel, bound, false)) return;
        const std::string fault = run_grid(launch, driver().settings.os_threads);
        if (!fault.empty()) context.fail(CUDA_ERROR_LAUNCH_FAILED, "kernel " + std::string(kernel.name) + ", " + fault);
    });
}

}  // namespace

SHIM_EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    return in_current_context([&](Context& context) { return load(module, static_cast<const char*>(image), context); });
}

SHIM_EXPORT CUresult cuModuleLoad(CUmodule* module, const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
    const std::string image(std::istreambuf_iterator<char>(file), {});
    return cuModuleLoadData(module, image.c_str());
}

SHIM_EXPORT CUresult cuModuleUnload(CUmodule handle) {
    return in_current_context([&](Context&) {
        const auto found = driver().modules.find(handle);
        if (found == driver().modules.end()) return CUDA_ERROR_INVALID_HANDLE;
        for (const auto& [name, function] : found->second->functions) driver().functions.erase(function.get());
        driver().modules.erase(found);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuModuleGetFunction(CUfunction* handle, CUmodule module_handle, const char* name) {
    return in_current_context([&](Context&) {
        Module* module = find_handle(driver().modules, module_handle);
        if (!module) return CUDA_ERROR_INVALID_HANDLE;
        const Kernel* kernel = find_kernel(name, module->is_double);
        if (!kernel) return CUDA_ERROR_NOT_FOUND;
        auto& function = module->functions[name];
        if (!function) function = std::make_unique<Function>(Function{kernel, module->context, default_max_shared});
        *handle = function.get();
        driver().functions[*handle] = *handle;
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr*, std::size_t*, CUmodule, const char*) {
    return CUDA_ERROR_NOT_FOUND;
}

SHIM_EXPORT CUresult cuFuncGetAttribute(int* value, CUfunction_attribute name, CUfunction handle) {
    return with_function(handle, [&](Function& function) {
        switch (name) {
            case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = static_cast<int>(function.kernel->max_threads); break;
            case CU_FUNC_ATTRIBUTE_PTX_VERSION:
            case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = driver().settings.capability; break;
            case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
                *value = static_cast<int>(function.max_dynamic_shared);
                break;
            default: *value = 0;  // registers and memory that the compiler has taken
        }
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute name, int value) {
    return with_function(handle, [&](Function& function) {
        if (name != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
        if (value < 0 || static_cast<unsigned>(value) > driver().max_shared()) return CUDA_ERROR_INVALID_VALUE;
        function.max_dynamic_shared = static_cast<unsigned>(value);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuFuncSetCacheConfig(CUfunction handle, int) {
    return with_function(handle, [](Function&) { return CUDA_SUCCESS; });
}

SHIM_EXPORT CUresult cuLaunchKernel(CUfunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                    unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                    CUstream stream_handle, void** arguments, void** extra) {
    return on_stream(stream_handle, [&](Stream& stream) {
        const Function* function = find_handle(driver().functions, handle);
        if (!function || &function->context != &stream.context) return CUDA_ERROR_INVALID_HANDLE;
        const dim3 grid(grid_x, grid_y, grid_z), block(block_x, block_y, block_z);
        if (extra || !within_limits(*function, grid, block, shared_bytes)) return CUDA_ERROR_INVALID_VALUE;
        const Kernel& kernel = *function->kernel;
        BoundKernel bound = kernel.bind(arguments);
        if (!check_pointers(stream.context, kernel, bound, true)) return CUDA_ERROR_ILLEGAL_ADDRESS;
        ++driver().launches;
        driver().log(std::string(kernel.name) + " " + text(grid) + " " + text(block) + " " + std::to_string(shared_bytes));
        enqueue_kernel(stream, kernel, std::move(bound), grid, block, shared_bytes);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction handle, int,
                                                                          std::size_t, unsigned) {
    return with_function(handle, [&](Function&) {
        *blocks = 1;
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads,
                                                                 std::size_t shared_bytes) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared_bytes, 0);
}

SHIM_EXPORT CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, CUfunction handle, void*,
                                                               std::size_t, int, unsigned) {
    return with_function(handle, [&](Function& function) {
        *grid = 1;
        *block = static_cast<int>(function.kernel->max_threads);
        return CUDA_SUCCESS;
    });
}

SHIM_EXPORT CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction function, void* shared_of_block,
                                                      std::size_t shared_bytes, int limit) {
    return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, shared_of_block, shared_bytes, limit, 0);
}

SHIM_EXPORT CUresult cuOccupancyAvailableDynamicSMemPerBlock(std::size_t* bytes, CUfunction handle, int, int) {
    return with_function(handle, [&](Function& function) {
        *bytes = function.max_dynamic_shared;
        return CUDA_SUCCESS;
    });
}
