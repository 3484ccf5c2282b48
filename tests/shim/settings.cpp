#include "settings.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>

namespace shim {

namespace {

unsigned long long number(const char* name, unsigned long long otherwise) {
    const char* value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

// As the driver reads CUDA_VISIBLE_DEVICES: the list ends at the first entry that is no device.
std::vector<int> visible_devices(int count) {
    std::vector<int> devices;
    const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
    if (!list) {
        for (int i = 0; i < count; ++i) devices.push_back(i);
        return devices;
    }
    std::istringstream entries(list);
    for (std::string entry; std::getline(entries, entry, ',');) {
        char* end = nullptr;
        const long device = std::strtol(entry.c_str(), &end, 10);
        if (end == entry.c_str() || *end || device < 0 || device >= count) break;
        devices.push_back(static_cast<int>(device));
    }
    return devices;
}

}  // namespace

Settings read_settings() {
    const char* on_fault = std::getenv("S2DPES_SHIM_ON_FAULT");
    return {
        .seed = static_cast<unsigned>(number("S2DPES_SHIM_SEED", 1)),
        .os_threads = std::max(1u, static_cast<unsigned>(number("S2DPES_SHIM_THREADS", 1))),
        .devices = visible_devices(static_cast<int>(number("S2DPES_SHIM_DEVICES", 1))),
        .memory = number("S2DPES_SHIM_MEMORY", 2ull << 30),
        .claim = number("S2DPES_SHIM_CLAIM", 0),
        .capability = static_cast<int>(number("S2DPES_SHIM_CAPABILITY", 90)),
        .abort_on_fault = !on_fault || std::string(on_fault) != "error",
    };
}

}  // namespace shim
