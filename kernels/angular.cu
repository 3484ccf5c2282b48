// Bond vectors -> harmonics -> what they give for each row of the pair operators.

// Harmonics of a bond's direction times the number of neighbours that the bond stands for. A thread a bond of an entry;
// `harmonics` is `[node][most][bonds of a shell][components]`. The recursion of equivariant/harmonics.rs, to the last
// bit; `norms` are its N_lm.
KERNEL(harmonics)(const double* vectors, const double* bond_weights, const int* shell_bonds, const double* norms,
                  const double* values, const int* begins, const Place* places, int axes, int lmax, int most,
                  int pairs, int bonds_of_shell, int nodes, double* harmonics) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * most * bonds_of_shell) return;
    unsigned entry = id / bonds_of_shell;
    int node = entry / most;
    if ((int)(entry % most) >= begins[(size_t)node * (pairs + 1) + pairs]) return;
    int shell = places[entry].shell;
    int bond = shell_bonds[shell] + id % bonds_of_shell;
    if (bond >= shell_bonds[shell + 1]) return;
    double v[3];
    bond_vector(vectors, bond, values + (size_t)node * axes, axes, v);
    double length = norm(v), weight = bond_weights[bond];
    double x = v[2] / length, y = v[0] / length, z = v[1] / length;
    double* out = harmonics + (size_t)id * (lmax + 1) * (lmax + 1);
    double cosine = 1.0, sine = 0.0, diagonal = 1.0;
    for (int m = 0; m <= lmax; ++m) {
        if (m > 0) {
            double next = cosine * x - sine * y;
            sine = cosine * y + sine * x;
            cosine = next;
            diagonal *= (double)(2 * m - 1);
        }
        double previous = 0.0, legendre = diagonal;
        for (int l = m; l <= lmax; ++l) {
            if (l > m) {
                double next = ((double)(2 * l - 1) * z * legendre - (double)(l + m - 1) * previous) / (double)(l - m);
                previous = legendre;
                legendre = next;
            }
            int centre = l * l + l;
            double value = norms[centre + m] * legendre;
            out[centre + m] = weight * (value * cosine);
            if (m > 0) out[centre - m] = weight * (value * sine);
        }
    }
}

// Couplings of harmonics, summed over the bonds of an entry. A thread a row of an entry; the rows of a pair are those of
// its first direction, then those of its second. `couplings` has, for each bond, `[components][stride]` from
// `bond_couplings` on; `angular` is `[node][most][rows]`.
KERNEL(angular)(const double* harmonics, const double* couplings, const int* bond_couplings, const int* bond_strides,
                const int* bond_directions, const int* shell_bonds, const int* shell_pairs, const int* pair_rows,
                const int* begins, const Place* places, int components, int most, int pairs, int bonds_of_shell,
                int rows, int nodes, real* angular) {
    unsigned id = thread_number();
    if (id >= (unsigned)nodes * most * rows) return;
    unsigned entry = id / rows;
    int row = id % rows, node = entry / most;
    if ((int)(entry % most) >= begins[(size_t)node * (pairs + 1) + pairs]) return;
    int shell = places[entry].shell;
    int pair = shell_pairs[shell];
    int first_rows = pair_rows[2 * pair];
    if (row >= first_rows + pair_rows[2 * pair + 1]) return;
    int direction = row >= first_rows;
    int own_row = row - (direction ? first_rows : 0);
    double sum = 0.0;
    for (int bond = shell_bonds[shell]; bond < shell_bonds[shell + 1]; ++bond) {
        if (bond_directions[bond] != direction) continue;
        const double* y = harmonics + ((size_t)entry * bonds_of_shell + (bond - shell_bonds[shell])) * components;
        const double* coupling = couplings + bond_couplings[bond] + own_row;
        for (int lm = 0; lm < components; ++lm) sum = fma(y[lm], coupling[(size_t)lm * bond_strides[bond]], sum);
    }
    angular[id] = (real)sum;
}
