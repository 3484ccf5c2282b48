// What the environment says about the machine to imitate (README.md lists the variables).
#pragma once

#include <cstddef>
#include <vector>

namespace shim {

struct Settings {
    unsigned seed;               // 0: nothing is shuffled
    unsigned os_threads;         // that share the blocks of a launch
    std::vector<int> devices;    // physical numbers of those that are visible
    std::size_t memory;          // bytes of one device
    std::size_t claim;           // bytes that it claims to have free beyond those, as when a neighbour takes them
    int capability;              // 90 is 9.0
    bool abort_on_fault;         // or the context fails, as with a real driver
};

Settings read_settings();

}  // namespace shim
