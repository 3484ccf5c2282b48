// Rows of atoms, bonds and angles -> their features, 64 each, as far as tables have them; sums of messages; what the
// readout makes of atoms. Arrays are `[row][feature]`.

#define FEATURES 64
// Core and gate of a gated message.
#define BOTH (2 * FEATURES)
#define FEATURE_QUADS (FEATURES / 4)
#define NORM_EPSILON 1e-5

// Some columns of a table at the places of the rows from one total to another: `out` is `[row][width]`. A thread a quad
// of a row.
KERNEL(look_up)(const real* table, int columns, int column, int width, const Place* places, const int* totals,
                int first, int last, real* out) {
    unsigned id = thread_number();
    unsigned quads = width / 4, row = totals[first] + id / quads, own = 4 * (id % quads);
    if (row >= (unsigned)totals[last]) return;
    store_quad(out + (size_t)row * width + own, radial(table + column + own, columns, places[row]));
}

// Embeddings of the sites' elements. A thread a quad of an atom.
KERNEL(first_atoms)(const real* embeddings, const int* elements, int sites, int points, real* atoms) {
    unsigned id = thread_number();
    unsigned atom = id / FEATURE_QUADS, own = 4 * (id % FEATURE_QUADS);
    if (atom >= (unsigned)sites * points) return;
    store_quad(atoms + 4 * (size_t)id, load_quad(embeddings + (size_t)elements[atom / points] * FEATURES + own));
}

// Adds the messages of the first layer along long bonds, from a table for each centre's and neighbour's element,
// `[centre][neighbour]`, with `size` numbers each. A thread a quad of an atom; `begins` as in `fill_directed`.
KERNEL(long_messages)(const real* tables, long long size, int columns, const int* elements, int element_count,
                      const BondRow* rows, const int* begins, const Place* places, const int* totals, int sites,
                      int points, real* atoms) {
    unsigned id = thread_number();
    unsigned atom = id / FEATURE_QUADS, own = 4 * (id % FEATURE_QUADS);
    if (atom >= (unsigned)sites * points) return;
    int site = atom / points, point = atom % points, short_rows = totals[SHORT_ROWS];
    const int* range = begins + (size_t)point * (sites + 1) + site;
    const real* of_centre = tables + (size_t)elements[site] * element_count * size + own;
    quad sum = load_quad(atoms + 4 * (size_t)id);
    for (int k = range[0]; k < range[1]; ++k) {
        BondRow row = rows[k];
        if (row.bond < short_rows) continue;
        const real* table = of_centre + elements[row.neighbour / points] * size;
        add_scaled(sum, (real)row.weight, radial(table, columns, places[row.bond - short_rows]));
    }
    store_quad(atoms + 4 * (size_t)id, sum);
}

__device__ __forceinline__ quad product(const quad& a, const quad& b) {
    quad out = {a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w};
    return out;
}

__device__ __forceinline__ quad scaled(real factor, const quad& value) {
    quad out = {factor * value.x, factor * value.y, factor * value.z, factor * value.w};
    return out;
}

// Messages along bonds, weighted by `weights` of the bonds, summed by centre. A thread a quad of an atom; `begins` as
// in `fill_directed`.
KERNEL(sum_atoms)(const BondRow* rows, const int* begins, const real* weights, const real* messages, int sites,
                  int points, real* sums) {
    unsigned id = thread_number();
    unsigned atom = id / FEATURE_QUADS, own = 4 * (id % FEATURE_QUADS);
    if (atom >= (unsigned)sites * points) return;
    const int* range = begins + (size_t)(atom % points) * (sites + 1) + atom / points;
    quad sum = zero_quad();
    for (int k = range[0]; k < range[1]; ++k) {
        BondRow row = rows[k];
        quad factor = scaled((real)row.weight, load_quad(weights + (size_t)row.bond * FEATURES + own));
        add_product(sum, factor, load_quad(messages + (size_t)k * FEATURES + own));
    }
    store_quad(sums + 4 * (size_t)id, sum);
}

// Messages along angles, weighted by `weights` of both bonds, summed by the first one. A thread a quad of a short bond;
// `begins` as in `fill_angles`.
KERNEL(sum_bonds)(const AngleRow* rows, const int* begins, const real* weights, const real* messages, const int* totals,
                  real* sums) {
    unsigned id = thread_number();
    unsigned bond = id / FEATURE_QUADS, own = 4 * (id % FEATURE_QUADS);
    if (bond >= (unsigned)totals[SHORT_ROWS]) return;
    quad sum = zero_quad(), first = load_quad(weights + 4 * (size_t)id);
    for (int k = begins[bond]; k < begins[bond + 1]; ++k) {
        AngleRow row = rows[k];
        quad other = load_quad(weights + (size_t)row.other * FEATURES + own);
        quad factor = product(scaled((real)row.weight, first), other);
        add_product(sum, factor, load_quad(messages + (size_t)k * FEATURES + own));
    }
    store_quad(sums + 4 * (size_t)id, sum);
}

// A sum over the FEATURE_QUADS neighbouring threads that share a row.
template <class T>
__device__ __forceinline__ T sum_of_row(T own) {
#pragma unroll
    for (int lanes = FEATURE_QUADS / 2; lanes > 0; lanes /= 2) own += __shfl_xor_sync(ALL_LANES, own, lanes);
    return own;
}

// The norm before the readout, its mean and variance in float64. A thread a quad of an atom; `norm` is `[2][FEATURES]`:
// scale, shift.
KERNEL(norm_atoms)(const real* atoms, const real* norm, int sites, int points, real* out) {
    unsigned id = thread_number();
    unsigned atoms_count = (unsigned)sites * points, own = 4 * (id % FEATURE_QUADS);
    bool is_atom = id / FEATURE_QUADS < atoms_count;
    quad x = is_atom ? load_quad(atoms + 4 * (size_t)id) : zero_quad();
    double mean = sum_of_row((double)x.x + (double)x.y + (double)x.z + (double)x.w) / FEATURES;
    double a = x.x - mean, b = x.y - mean, c = x.z - mean, d = x.w - mean;
    double variance = sum_of_row(a * a + b * b + c * c + d * d) / FEATURES;
    if (!is_atom) return;
    double factor = 1.0 / sqrt(variance + NORM_EPSILON);
    quad scale = load_quad(norm + own), shift = load_quad(norm + FEATURES + own);
    quad y = {(real)(a * factor * scale.x + shift.x), (real)(b * factor * scale.y + shift.y),
              (real)(c * factor * scale.z + shift.z), (real)(d * factor * scale.w + shift.w)};
    store_quad(out + 4 * (size_t)id, y);
}
