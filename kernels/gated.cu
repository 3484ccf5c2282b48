// Gated messages: `silu(norm(core)) * sigmoid(norm(gate))`, where core and gate are sums of first layers, and mostly
// second layers of silu of these. Rows of core and gate stand side by side, `[row][BOTH]`, in what goes in, and a row's
// message has FEATURES numbers.

// silu in place, for the readout. A thread a quad of a row.
KERNEL(activate)(int rows, real* values) {
    unsigned id = thread_number();
    if (id >= (unsigned)rows * FEATURE_QUADS) return;
    store_quad(values + 4 * (size_t)id, silu(load_quad(values + 4 * (size_t)id)));
}

// A thread's quads of what a norm takes, of core and gate: the bias of what comes before it, scale and shift.
struct Norms {
    quad bias[2];
    quad scale[2];
    quad shift[2];
};

// `norms` is `[3][BOTH]`.
__device__ __forceinline__ Norms load_norms(const real* norms, int column) {
    Norms out;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const real* own = norms + half * FEATURES + column;
        out.bias[half] = load_quad(own);
        out.scale[half] = load_quad(own + BOTH);
        out.shift[half] = load_quad(own + 2 * BOTH);
    }
    return out;
}

// The mean of what comes in is zero already. The row's other quads are those of neighbouring threads.
__device__ __forceinline__ quad normalised(quad x, const Norms& norms, int half) {
    add(x, norms.bias[half]);
    real squares = sum_of_row(FMA(x.w, x.w, FMA(x.z, x.z, FMA(x.y, x.y, x.x * x.x))));
    real factor = (real)1 / sqrt(squares / (real)FEATURES + (real)NORM_EPSILON);
    quad out = norms.shift[half];
    add_product(out, scaled(factor, x), norms.scale[half]);
    return out;
}

__device__ __forceinline__ real gated(real core, real gate) {
    return quotient(core, ((real)1 + exp_minus(core)) * ((real)1 + exp_minus(gate)));
}

__device__ __forceinline__ quad gated(const quad& core, const quad& gate, const Norms& norms) {
    quad c = normalised(core, norms, 0), g = normalised(gate, norms, 1);
    quad out = {gated(c.x, g.x), gated(c.y, g.y), gated(c.z, g.z), gated(c.w, g.w)};
    return out;
}

// What atoms and bonds add to the first layers of messages along bonds: `of_atoms` is `[atom][2][BOTH]`, as centre and
// as neighbour, `of_bonds` `[bond][BOTH]`.
struct BondInputs {
    typedef BondRow Row;
    const BondRow* rows;
    const real* of_atoms;
    const real* of_bonds;

    __device__ __forceinline__ quad first(const Row& row, unsigned, int column) const {
        quad sum = load_quad(of_atoms + (size_t)row.centre * 2 * BOTH + column);
        add(sum, load_quad(of_bonds + (size_t)row.bond * BOTH + column));
        add(sum, load_quad(of_atoms + ((size_t)row.neighbour * 2 + 1) * BOTH + column));
        return sum;
    }
};

// The same along angles: `of_angles` is `[row][BOTH]`, `of_bonds` `[bond][2][BOTH]`, as first and as second leg,
// `of_atoms` `[atom][BOTH]`.
struct AngleInputs {
    typedef AngleRow Row;
    const AngleRow* rows;
    const real* of_angles;
    const real* of_bonds;
    const real* of_atoms;

    __device__ __forceinline__ quad first(const Row& row, unsigned index, int column) const {
        quad sum = load_quad(of_angles + (size_t)index * BOTH + column);
        add(sum, load_quad(of_bonds + (size_t)row.bond * 2 * BOTH + column));
        add(sum, load_quad(of_bonds + ((size_t)row.other * 2 + 1) * BOTH + column));
        add(sum, load_quad(of_atoms + (size_t)row.centre * BOTH + column));
        return sum;
    }
};

// Rows of a block, and how much of the inner length it has at hand; rows are padded as in linear.cu.
#define GATED_ROWS 64
#define GATED_DEPTH TILE_DEPTH
#define GATED_STRIDE (GATED_ROWS + 4)
#define GATED_QUADS (GATED_DEPTH / 4)
// A thread's rows of results: 4 from its first one on and 4 from GATED_ROWS / 2 later on.
#define GATED_THREAD_ROWS 8

// silu of the first layers of a block's rows, transposed: `hidden` is `[core, gate][inner][row]`.
template <class Inputs>
__device__ __forceinline__ void put_hidden(const Inputs& inputs, const typename Inputs::Row* own, unsigned first,
                                           unsigned rows, int depth, real (*hidden)[GATED_DEPTH][GATED_STRIDE]) {
    constexpr int STEP = BLOCK_THREADS / GATED_QUADS;
    int column = 4 * (threadIdx.x % GATED_QUADS);
#pragma unroll
    for (int k = 0; k < GATED_ROWS / STEP; ++k) {
        unsigned row = threadIdx.x / GATED_QUADS + k * STEP;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            quad x = zero_quad();
            if (first + row < rows) x = silu(inputs.first(own[k], first + row, half * FEATURES + depth + column));
            hidden[half][column][row] = x.x;
            hidden[half][column + 1][row] = x.y;
            hidden[half][column + 2][row] = x.z;
            hidden[half][column + 3][row] = x.w;
        }
    }
}

// A step of the second layers, `second` is `[core, gate][inner][FEATURES]`.
__device__ __forceinline__ void put_second(const real* second, int depth, real (*weights)[GATED_DEPTH][FEATURES]) {
#pragma unroll
    for (int k = 0; k < 2 * GATED_DEPTH * FEATURE_QUADS / BLOCK_THREADS; ++k) {
        int index = threadIdx.x + k * BLOCK_THREADS, column = 4 * (index % FEATURE_QUADS);
        int half = index / FEATURE_QUADS / GATED_DEPTH, row = index / FEATURE_QUADS % GATED_DEPTH;
        const real* from = second + (half * FEATURES + depth + row) * FEATURES + column;
        store_quad(&weights[half][row][column], load_quad(from));
    }
}

// Messages of a block's rows. A thread has four columns of core and gate of some rows; the others of a row are those of
// its neighbours. The sums run over the inner length in its order.
template <class Inputs>
__device__ __forceinline__ void gated_messages(const Inputs& inputs, const real* second, const real* norms,
                                               unsigned rows, real* messages) {
    alignas(16) __shared__ real hidden[2][GATED_DEPTH][GATED_STRIDE];
    alignas(16) __shared__ real weights[2][GATED_DEPTH][FEATURES];
    constexpr int STEP = BLOCK_THREADS / GATED_QUADS;
    unsigned first = blockIdx.x * GATED_ROWS;
    if (first >= rows) return;
    typename Inputs::Row own[GATED_ROWS / STEP];
#pragma unroll
    for (int k = 0; k < GATED_ROWS / STEP; ++k) {
        unsigned row = first + threadIdx.x / GATED_QUADS + k * STEP;
        own[k] = inputs.rows[row < rows ? row : first];
    }
    unsigned row = 4 * (threadIdx.x / FEATURE_QUADS);
    int column = 4 * (threadIdx.x % FEATURE_QUADS);
    quad sums[2][GATED_THREAD_ROWS];
#pragma unroll
    for (int m = 0; m < GATED_THREAD_ROWS; ++m) sums[0][m] = sums[1][m] = zero_quad();
    for (int depth = 0; depth < FEATURES; depth += GATED_DEPTH) {
        put_hidden(inputs, own, first, rows, depth, hidden);
        put_second(second, depth, weights);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < GATED_DEPTH; ++k) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                quad low = load_quad(&hidden[half][k][row]), high = load_quad(&hidden[half][k][row + GATED_ROWS / 2]);
                quad weight = load_quad(&weights[half][k][column]);
                const real factors[GATED_THREAD_ROWS] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
                for (int m = 0; m < GATED_THREAD_ROWS; ++m) add_scaled(sums[half][m], factors[m], weight);
            }
        }
        __syncthreads();
    }
    Norms own_norms = load_norms(norms, column);
#pragma unroll
    for (int m = 0; m < GATED_THREAD_ROWS; ++m) {
        unsigned own_row = first + row + m / 4 * (GATED_ROWS / 2) + m % 4;
        quad message = gated(sums[0][m], sums[1][m], own_norms);
        if (own_row < rows) store_quad(messages + (size_t)own_row * FEATURES + column, message);
    }
}

// A block GATED_ROWS rows; `total` names how many there are.
KERNEL(bond_messages)(const BondRow* rows, const real* of_atoms, const real* of_bonds, const real* second,
                      const real* norms, const int* totals, int total, real* messages) {
    BondInputs inputs = {rows, of_atoms, of_bonds};
    gated_messages(inputs, second, norms, totals[total], messages);
}

KERNEL(angle_messages)(const AngleRow* rows, const real* of_angles, const real* of_bonds, const real* of_atoms,
                       const real* second, const real* norms, const int* totals, real* messages) {
    AngleInputs inputs = {rows, of_angles, of_bonds, of_atoms};
    gated_messages(inputs, second, norms, totals[ANGLE_ROWS], messages);
}

// Adds gated messages without second layers to the features of the angles. A thread a quad of an angle.
KERNEL(update_angles)(const AngleRow* rows, const real* of_angles, const real* of_bonds, const real* of_atoms,
                      const real* norms, const int* totals, real* angles) {
    unsigned id = thread_number(), row = id / FEATURE_QUADS;
    int column = 4 * (id % FEATURE_QUADS);
    bool is_row = row < (unsigned)totals[ANGLE_ROWS];
    quad core = zero_quad(), gate = zero_quad();
    if (is_row) {
        AngleInputs inputs = {rows, of_angles, of_bonds, of_atoms};
        AngleRow own = rows[row];
        core = inputs.first(own, row, column);
        gate = inputs.first(own, row, FEATURES + column);
    }
    quad message = gated(core, gate, load_norms(norms, column));
    if (!is_row) return;
    quad sum = load_quad(angles + 4 * (size_t)id);
    add(sum, message);
    store_quad(angles + 4 * (size_t)id, sum);
}
