// Messages -> products of up to three of them: the symmetric contraction of every site.
//
// `sum_a A_a (c1_a + sum_b A_b (c2_ab + sum_d c3_abd A_d))` with the monomials that do not vanish. They are data, since
// they depend on the site's symmetry: a program is, for each a, `a, has c1, number of b`, then for each b `b, has c2, number
// of d, d...`. A thread keeps its channel of all messages of a site in shared memory, where a program can index them.

// One component of a site's result: its program, its coefficients `[coefficient][channel]`, and the row it is for.
struct Polynomial {
    int program;
    int term_count;
    long long coefficients;
    int row;
    int padding;
};

// A site: its polynomials, and the rows of its messages, by degree: `rows` begin at `first_rows`.
struct Contraction {
    int first_polynomial;
    int polynomial_count;
    int first_rows[MAX_DEGREE + 1];
    int rows[MAX_DEGREE + 1];
};

struct alignas(16) Points {
    real of[POINTS];
};

__device__ __forceinline__ Points splat(real value) {
    Points out;
#pragma unroll
    for (int p = 0; p < POINTS; ++p) out.of[p] = value;
    return out;
}

// sum += a * b
__device__ __forceinline__ void multiply_add(const Points& a, const Points& b, Points& sum) {
#pragma unroll
    for (int p = 0; p < POINTS; ++p) sum.of[p] = FMA(a.of[p], b.of[p], sum.of[p]);
}

// `messages` are this thread's, a component every BLOCK_THREADS; `coefficients` this channel's.
__device__ Points evaluate(const int* program, int term_count, const real* coefficients, int channels,
                           const Points* messages) {
    Points total = splat(0);
    for (int first = 0; first < term_count; ++first) {
        int a = program[0], own = program[1], seconds = program[2];
        program += 3;
        Points outer = splat(0);
        if (own) {
            outer = splat(*coefficients);
            coefficients += channels;
        }
        for (int second = 0; second < seconds; ++second) {
            int b = program[0], has = program[1], thirds = program[2];
            program += 3;
            Points inner = splat(0);
            if (has) {
                inner = splat(*coefficients);
                coefficients += channels;
            }
            for (int third = 0; third < thirds; ++third) {
                multiply_add(splat(*coefficients), messages[program[third] * BLOCK_THREADS], inner);
                coefficients += channels;
            }
            program += thirds;
            multiply_add(inner, messages[b * BLOCK_THREADS], outer);
        }
        multiply_add(outer, messages[a * BLOCK_THREADS], total);
    }
    return total;
}

// A thread a channel of a site, for POINTS points; `messages` and `products` are `[row][point][channel]`, `normalisers`
// `[site][point]` or null.
KERNEL(contract)(const Contraction* contractions, const Polynomial* polynomials, const int* programs,
                 const real* coefficients, const real* messages, const real* normalisers, int sites, int channels,
                 int points, real* products) {
    __shared__ Points shared_messages[MAX_COMPONENTS * BLOCK_THREADS];
    unsigned id = thread_number();
    unsigned batches = (points + POINTS - 1) / POINTS;
    if (id >= (unsigned)sites * batches * channels) return;
    int channel = id % channels;
    unsigned unit = id / channels;
    int site = unit / batches, first = POINTS * (unit % batches);
    const Contraction& contraction = contractions[site];
    Points* own = shared_messages + threadIdx.x;
    Points factors = splat(1);
    if (normalisers) {
#pragma unroll
        for (int p = 0; p < POINTS; ++p) {
            if (first + p < points) factors.of[p] = normalisers[(size_t)site * points + first + p];
        }
    }
    int component = 0;
    for (int degree = 0; degree <= MAX_DEGREE; ++degree) {
        for (int m = 0; m < contraction.rows[degree]; ++m, ++component) {
            size_t row = (size_t)(contraction.first_rows[degree] + m) * points + first;
            Points value = splat(0);
#pragma unroll
            for (int p = 0; p < POINTS; ++p) {
                if (first + p < points) value.of[p] = messages[(row + p) * channels + channel] * factors.of[p];
            }
            own[component * BLOCK_THREADS] = value;
        }
    }
    for (int k = 0; k < contraction.polynomial_count; ++k) {
        Polynomial polynomial = polynomials[contraction.first_polynomial + k];
        Points result = evaluate(programs + polynomial.program, polynomial.term_count,
                                 coefficients + polynomial.coefficients + channel, channels, own);
#pragma unroll
        for (int p = 0; p < POINTS; ++p) {
            if (first + p >= points) break;
            size_t row = (size_t)polynomial.row * points + first + p;
            products[row * channels + channel] = result.of[p];
        }
    }
}
