//! The kernels' source, embedded in the binary.

/// Files of `kernels/` in the order in which they are compiled.
const FILES: &[(&str, &str)] = &[
    ("common.cuh", include_str!("../../../kernels/common.cuh")),
    ("embedding.cu", include_str!("../../../kernels/embedding.cu")),
    ("distance_cost.cu", include_str!("../../../kernels/distance_cost.cu")),
    ("neighbours.cu", include_str!("../../../kernels/neighbours.cu")),
    ("radial.cu", include_str!("../../../kernels/radial.cu")),
    ("angular.cu", include_str!("../../../kernels/angular.cu")),
    ("scalars.cu", include_str!("../../../kernels/scalars.cu")),
    ("operators.cu", include_str!("../../../kernels/operators.cu")),
    ("messages.cu", include_str!("../../../kernels/messages.cu")),
    ("linear.cu", include_str!("../../../kernels/linear.cu")),
    ("gate.cu", include_str!("../../../kernels/gate.cu")),
    ("contraction.cu", include_str!("../../../kernels/contraction.cu")),
    ("readout.cu", include_str!("../../../kernels/readout.cu")),
    ("bond_rows.cu", include_str!("../../../kernels/bond_rows.cu")),
    ("row_features.cu", include_str!("../../../kernels/row_features.cu")),
    ("gated.cu", include_str!("../../../kernels/gated.cu")),
];

/// All kernels as one source, whose errors name the file that they are in.
pub fn kernels() -> String {
    FILES.iter().map(|(name, text)| format!("#line 1 \"kernels/{name}\"\n{text}\n")).collect()
}
