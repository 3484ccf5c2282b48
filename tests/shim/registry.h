// Kernels by name. The signature of a kernel is deduced from its C++ type, so a launch can copy the arguments as the
// driver does, before they are used.
#pragma once

#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace shim {

struct BoundKernel {
    std::function<void()> thread;       // runs one CUDA thread
    std::vector<const void*> pointers;  // arguments that must point to memory of the device
};

struct Kernel {
    std::string_view name;
    bool is_double;
    unsigned max_threads;
    BoundKernel (*bind)(void** arguments);
};

template <auto function>
struct Binder;

template <class... A, void (*function)(A...)>
struct Binder<function> {
    static BoundKernel bind(void** arguments) { return bind(arguments, std::index_sequence_for<A...>{}); }

private:
    template <std::size_t... I>
    static BoundKernel bind([[maybe_unused]] void** arguments, std::index_sequence<I...>) {
        std::tuple<std::remove_cv_t<A>...> copies(*static_cast<const std::remove_cv_t<A>*>(arguments[I])...);
        BoundKernel bound;
        (add_pointer(bound, std::get<I>(copies)), ...);
        bound.thread = [copies] { std::apply(function, copies); };
        return bound;
    }

    template <class T>
    static void add_pointer([[maybe_unused]] BoundKernel& bound, [[maybe_unused]] const T& argument) {
        if constexpr (std::is_pointer_v<T>) bound.pointers.push_back(argument);
    }
};

class Registration {
public:
    explicit Registration(Kernel kernel);
};

const Kernel* find_kernel(std::string_view name, bool is_double);

}  // namespace shim
