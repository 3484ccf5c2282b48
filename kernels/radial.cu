// Distances -> places on the radial tables.
//
// A thread an entry of a node; `entries`, `distances` and `places` are `[node][most]`.
KERNEL(places)(const int* begins, const int* entries, const double* distances, double inverse_step, int intervals,
               int most, int pairs, int nodes, Place* places) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * most) return;
    int node = id / most, entry = id % most;
    if (entry >= begins[(size_t)node * (pairs + 1) + pairs]) return;
    double t, weights[TAPS];
    Place place;
    place.row = table_row(distances[id], inverse_step, intervals, t);
    quintic_weights(t, weights);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) place.weights[tap] = (real)weights[tap];
    place.shell = entries[id];
    places[id] = place;
}
