// Distances -> shares of the density normalisers and nuclear repulsion, in float64.

// Repulsion of a pair of elements: `0.5 * 14.3996 za zb / r * phi(r / length) * envelope(r / range)`.
struct Repulsion {
    // 0 for models without repulsion.
    double range;
    double strength;
    double length;
    double exponent;
    double coefficients[4];
};

__device__ double repulsion_energy(const Repulsion& of, double r) {
    if (r >= of.range) return 0.0;
    const double decays[4] = {3.2, 0.9423, 0.4028, 0.2016};
    double x = r / of.length, screening = 0.0;
    for (int k = 0; k < 4; ++k) screening += of.coefficients[k] * exp(-decays[k] * x);
    double u = r / of.range, p = of.exponent;
    double slope = -(p + 1.0) * (p + 2.0) / 2.0 + u * (p * (p + 2.0) - u * p * (p + 1.0) / 2.0);
    return of.strength / r * screening * fma(pow(u, p), slope, 1.0);
}

// A thread an entry of a node. `tables` are float64 with `columns` columns, of which the first `densities` count;
// `table_of_pair` is where the table of each pair begins. `scalars` is `[node][most][densities + 1]`, the repulsion last.
KERNEL(pair_scalars)(const double* tables, const int* table_of_pair, const Repulsion* repulsions,
                     const int* shell_pairs, const int* begins, const int* entries, const double* distances,
                     double inverse_step, int intervals, int columns, int densities, int most, int pairs, int nodes,
                     double* scalars) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * most) return;
    int node = id / most;
    if ((int)(id % most) >= begins[(size_t)node * (pairs + 1) + pairs]) return;
    int pair = shell_pairs[entries[id]];
    double r = distances[id];
    double* out = scalars + (size_t)id * (densities + 1);
    if (densities > 0) {
        double t, weights[TAPS];
        int row = table_row(r, inverse_step, intervals, t);
        quintic_weights(t, weights);
        const double* from = tables + table_of_pair[pair] + (size_t)row * columns;
        for (int k = 0; k < densities; ++k) {
            double sum = 0.0;
            for (int tap = 0; tap < TAPS; ++tap) sum = fma(weights[tap], from[(size_t)tap * columns + k], sum);
            out[k] = sum;
        }
    }
    out[densities] = repulsion_energy(repulsions[pair], r);
}

// Sums over the entries of a pair, for each direction between its sites. A thread a sum of a node: `sums` tells the pair,
// the direction and the column; `shell_weights` is `[shell][2]`, how many neighbours a shell stands for in each direction.
struct ScalarSum {
    int pair;
    int direction;
    int column;
};

KERNEL(sum_scalars)(const ScalarSum* sums, const double* scalars, const double* shell_weights, const int* begins,
                    const int* entries, int sum_count, int columns, int most, int pairs, int nodes, double* out) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * sum_count) return;
    int node = id / sum_count;
    ScalarSum of = sums[id % sum_count];
    const int* range = begins + (size_t)node * (pairs + 1) + of.pair;
    double sum = 0.0;
    for (int entry = range[0]; entry < range[1]; ++entry) {
        size_t place = (size_t)node * most + entry;
        sum += shell_weights[2 * entries[place] + of.direction] * scalars[place * columns + of.column];
    }
    out[id] = sum;
}

// What comes into a site, by sender: a scalar of a group.
struct Incoming {
    int group;
    int offset;
};

__device__ double incoming_sum(const Group* groups, const Incoming* incoming, int begin, int end, int column, int point) {
    double sum = 0.0;
    for (int k = begin; k < end; ++k) {
        const Group& group = groups[incoming[k].group];
        sum += group.scalars[node_of(group, point) * group.scalar_count + incoming[k].offset + column];
    }
    return sum;
}

// 1 / (1 + density) of every site. A thread a site of a point; `incoming` of a site are those from `begins` on;
// `normalisers` is `[site][point]`.
KERNEL(normalise)(const Group* groups, const Incoming* incoming, const int* begins, int column, int sites, int points,
                  real* normalisers) {
    unsigned id = thread_number();
    if (id >= (unsigned)sites * points) return;
    int site = id / points, point = id % points;
    double density = incoming_sum(groups, incoming, begins[site], begins[site + 1], column, point);
    normalisers[id] = (real)(1.0 / (1.0 + density));
}
