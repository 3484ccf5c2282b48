// Axis values -> the bonds and angles of a network that are short enough, as rows that stand point by point below one
// another. How many rows there are is known on the device only.
//
// Bonds without direction come first, the short ones of all points before the long ones; `lengths` and `rows` are
// `[point][bond of the network]`. Atoms are numbered `[site][point]`.

// What is counted of a point: `counts` and `begins` are `[point][ROW_KINDS]`.
#define SHORT_BONDS 0
#define LONG_BONDS 1
#define DIRECTED_BONDS 2
#define SHORT_DIRECTED_BONDS 3
#define ANGLES 4
#define ROW_KINDS 5
// Rows of all points: `totals`.
#define NO_ROWS 0
#define SHORT_ROWS 1
#define BOND_ROWS 2
#define DIRECTED_ROWS 3
#define SHORT_DIRECTED_ROWS 4
#define ANGLE_ROWS 5
#define ATOM_ROWS 6

// A directed bond of the network, and its bond without direction.
struct BondCandidate {
    int bond;
    int receiver;
    int sender;
    float weight;
};

// An angle: the second leg's bond without direction, the directed bond and the leg that give the vectors, and its site.
// Those of a bond without direction, their first leg, begin at `first_angles`, which is `[bond + 1]`.
struct AngleCandidate {
    int other;
    int directed;
    int leg;
    int centre;
    float weight;
};

struct BondRow {
    int centre;
    int neighbour;
    int bond;
    float weight;
};

struct AngleRow {
    int bond;
    int other;
    int centre;
    float weight;
};

// The grid of a table.
struct TableGrid {
    double inverse_step;
    int intervals;
    int padding;
};

// Where bonds end, where short ones end, and the tables over them: up to the cutoff, up to the angle cutoff, of the
// first messages from there on, and over the angle.
struct RowLimits {
    double cutoff;
    double angle_cutoff;
    TableGrid bonds;
    TableGrid short_bonds;
    TableGrid first_messages;
    TableGrid angles;
};

__device__ __forceinline__ Place place_on(const TableGrid& grid, double value) {
    double t, weights[TAPS];
    Place place;
    // Not below the first knot, and there for what is no number.
    place.row = table_row(fmax(value, 0.0), grid.inverse_step, grid.intervals, t);
    quintic_weights(t, weights);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) place.weights[tap] = (real)weights[tap];
    place.shell = 0;
    return place;
}

// The lanes of the warp below this one for which something holds.
__device__ __forceinline__ int lanes_before(unsigned mask) {
    return __popc(mask & ((1u << (threadIdx.x % WARP)) - 1u));
}

// A thread a bond of a point; `vectors` are those of directed bonds, of which `bonds` names one for each.
KERNEL(bond_lengths)(const double* vectors, const int* bonds, const double* values, int axes, int bond_count,
                     int points, double* lengths) {
    unsigned id = thread_number();
    if (id >= (unsigned)points * bond_count) return;
    double v[3];
    bond_vector(vectors, bonds[id % bond_count], values + (size_t)(id / bond_count) * axes, axes, v);
    lengths[id] = norm(v);
}

// A warp a point.
KERNEL(count_rows)(const double* lengths, const BondCandidate* directed, const AngleCandidate* angles,
                   const int* first_angles, double cutoff, double angle_cutoff, int bond_count, int directed_count,
                   int points, int* counts) {
    unsigned point = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (point >= (unsigned)points) return;
    const double* own = lengths + (size_t)point * bond_count;
    int found[ROW_KINDS] = {0, 0, 0, 0, 0};
    for (int first = 0; first < bond_count; first += WARP) {
        double r = first + lane < bond_count ? own[first + lane] : cutoff;
        unsigned short_mask = __ballot_sync(ALL_LANES, r < angle_cutoff);
        found[SHORT_BONDS] += __popc(short_mask);
        found[LONG_BONDS] += __popc(__ballot_sync(ALL_LANES, r >= angle_cutoff && r < cutoff));
        for (; short_mask; short_mask &= short_mask - 1) {
            int bond = first + __ffs(short_mask) - 1, last = first_angles[bond + 1];
            for (int angle = first_angles[bond]; angle < last; angle += WARP) {
                bool is_row = angle + lane < last && own[angles[angle + lane].other] < angle_cutoff;
                found[ANGLES] += __popc(__ballot_sync(ALL_LANES, is_row));
            }
        }
    }
    for (int first = 0; first < directed_count; first += WARP) {
        double r = first + lane < directed_count ? own[directed[first + lane].bond] : cutoff;
        found[DIRECTED_BONDS] += __popc(__ballot_sync(ALL_LANES, r < cutoff));
        found[SHORT_DIRECTED_BONDS] += __popc(__ballot_sync(ALL_LANES, r < angle_cutoff));
    }
    if (lane > 0) return;
#pragma unroll
    for (int kind = 0; kind < ROW_KINDS; ++kind) counts[(size_t)point * ROW_KINDS + kind] = found[kind];
}

// Where the rows of each point begin, and how many there are. One block; a thread of it some neighbouring points.
KERNEL(scan_rows)(const int* counts, int sites, int points, int* begins, int* totals) {
    __shared__ int sums[ROW_KINDS][BLOCK_THREADS];
    int share = (points + BLOCK_THREADS - 1) / BLOCK_THREADS;
    int first = min((int)threadIdx.x * share, points), last = min(first + share, points);
    int before[ROW_KINDS] = {0, 0, 0, 0, 0};
    for (int point = first; point < last; ++point) {
#pragma unroll
        for (int kind = 0; kind < ROW_KINDS; ++kind) before[kind] += counts[point * ROW_KINDS + kind];
    }
#pragma unroll
    for (int kind = 0; kind < ROW_KINDS; ++kind) sums[kind][threadIdx.x] = before[kind];
    __syncthreads();
    if (threadIdx.x < ROW_KINDS) {
        int sum = 0;
        for (int thread = 0; thread < BLOCK_THREADS; ++thread) {
            int own = sums[threadIdx.x][thread];
            sums[threadIdx.x][thread] = sum;
            sum += own;
        }
    }
    __syncthreads();
#pragma unroll
    for (int kind = 0; kind < ROW_KINDS; ++kind) before[kind] = sums[kind][threadIdx.x];
    for (int point = first; point < last; ++point) {
#pragma unroll
        for (int kind = 0; kind < ROW_KINDS; ++kind) {
            begins[point * ROW_KINDS + kind] = before[kind];
            before[kind] += counts[point * ROW_KINDS + kind];
        }
    }
    if (threadIdx.x < BLOCK_THREADS - 1) return;
    totals[NO_ROWS] = 0;
    totals[SHORT_ROWS] = before[SHORT_BONDS];
    totals[BOND_ROWS] = before[SHORT_BONDS] + before[LONG_BONDS];
    totals[DIRECTED_ROWS] = before[DIRECTED_BONDS];
    totals[SHORT_DIRECTED_ROWS] = before[SHORT_DIRECTED_BONDS];
    totals[ANGLE_ROWS] = before[ANGLES];
    totals[ATOM_ROWS] = sites * points;
}

// Rows of bonds without direction, -1 beyond the cutoff, and their places: `places` by row, `short_places` by short
// row, `first_places` by long row. A warp a point.
KERNEL(fill_bonds)(const double* lengths, const int* begins, const int* totals, RowLimits limits, int bond_count,
                   int points, int* rows, Place* places, Place* short_places, Place* first_places) {
    unsigned point = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (point >= (unsigned)points) return;
    int short_rows = totals[SHORT_ROWS];
    int next_short = begins[(size_t)point * ROW_KINDS + SHORT_BONDS];
    int next_long = begins[(size_t)point * ROW_KINDS + LONG_BONDS];
    for (int first = 0; first < bond_count; first += WARP) {
        size_t own = (size_t)point * bond_count + first + lane;
        double r = first + lane < bond_count ? lengths[own] : limits.cutoff;
        bool is_short = r < limits.angle_cutoff, is_long = !is_short && r < limits.cutoff;
        unsigned short_mask = __ballot_sync(ALL_LANES, is_short), long_mask = __ballot_sync(ALL_LANES, is_long);
        int row = -1;
        if (is_short) {
            row = next_short + lanes_before(short_mask);
            short_places[row] = place_on(limits.short_bonds, r);
        } else if (is_long) {
            int long_row = next_long + lanes_before(long_mask);
            row = short_rows + long_row;
            first_places[long_row] = place_on(limits.first_messages, r - limits.angle_cutoff);
        }
        if (row >= 0) places[row] = place_on(limits.bonds, r);
        if (first + lane < bond_count) rows[own] = row;
        next_short += __popc(short_mask);
        next_long += __popc(long_mask);
    }
}

// Rows of directed bonds, all and those that are short. `begins_of_sites` is `[point][sites + 1]`: where those into
// each site begin, as they come site by site. A warp a point.
KERNEL(fill_directed)(const BondCandidate* candidates, const int* rows, const int* begins, const int* totals,
                      int bond_count, int directed_count, int sites, int points, BondRow* directed,
                      BondRow* short_directed, int* begins_of_sites, int* short_begins_of_sites) {
    unsigned point = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (point >= (unsigned)points) return;
    int short_rows = totals[SHORT_ROWS];
    int next = begins[(size_t)point * ROW_KINDS + DIRECTED_BONDS];
    int next_short = begins[(size_t)point * ROW_KINDS + SHORT_DIRECTED_BONDS];
    int* own_begins = begins_of_sites + (size_t)point * (sites + 1);
    int* own_short_begins = short_begins_of_sites + (size_t)point * (sites + 1);
    for (int first = 0; first < directed_count; first += WARP) {
        int index = first + lane, row = -1;
        BondCandidate candidate = {0, 0, 0, 0.0f};
        if (index < directed_count) {
            candidate = candidates[index];
            row = rows[(size_t)point * bond_count + candidate.bond];
        }
        bool is_row = row >= 0, is_short = is_row && row < short_rows;
        unsigned mask = __ballot_sync(ALL_LANES, is_row), short_mask = __ballot_sync(ALL_LANES, is_short);
        int place = next + lanes_before(mask), short_place = next_short + lanes_before(short_mask);
        if (index < directed_count) {
            // Sites without bonds begin where the next one does.
            for (int site = index ? candidates[index - 1].receiver + 1 : 0; site <= candidate.receiver; ++site) {
                own_begins[site] = place;
                own_short_begins[site] = short_place;
            }
        }
        BondRow bond = {candidate.receiver * points + (int)point, candidate.sender * points + (int)point, row,
                        candidate.weight};
        if (is_row) directed[place] = bond;
        if (is_short) short_directed[short_place] = bond;
        next += __popc(mask);
        next_short += __popc(short_mask);
    }
    if (lane > 0) return;
    for (int site = directed_count ? candidates[directed_count - 1].receiver + 1 : 0; site <= sites; ++site) {
        own_begins[site] = next;
        own_short_begins[site] = next_short;
    }
}

// The model's angle.
__device__ __forceinline__ double model_angle(double cosine) {
    double shrunk = (1.0 - 1e-6) * cosine;
    return acos(shrunk < -1.0 ? -1.0 : shrunk > 1.0 ? 1.0 : shrunk);
}

// Rows of angles and their places. `begins_of_bonds` is `[short rows + 1]`: where the angles of each short bond begin,
// as they come bond by bond. `vectors` are those of directed bonds, `legs` those of second legs. A warp a point.
KERNEL(fill_angles)(const AngleCandidate* candidates, const int* first_angles, const double* vectors,
                    const double* legs, const double* values, const double* lengths, const int* rows,
                    const int* begins, const int* totals, RowLimits limits, int axes, int bond_count, int points,
                    AngleRow* angles, Place* places, int* begins_of_bonds) {
    unsigned point = thread_number() / WARP;
    int lane = threadIdx.x % WARP;
    if (point >= (unsigned)points) return;
    const double* own_values = values + (size_t)point * axes;
    const double* own_lengths = lengths + (size_t)point * bond_count;
    const int* own_rows = rows + (size_t)point * bond_count;
    int next = begins[(size_t)point * ROW_KINDS + ANGLES];
    for (int first = 0; first < bond_count; first += WARP) {
        bool is_short = first + lane < bond_count && own_lengths[first + lane] < limits.angle_cutoff;
        for (unsigned left = __ballot_sync(ALL_LANES, is_short); left; left &= left - 1) {
            int bond = first + __ffs(left) - 1, last = first_angles[bond + 1];
            if (lane == 0) begins_of_bonds[own_rows[bond]] = next;
            for (int index = first_angles[bond] + lane; index - lane < last; index += WARP) {
                AngleCandidate candidate = {0, 0, 0, 0, 0.0f};
                if (index < last) candidate = candidates[index];
                bool is_row = index < last && own_lengths[candidate.other] < limits.angle_cutoff;
                unsigned mask = __ballot_sync(ALL_LANES, is_row);
                if (is_row) {
                    double a[3], b[3];
                    bond_vector(vectors, candidate.directed, own_values, axes, a);
                    bond_vector(legs, candidate.leg, own_values, axes, b);
                    double product = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
                    double cosine = product / (own_lengths[bond] * own_lengths[candidate.other]);
                    int row = next + lanes_before(mask);
                    places[row] = place_on(limits.angles, model_angle(cosine));
                    angles[row] = {own_rows[bond], own_rows[candidate.other],
                                   candidate.centre * points + (int)point, candidate.weight};
                }
                next += __popc(mask);
            }
        }
    }
    if (lane == 0 && point == (unsigned)points - 1) begins_of_bonds[totals[SHORT_ROWS]] = next;
}
