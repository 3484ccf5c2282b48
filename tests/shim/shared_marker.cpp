// Compiled twice, with MARKER=shim_shared_begin and MARKER=shim_shared_end, and linked before and after the kernels: what
// lies between the two in the thread-local storage are the static __shared__ arrays (block.cpp).
extern thread_local char MARKER;
thread_local char MARKER;
