// Angular and radial parts -> pair operators of a group that is kept.

// A row of an operator: where it lies in the angular parts of an entry, and the column of its radial function.
struct OperatorRow {
    int pair;
    int row;
    // The function in the first row of its table, and the columns of that table.
    long long table;
    int columns;
    int padding;
};

// A thread a quad of a row of a node; `operators` is `[node][row][channel]`: sums over the entries of the row's pair.
KERNEL(operators)(const OperatorRow* rows, const real* tables, const int* begins, const Place* places,
                  const real* angular, int row_count, int channels, int most, int pairs, int angular_rows, int nodes,
                  real* operators) {
    unsigned id = thread_number();
    unsigned quads = channels / 4;
    if (id >= (unsigned)nodes * row_count * quads) return;
    unsigned unit = id / quads, channel = 4 * (id % quads);
    int node = unit / row_count;
    OperatorRow of = rows[unit % row_count];
    const int* range = begins + (size_t)node * (pairs + 1) + of.pair;
    quad sum = zero_quad();
    for (int entry = range[0]; entry < range[1]; ++entry) {
        size_t place = (size_t)node * most + entry;
        real factor = angular[place * angular_rows + of.row];
        add_scaled(sum, factor, radial(tables + of.table + channel, of.columns, places[place]));
    }
    store_quad(operators + (size_t)unit * channels + channel, sum);
}
