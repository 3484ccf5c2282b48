// The text that the imitated compiler gives as a cubin or PTX, and the imitated driver loads:
//
//     s2dpes-shim-image
//     sm_90            or compute_90 for PTX
//     float32          or float64
#pragma once

namespace shim {

constexpr char image_magic[] = "s2dpes-shim-image\n";

}  // namespace shim
