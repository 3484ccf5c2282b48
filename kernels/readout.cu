// Features of degree 0 -> energies, in float64.

// The linear readout of a layer. A warp a site of a point, each lane some channels; `features` is
// `[site][point][channel]`, `readouts` `[site][point]`, to which it adds.
KERNEL(linear_readout)(const real* features, const double* weights, const double* constants, int sites, int channels,
                       int points, double* readouts) {
    unsigned unit = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (unit >= (unsigned)sites * points) return;
    double sum = 0.0;
    for (int c = lane; c < channels; c += WARP) {
        sum += (double)features[(size_t)unit * channels + c] * weights[c];
    }
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, lanes);
    if (lane == 0) readouts[unit] += sum + constants[unit / points];
}

// The readout of hidden units: `weights silu(hidden)`. A thread a site of a point; `hidden` is `[site][point][unit]`.
KERNEL(hidden_readout)(const real* hidden, const double* weights, int sites, int units, int points, double* readouts) {
    unsigned id = thread_number();
    if (id >= (unsigned)sites * points) return;
    double sum = 0.0;
    for (int k = 0; k < units; ++k) {
        double x = (double)hidden[(size_t)id * units + k];
        sum += weights[k] * (x / (1.0 + exp(-x)));
    }
    readouts[id] += sum;
}

// What a site adds to the energy of a point: `share * (atomic + scale * (repulsion + readouts))`.
struct SiteEnergy {
    double share;
    double atomic;
    double scale;
};

// A representative's part of the distance cost counts `0.5 * multiplicity`.
struct PointOutput {
    double energy;
    double distance_cost;
    double minimum_distance;
};

// A thread a point. `missing` and `smallest` are `[point][representative]`, see distance_cost.cu; `column` is that of
// the repulsion.
KERNEL(energy)(const Group* groups, const Incoming* incoming, const int* begins, const SiteEnergy* sites,
               const double* readouts, const double* multiplicities, const double* missing, const double* smallest,
               double self_cost, double shortest, int column, int site_count, int representative_count,
               int points, PointOutput* out) {
    unsigned point = thread_number();
    if (point >= (unsigned)points) return;
    PointOutput result = {0.0, self_cost, shortest};
    for (int site = 0; site < site_count; ++site) {
        double repulsion = incoming_sum(groups, incoming, begins[site], begins[site + 1], column, point);
        double interaction = repulsion + readouts[(size_t)site * points + point];
        result.energy += sites[site].share * (sites[site].atomic + sites[site].scale * interaction);
    }
    for (int k = 0; k < representative_count; ++k) {
        size_t own = (size_t)point * representative_count + k;
        result.distance_cost += 0.5 * multiplicities[k] * missing[own];
        if (smallest[own] < result.minimum_distance) result.minimum_distance = smallest[own];
    }
    out[point] = result;
}
