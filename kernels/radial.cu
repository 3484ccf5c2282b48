// Distances -> places on the radial tables.
//
// A thread an entry of a node; `entries`, `distances` and `places` are `[node][shells]`.
KERNEL(places)(const int* begins, const int* entries, const double* distances, double inverse_step, int intervals,
               int shells, int pairs, int nodes, Place* places) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * shells) return;
    int node = id / shells, entry = id % shells;
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
