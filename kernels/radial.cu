// Distances -> places on the radial tables.

// Distances over which all functions of a table are smooth: rows of their own, so that kinks lie between pieces.
struct Piece {
    double start;
    double inverse_step;
    int intervals;
    int row;
};

// A thread an entry of a node; `entries`, `distances` and `places` are `[node][most]`; pieces come by distance.
KERNEL(places)(const int* begins, const int* entries, const double* distances, const Piece* pieces, int piece_count,
               int most, int pairs, int nodes, Place* places) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * most) return;
    int node = id / most, entry = id % most;
    if (entry >= begins[(size_t)node * (pairs + 1) + pairs]) return;
    double r = distances[id], t, weights[TAPS];
    Piece piece = pieces[0];
    for (int k = 1; k < piece_count; ++k) {
        if (pieces[k].start <= r) piece = pieces[k];
    }
    Place place;
    place.row = piece.row + table_row(r - piece.start, piece.inverse_step, piece.intervals, t);
    quintic_weights(t, weights);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) place.weights[tap] = (real)weights[tap];
    place.shell = entries[id];
    places[id] = place;
}
