// Axis values -> which of the candidate shells of a group of pairs lie within the cutoff.
//
// A warp a node looks at 32 candidates at a time and writes those within, in their order: `entries` and `distances`
// are `[node][most]`, of which no node has more, `begins` is `[node][pairs + 1]`. Coinciding atoms have no direction, so
// they are left out.
KERNEL(neighbours)(const double* vectors, const int* shell_bonds, const int* shell_pairs, const double* values, int axes,
                   int shells, int most, int pairs, int nodes, double cutoff, double coincidence, int* begins, int* entries,
                   double* distances) {
    unsigned node = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (node >= (unsigned)nodes) return;
    const double* own_values = values + (size_t)node * axes;
    int* own_begins = begins + (size_t)node * (pairs + 1);
    int found = 0;
    for (int first = 0; first < shells; first += WARP) {
        int shell = first + lane;
        bool within = false;
        double r = 0.0;
        if (shell < shells) {
            double v[3];
            bond_vector(vectors, shell_bonds[shell], own_values, axes, v);
            r = norm(v);
            within = r < cutoff && r >= coincidence;
        }
        unsigned mask = __ballot_sync(ALL_LANES, within);
        int place = found + __popc(mask & ((1u << lane) - 1u));
        if (shell < shells) {
            int pair = shell_pairs[shell];
            if (shell == 0 || shell_pairs[shell - 1] != pair) own_begins[pair] = place;
        }
        if (within) {
            entries[(size_t)node * most + place] = shell;
            distances[(size_t)node * most + place] = r;
        }
        found += __popc(mask);
    }
    if (lane == 0) own_begins[pairs] = found;
}
