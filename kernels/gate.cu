// z -> features of SevenNet: activated scalars, and other degrees times activated gates; act(x) = kappa x / (1 + e^-x).

// 16 channels of a component of the features. Its gates, z and result lie in rows of 16 channels as messages.cu has
// them: at `base * points + stride * point + slot`. `z_base` is -1 for scalars, which are the gates themselves; `bias`
// is the place of a row that is added to the gates first, or -1.
struct Gate {
    long long gate_base;
    long long z_base;
    long long output_base;
    long long bias;
    int gate_slot;
    int gate_stride;
    int z_slot;
    int z_stride;
    int output_slot;
    int output_stride;
};

#define GATE_CHANNELS 16

// A thread a quad of a row of a point. Scalars and gates are degree 0 of `z`.
KERNEL(gate)(const Gate* gates, const real* z, const real* biases, real kappa, int gate_count, int points,
             real* features) {
    constexpr int QUADS = GATE_CHANNELS / 4;
    unsigned id = thread_number();
    if (id >= (unsigned)gate_count * points * QUADS) return;
    unsigned unit = id / QUADS, channel = 4 * (id % QUADS);
    int point = unit % points;
    Gate of = gates[unit / points];
    size_t gate_row = array_row(of.gate_base, of.gate_slot, of.gate_stride, point, points);
    quad value = load_quad(z + gate_row * GATE_CHANNELS + channel);
    if (of.bias >= 0) add(value, load_quad(biases + of.bias + channel));
    value = silu(value);
    value.x *= kappa;
    value.y *= kappa;
    value.z *= kappa;
    value.w *= kappa;
    if (of.z_base >= 0) {
        size_t row = array_row(of.z_base, of.z_slot, of.z_stride, point, points);
        quad own = load_quad(z + row * GATE_CHANNELS + channel);
        value.x *= own.x;
        value.y *= own.y;
        value.z *= own.z;
        value.w *= own.w;
    }
    size_t row = array_row(of.output_base, of.output_slot, of.output_stride, point, points);
    store_quad(features + row * GATE_CHANNELS + channel, value);
}
