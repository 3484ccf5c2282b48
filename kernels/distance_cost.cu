// Positions -> how far the atoms around one representative of each orbit are closer than they should be (Eq. 1 of the
// paper), and the smallest distance.
//
// A thread a representative of a point; `energy` adds them up. In float64 and in the order of the CPU engine, so that
// both say the same to the last bit.

// A reduced cell: lattice vectors as columns, the Cartesian components of its 27 nearest images, and the square of the
// shortest lattice vector.
struct Cell {
    double basis[9];
    double images[3][27];
    double shortest_squared;
};

// Distance of the nearest image of a fractional difference.
__device__ double nearest(const Cell* cell, double dx, double dy, double dz) {
    const double* b = cell->basis;
    double x = dx - round(dx), y = dy - round(dy), z = dz - round(dz);
    double vx = b[0] * x + b[3] * y + b[6] * z;
    double vy = b[1] * x + b[4] * y + b[7] * z;
    double vz = b[2] * x + b[5] * y + b[8] * z;
    double squared = vx * vx + vy * vy + vz * vz;
    if (4.0 * squared <= cell->shortest_squared) return sqrt(squared);
    double smallest = squared;
    for (int k = 0; k < 27; ++k) {
        double ix = vx + cell->images[0][k], iy = vy + cell->images[1][k], iz = vz + cell->images[2][k];
        double image = ix * ix + iy * iy + iz * iz;
        if (image < smallest) smallest = image;
    }
    return sqrt(smallest);
}

// `thresholds` is `[representative][atom]`; `missing` and `smallest` are `[point][representative]`.
KERNEL(distance_cost)(const Cell* cell, const double* positions, const int* representatives, const double* thresholds,
                      int representative_count, int atoms, int points, double* missing, double* smallest) {
    unsigned id = thread_number();
    if (id >= (unsigned)points * representative_count) return;
    int point = id / representative_count, representative = id % representative_count;
    const double* all = positions + (size_t)point * atoms * 3;
    int own = representatives[representative];
    double lacking = 0.0, least = 1e300;
    for (int j = 0; j < atoms; ++j) {
        if (j == own) continue;
        double distance = nearest(cell, all[3 * own] - all[3 * j], all[3 * own + 1] - all[3 * j + 1],
                                  all[3 * own + 2] - all[3 * j + 2]);
        double short_of = thresholds[representative * atoms + j] - distance;
        if (short_of > 0.0) lacking += short_of;
        if (distance < least) least = distance;
    }
    missing[id] = lacking;
    smallest[id] = least;
}
