// An imitation of the run-time compiler: it checks what it is given and returns an image that names the precision. The
// kernels themselves were compiled with this library.
#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

#include "cuda_types.h"
#include "image.h"

namespace {

enum Result { SUCCESS = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6 };

constexpr int architectures[] = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 120, 121};

constexpr std::string_view option_starts[] = {
    "--gpu-architecture=", "-arch=", "--std=", "-std=", "--define-macro=", "-D", "--include-path=", "-I",
    "--use_fast_math", "-use_fast_math", "--fmad=", "-fmad=", "--ftz=", "-ftz=", "--prec-div=", "-prec-div=",
    "--prec-sqrt=", "-prec-sqrt=", "--extra-device-vectorization", "-extra-device-vectorization", "--restrict",
    "-restrict", "--device-debug", "-G", "--generate-line-info", "-lineinfo", "--maxrregcount=", "-maxrregcount=",
    "--disable-warnings", "-w", "--diag-suppress=", "-diag-suppress=", "--split-compile=", "-split-compile=",
    "--device-as-default-execution-space", "-default-device", "--ptxas-options", "-Xptxas", "-v",
};

struct Program {
    std::string source, log, architecture;
    bool is_double = false, compiled = false;

    std::string image(std::string_view prefix) const {
        return shim::image_magic + std::string(prefix) + "_" + architecture + (is_double ? "\nfloat64\n" : "\nfloat32\n");
    }
    // Only a real architecture (sm_90) has machine code.
    bool has_binary = false;
    std::string cubin() const { return has_binary ? image("sm") : ""; }
    std::string ptx() const { return image("compute"); }
};

// The number in sm_90, sm_90a, compute_90; empty if there is no such architecture.
std::string architecture_number(std::string_view name) {
    std::string number(name.substr(name.find('_') + 1));
    if (!number.empty() && (number.back() == 'a' || number.back() == 'f')) number.pop_back();
    const bool known = std::any_of(std::begin(architectures), std::end(architectures),
                                   [&](int architecture) { return std::to_string(architecture) == number; });
    return known && (name.starts_with("sm_") || name.starts_with("compute_")) ? number : "";
}

Result copy_out(const std::string& text, char* target) {
    std::memcpy(target, text.c_str(), text.size() + 1);
    return SUCCESS;
}

}  // namespace

SHIM_EXPORT Result nvrtcVersion(int* major, int* minor) {
    *major = 12;
    *minor = 9;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetNumSupportedArchs(int* count) {
    *count = static_cast<int>(std::size(architectures));
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetSupportedArchs(int* numbers) {
    std::copy(std::begin(architectures), std::end(architectures), numbers);
    return SUCCESS;
}

SHIM_EXPORT const char* nvrtcGetErrorString(Result result) {
    switch (result) {
        case SUCCESS: return "NVRTC_SUCCESS";
        case INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
        case INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
        case INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
        case COMPILATION: return "NVRTC_ERROR_COMPILATION";
    }
    return "NVRTC_ERROR unknown";
}

SHIM_EXPORT Result nvrtcCreateProgram(Program** program, const char* source, const char*, int header_count,
                                      const char* const* headers, const char* const*) {
    if (!program || !source || header_count < 0) return INVALID_INPUT;
    *program = new Program{source, "", ""};
    for (int i = 0; i < header_count; ++i) (*program)->source += headers[i];
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcDestroyProgram(Program** program) {
    if (!program || !*program) return INVALID_PROGRAM;
    delete *program;
    *program = nullptr;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    if (!program) return INVALID_PROGRAM;
    program->log.clear();
    const auto reject = [&](std::string_view option) {
        program->log = "nvrtc: error: invalid value or unknown option: " + std::string(option) + "\n";
        return INVALID_OPTION;
    };
    for (int i = 0; i < count; ++i) {
        const std::string_view option = options[i];
        const auto known = std::find_if(std::begin(option_starts), std::end(option_starts),
                                        [&](std::string_view start) { return option.starts_with(start); });
        if (known == std::end(option_starts)) return reject(option);
        if (*known == "--gpu-architecture=" || *known == "-arch=") {
            const std::string_view name = option.substr(known->size());
            program->architecture = architecture_number(name);
            program->has_binary = name.starts_with("sm_");
            if (program->architecture.empty()) return reject(option);
        }
        if (option == "-DS2DPES_DOUBLE" || option == "--define-macro=S2DPES_DOUBLE") program->is_double = true;
    }
    if (program->architecture.empty()) return reject("no --gpu-architecture");
    if (program->source.find("SHIM_COMPILE_ERROR") != std::string::npos) {
        program->log = "default_program(1): error: identifier \"SHIM_COMPILE_ERROR\" is undefined\n\n1 error detected.\n";
        return COMPILATION;
    }
    program->compiled = true;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetProgramLogSize(Program* program, std::size_t* size) {
    if (!program) return INVALID_PROGRAM;
    *size = program->log.size() + 1;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetProgramLog(Program* program, char* log) {
    return program ? copy_out(program->log, log) : INVALID_PROGRAM;
}

SHIM_EXPORT Result nvrtcGetCUBINSize(Program* program, std::size_t* size) {
    if (!program || !program->compiled) return INVALID_PROGRAM;
    *size = program->has_binary ? program->cubin().size() + 1 : 0;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetCUBIN(Program* program, char* cubin) {
    if (!program || !program->compiled || !program->has_binary) return INVALID_PROGRAM;
    return copy_out(program->cubin(), cubin);
}

SHIM_EXPORT Result nvrtcGetPTXSize(Program* program, std::size_t* size) {
    if (!program || !program->compiled) return INVALID_PROGRAM;
    *size = program->ptx().size() + 1;
    return SUCCESS;
}

SHIM_EXPORT Result nvrtcGetPTX(Program* program, char* ptx) {
    if (!program || !program->compiled) return INVALID_PROGRAM;
    return copy_out(program->ptx(), ptx);
}
