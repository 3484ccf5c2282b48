// Matrix products of the rows of all points with weights.
//
// Each block makes a tile of TILE_ROWS x TILE_COLUMNS of one product; a thread of it THREAD_ROWS x THREAD_COLUMNS. The
// sums run over the inputs in their order, so a row's result does not depend on how many rows there are.

#define TILE_ROWS 128
#define TILE_COLUMNS 64
#if defined(S2DPES_DOUBLE)
#define TILE_DEPTH 8
#else
#define TILE_DEPTH 16
#endif
#define THREAD_ROWS 8
#define THREAD_COLUMNS 8
// Rows of a tile of inputs are padded, so that quads stay aligned and columns fall on other banks.
#define INPUT_STRIDE (TILE_ROWS + 4)

// `[rows * points][inputs] * [inputs][outputs]`. The places of input and output count values of one point; `bias` is -1
// or the place of a row that is added; `inputs` is a multiple of TILE_DEPTH and `outputs` one of 4.
struct Product {
    long long input;
    long long weights;
    long long output;
    long long bias;
    int rows;
    int inputs;
    int outputs;
    int accumulate;
};

// The tile's share of a product's inputs and weights, on its way to shared memory.
struct Fetch {
    quad input[TILE_ROWS * TILE_DEPTH / 4 / BLOCK_THREADS];
    quad weights[TILE_COLUMNS * TILE_DEPTH / 4 / BLOCK_THREADS];
};

__device__ __forceinline__ void fetch(Fetch& next, const real* input, const real* weights, int inputs, int outputs,
                                      unsigned rows, int columns, int depth) {
    constexpr int QUADS = TILE_DEPTH / 4, COLUMN_QUADS = TILE_COLUMNS / 4;
#pragma unroll
    for (int k = 0; k < TILE_ROWS * QUADS / BLOCK_THREADS; ++k) {
        unsigned row = (threadIdx.x + k * BLOCK_THREADS) / QUADS;
        int column = depth + 4 * (threadIdx.x % QUADS);
        next.input[k] = row < rows ? load_quad(input + (size_t)row * inputs + column) : zero_quad();
    }
#pragma unroll
    for (int k = 0; k < TILE_DEPTH * COLUMN_QUADS / BLOCK_THREADS; ++k) {
        int row = depth + (threadIdx.x + k * BLOCK_THREADS) / COLUMN_QUADS;
        int column = 4 * (threadIdx.x % COLUMN_QUADS);
        next.weights[k] = column < columns ? load_quad(weights + (size_t)row * outputs + column) : zero_quad();
    }
}

__device__ __forceinline__ void put(const Fetch& next, real (*input)[INPUT_STRIDE], real (*weights)[TILE_COLUMNS]) {
    constexpr int QUADS = TILE_DEPTH / 4, COLUMN_QUADS = TILE_COLUMNS / 4;
#pragma unroll
    for (int k = 0; k < TILE_ROWS * QUADS / BLOCK_THREADS; ++k) {
        unsigned row = (threadIdx.x + k * BLOCK_THREADS) / QUADS;
        int column = 4 * (threadIdx.x % QUADS);
        input[column][row] = next.input[k].x;
        input[column + 1][row] = next.input[k].y;
        input[column + 2][row] = next.input[k].z;
        input[column + 3][row] = next.input[k].w;
    }
#pragma unroll
    for (int k = 0; k < TILE_DEPTH * COLUMN_QUADS / BLOCK_THREADS; ++k) {
        int row = (threadIdx.x + k * BLOCK_THREADS) / COLUMN_QUADS;
        store_quad(&weights[row][4 * (threadIdx.x % COLUMN_QUADS)], next.weights[k]);
    }
}

// A tile of a product: its rows and columns, of which there may be fewer than a whole tile has, and how to go on to the
// next ones; `bias` may be null.
struct Tile {
    const real* input;
    const real* weights;
    const real* bias;
    real* output;
    int inputs;
    int outputs;
    unsigned rows;
    int columns;
    bool accumulate;
};

// Writes a thread's sums, with bias and what was there before if the product asks for it.
__device__ __forceinline__ void finish(const Tile& tile, const quad sums[][2], unsigned row, int column) {
#pragma unroll
    for (int m = 0; m < THREAD_ROWS; ++m) {
        unsigned own_row = row + 4 * (m / 4) * (TILE_ROWS / THREAD_ROWS) + m % 4;
        if (own_row >= tile.rows) continue;
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            int own_column = column + n * (TILE_COLUMNS / 2);
            if (own_column >= tile.columns) continue;
            real* to = tile.output + (size_t)own_row * tile.outputs + own_column;
            quad value = sums[m][n];
            if (tile.bias) add(value, load_quad(tile.bias + own_column));
            if (tile.accumulate) {
                quad before = load_quad(to);
                add(before, value);
                value = before;
            }
            store_quad(to, value);
        }
    }
}

// Computes a tile by all threads of a block.
__device__ __forceinline__ void multiply(const Tile& tile) {
    alignas(16) __shared__ real inputs_tile[2][TILE_DEPTH][INPUT_STRIDE];
    alignas(16) __shared__ real weights_tile[2][TILE_DEPTH][TILE_COLUMNS];
    unsigned row = 4 * (threadIdx.x / (TILE_COLUMNS / THREAD_COLUMNS));
    int column = 4 * (threadIdx.x % (TILE_COLUMNS / THREAD_COLUMNS));

    quad sums[THREAD_ROWS][2];
#pragma unroll
    for (int m = 0; m < THREAD_ROWS; ++m) sums[m][0] = sums[m][1] = zero_quad();
    Fetch next;
    fetch(next, tile.input, tile.weights, tile.inputs, tile.outputs, tile.rows, tile.columns, 0);
    put(next, inputs_tile[0], weights_tile[0]);
    __syncthreads();
    for (int depth = 0, side = 0; depth < tile.inputs; depth += TILE_DEPTH, side ^= 1) {
        bool more = depth + TILE_DEPTH < tile.inputs;
        int ahead = depth + TILE_DEPTH;
        if (more) fetch(next, tile.input, tile.weights, tile.inputs, tile.outputs, tile.rows, tile.columns, ahead);
#pragma unroll
        for (int k = 0; k < TILE_DEPTH; ++k) {
            quad low = load_quad(&inputs_tile[side][k][row]);
            quad high = load_quad(&inputs_tile[side][k][row + 4 * (TILE_ROWS / THREAD_ROWS)]);
            quad left = load_quad(&weights_tile[side][k][column]);
            quad right = load_quad(&weights_tile[side][k][column + TILE_COLUMNS / 2]);
            const real factors[THREAD_ROWS] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
            for (int m = 0; m < THREAD_ROWS; ++m) {
                add_scaled(sums[m][0], factors[m], left);
                add_scaled(sums[m][1], factors[m], right);
            }
        }
        if (more) put(next, inputs_tile[side ^ 1], weights_tile[side ^ 1]);
        __syncthreads();
    }
    finish(tile, sums, row, column);
}

KERNEL(linear)(const Product* products, int product_count, const real* weights, const real* biases, const real* input,
               int points, real* output) {
    unsigned number = blockIdx.x;
    int index = 0;
    unsigned tile_columns = 0;
    for (; index < product_count; ++index) {
        unsigned tiles = ((unsigned)products[index].rows * points + TILE_ROWS - 1) / TILE_ROWS;
        tile_columns = (products[index].outputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
        if (number < tiles * tile_columns) break;
        number -= tiles * tile_columns;
    }
    if (index == product_count) return;
    Product product = products[index];
    unsigned row = number / tile_columns * TILE_ROWS;
    int column = number % tile_columns * TILE_COLUMNS;
    Tile tile;
    tile.input = input + (size_t)product.input * points + (size_t)row * product.inputs;
    tile.weights = weights + product.weights + column;
    tile.bias = product.bias >= 0 ? biases + product.bias + column : nullptr;
    tile.output = output + (size_t)product.output * points + (size_t)row * product.outputs + column;
    tile.inputs = product.inputs;
    tile.outputs = product.outputs;
    tile.rows = (unsigned)product.rows * points - row;
    tile.columns = product.outputs - column;
    tile.accumulate = product.accumulate;
    multiply(tile);
}

// A product of rows that only the device has counted: `totals[total]`. `bias` may be null.
KERNEL(linear_rows)(const real* input, const real* weights, const real* bias, const int* totals, int total, int inputs,
                    int outputs, int accumulate, real* output) {
    unsigned tile_columns = (outputs + TILE_COLUMNS - 1) / TILE_COLUMNS;
    unsigned row = blockIdx.x / tile_columns * TILE_ROWS, count = totals[total];
    int column = blockIdx.x % tile_columns * TILE_COLUMNS;
    if (row >= count) return;
    Tile tile;
    tile.input = input + (size_t)row * inputs;
    tile.weights = weights + column;
    tile.bias = bias ? bias + column : nullptr;
    tile.output = output + (size_t)row * outputs + column;
    tile.inputs = inputs;
    tile.outputs = outputs;
    tile.rows = count - row;
    tile.columns = outputs - column;
    tile.accumulate = accumulate;
    multiply(tile);
}
