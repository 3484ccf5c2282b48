//! The kernels.

/// Source of all kernels in CUDA C++.
pub fn kernels() -> String {
    String::from(
        "#ifdef S2DPES_DOUBLE\ntypedef double Real;\n#else\ntypedef float Real;\n#endif\n\
         extern \"C\" __global__ void scale(Real *values, Real factor, int count) {\n\
             int i = blockIdx.x * blockDim.x + threadIdx.x;\n\
             if (i < count) values[i] *= factor;\n\
         }\n",
    )
}
