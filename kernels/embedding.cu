// Axis values -> positions of all atoms of the conventional cell, as affine maps.
//
// A thread an atom of a point. `forms` is `[atom][1 + axes][3]`: the position at axis values 0 and its change with each
// axis, in the reduced basis of the cell; `values` is `[point][axes]`, `positions` `[point][atom][3]`.
KERNEL(embed)(const double* forms, const double* values, int axes, int atoms, int points, double* positions) {
    unsigned id = thread_number();
    if (id >= (unsigned)points * atoms) return;
    int point = id / atoms, atom = id % atoms;
    bond_vector(forms, atom, values + (size_t)point * axes, axes, positions + (size_t)id * 3);
}
