// Pair operators, kept or computed here, applied to the features of the senders -> messages.
//
// A row of messages or features begins at `base * points + slot` and the next point follows `stride` rows later: arrays
// are `[degree][component][point][slot]`, where the slots of a degree are paths, or parts of a path of equal width.

struct Output {
    long long base;
    int slot;
    int stride;
    int feature_slot;
    int feature_stride;
    int first_term;
    int term_count;
};

// A row of a kept operator: `offset` counts from the operators of a node; `feature` is the base of the senders'
// features.
struct Term {
    long long offset;
    int group;
    int feature;
};

__device__ __forceinline__ size_t array_row(long long base, int slot, int stride, int point, int points) {
    return (size_t)base * points + (size_t)point * stride + slot;
}

// sum += operator * feature, or the operator alone.
template <bool LATER>
__device__ __forceinline__ void apply(quad& sum, const quad& value, const real* feature) {
    if (LATER) {
        add_product(sum, value, load_quad(feature));
    } else {
        add(sum, value);
    }
}

// Sums over kept operators for POINTS points: `operator * feature`, or the operator alone in layer 0.
template <bool LATER>
__device__ __forceinline__ void apply_kept(const Group* groups, const Output* outputs, const Term* terms,
                                           const real* features, int output_count, int channels, int points, real* sums) {
    unsigned id = thread_number();
    unsigned quads = channels / 4, batches = (points + POINTS - 1) / POINTS;
    if (id >= (unsigned)output_count * batches * quads) return;
    unsigned unit = id / quads, channel = 4 * (id % quads);
    Output output = outputs[unit / batches];
    int first = POINTS * (unit % batches);
    quad sum[POINTS];
    // Beyond the last point the last one is computed again and not stored.
    int point[POINTS];
#pragma unroll
    for (int p = 0; p < POINTS; ++p) {
        sum[p] = zero_quad();
        point[p] = first + p < points ? first + p : points - 1;
    }
    // Where the points' features begin from their base on, which is within 32 bits.
    unsigned sender[POINTS];
#pragma unroll
    for (int p = 0; p < POINTS; ++p) {
        sender[p] = (output.feature_slot + point[p] * output.feature_stride) * channels + channel;
    }
    // Operators of the points' nodes of the group that is at hand: terms come group by group.
    const real* operators[POINTS];
    int at_hand = -1;
    bool one_node = false;
    for (int k = 0; k < output.term_count; ++k) {
        Term term = terms[output.first_term + k];
        if (term.group != at_hand) {
            const Group& group = groups[term.group];
            at_hand = term.group;
            one_node = true;
#pragma unroll
            for (int p = 0; p < POINTS; ++p) {
                operators[p] = group.operators + node_of(group, point[p]) * group.value_count + channel;
                one_node = one_node && operators[p] == operators[0];
            }
        }
        const real* senders = features + (size_t)term.feature * points * channels;
        quad value = load_quad(operators[0] + term.offset);
#pragma unroll
        for (int p = 0; p < POINTS; ++p) {
            if (!one_node) value = load_quad(operators[p] + term.offset);
            apply<LATER>(sum[p], value, senders + sender[p]);
        }
    }
#pragma unroll
    for (int p = 0; p < POINTS; ++p) {
        if (first + p >= points) break;
        size_t row = array_row(output.base, output.slot, output.stride, first + p, points);
        store_quad(sums + row * channels + channel, sum[p]);
    }
}

// Messages of layer 0 from the operators that are kept, zero where there are none. A thread a quad of a row, for POINTS
// points; `sums` is `[row][point][channel]`.
KERNEL(apply_first)(const Group* groups, const Output* outputs, const Term* terms, int output_count, int channels,
                    int points, real* sums) {
    apply_kept<false>(groups, outputs, terms, nullptr, output_count, channels, points, sums);
}

// The same for a later layer, from `features`.
KERNEL(apply_later)(const Group* groups, const Output* outputs, const Term* terms, const real* features,
                    int output_count, int channels, int points, real* sums) {
    apply_kept<true>(groups, outputs, terms, features, output_count, channels, points, sums);
}

// Rows of messages that share a radial function and the senders' degree: those of one site and one path (of one degree
// in layer 0); row m begins at `base + m * stride`.
struct Block {
    long long base;
    int slot;
    int stride;
    int rows;
    int first_way;
    int way_count;
    int feature_slot;
    int feature_stride;
    int padding;
};

// From the atoms of one site: a pair of a group that is not kept, the rows of its angular parts (`[rows][senders]` from
// `angular` on), the senders' features (component n at the base `feature + n * feature_stride`) and the radial
// function.
struct Way {
    long long table;
    int columns;
    int group;
    int pair;
    int angular;
    int senders;
    int feature;
};

// Adds one block's messages for one point. SENDERS is the most components that the senders' degree can have.
template <int SENDERS>
__device__ __forceinline__ void add_messages(const Group* groups, const Block& block, const Way* ways,
                                             const real* tables, const real* features, int channels, int points,
                                             int point, unsigned channel, real* sums) {
    constexpr int ROWS = 2 * MAX_DEGREE + 1;
    quad sum[ROWS];
#pragma unroll
    for (int m = 0; m < ROWS; ++m) sum[m] = zero_quad();
    for (int k = 0; k < block.way_count; ++k) {
        Way way = ways[block.first_way + k];
        const Group& group = groups[way.group];
        size_t node = node_of(group, point);
        const int* range = group.begins + node * (group.pair_count + 1) + way.pair;
        int begin = range[0], end = range[1];
        if (begin == end) continue;
        quad feature[SENDERS > 0 ? SENDERS : 1];
        if (SENDERS > 0) {
#pragma unroll
            for (int n = 0; n < SENDERS; ++n) {
                int base = way.feature + n * block.feature_stride;
                size_t row = array_row(base, block.feature_slot, block.feature_stride, point, points);
                feature[n] = n < way.senders ? load_quad(features + row * channels + channel) : zero_quad();
            }
        }
        const real* table = tables + way.table + channel;
        for (int entry = begin; entry < end; ++entry) {
            size_t place = node * group.most + entry;
            quad function = radial(table, way.columns, group.places[place]);
            const real* angular = group.angular + place * group.row_count + way.angular;
#pragma unroll
            for (int m = 0; m < ROWS; ++m) {
                if (m >= block.rows) break;
                if (SENDERS == 0) {
                    add_scaled(sum[m], angular[m], function);
                    continue;
                }
                quad turned = zero_quad();
#pragma unroll
                for (int n = 0; n < SENDERS; ++n) {
                    if (n >= way.senders) break;
                    add_scaled(turned, angular[m * way.senders + n], feature[n]);
                }
                add_product(sum[m], function, turned);
            }
        }
    }
#pragma unroll
    for (int m = 0; m < ROWS; ++m) {
        if (m >= block.rows) break;
        size_t row = array_row(block.base + (long long)m * block.stride, block.slot, block.stride, point, points);
        real* to = sums + row * channels + channel;
        quad total = load_quad(to);
        add(total, sum[m]);
        store_quad(to, total);
    }
}

// Adds to the messages of layer 0 what comes through operators that are not kept. A thread a quad of a block of a
// point. Threads of one block come together for all points: the part of a radial table that a block reads fits into a
// multiprocessor's cache, and it is what this kernel reads most.
KERNEL(first_messages)(const Group* groups, const Block* blocks, const Way* ways, const real* tables, int block_count,
                       int channels, int points, real* sums) {
    unsigned id = thread_number();
    unsigned quads = channels / 4;
    if (id >= (unsigned)points * block_count * quads) return;
    unsigned unit = id / quads, channel = 4 * (id % quads);
    add_messages<0>(groups, blocks[unit / points], ways, tables, nullptr, channels, points, unit % points, channel, sums);
}

// The same for a later layer. The blocks are those whose senders have degrees with at most 1, 3 and 5 components: so
// many of each as `counts` says, in this order.
struct BlockCounts {
    int of_degree[3];
};

KERNEL(later_messages)(const Group* groups, const Block* blocks, const Way* ways, const real* tables,
                       const real* features, BlockCounts counts, int channels, int points, real* sums) {
    int block_count = counts.of_degree[0] + counts.of_degree[1] + counts.of_degree[2];
    unsigned id = thread_number();
    unsigned quads = channels / 4;
    if (id >= (unsigned)points * block_count * quads) return;
    unsigned unit = id / quads, channel = 4 * (id % quads);
    int index = unit / points, point = unit % points;
    const Block& block = blocks[index];
    if (index < counts.of_degree[0]) {
        add_messages<1>(groups, block, ways, tables, features, channels, points, point, channel, sums);
    } else if (index < counts.of_degree[0] + counts.of_degree[1]) {
        add_messages<3>(groups, block, ways, tables, features, channels, points, point, channel, sums);
    } else {
        add_messages<5>(groups, block, ways, tables, features, channels, points, point, channel, sums);
    }
}
