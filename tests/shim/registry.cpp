#include "registry.h"

namespace shim {

namespace {

// A function's static: it exists when the first registration runs, whatever the order of the object files.
std::vector<Kernel>& kernels() {
    static std::vector<Kernel> all;
    return all;
}

}  // namespace

Registration::Registration(Kernel kernel) { kernels().push_back(kernel); }

const Kernel* find_kernel(std::string_view name, bool is_double) {
    for (const Kernel& kernel : kernels())
        if (kernel.name == name && kernel.is_double == is_double) return &kernel;
    return nullptr;
}

}  // namespace shim
