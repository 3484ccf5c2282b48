#include "block.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "random.h"

// Static __shared__ arrays are thread-local variables without initial value. The linker lays those out in the order of
// the object files, and the kernels are linked between the two objects that define these markers.
extern thread_local char shim_shared_begin, shim_shared_end;

namespace shim {

constinit thread_local Block* current_block = nullptr;
constinit thread_local Thread* current_thread = nullptr;

namespace {

std::string text(std::source_location site) {
    std::string file = site.file_name();
    return file.substr(file.rfind('/') + 1) + ":" + std::to_string(site.line());
}

bool same(std::source_location a, std::source_location b) {
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

std::string text(uint3 index) {
    return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

std::size_t volume(dim3 size) { return std::size_t{size.x} * size.y * size.z; }

uint3 unravel(std::size_t linear, dim3 size) {
    return {static_cast<unsigned>(linear % size.x), static_cast<unsigned>(linear / size.x % size.y),
            static_cast<unsigned>(linear / size.x / size.y)};
}

}  // namespace

Block::~Block() { std::free(dynamic_shared_); }

void Block::prepare(const Launch& launch) {
    launch_ = &launch;
    grid = launch.grid;
    size = launch.block;
    threads_.resize(volume(size));
    warps_.resize((threads_.size() + 31) / 32);
    order_.resize(threads_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    stacks_.reserve(threads_.size());
    // An allocation of exactly this size for each launch, so that the sanitizer sees accesses behind its end.
    std::free(dynamic_shared_);
    dynamic_shared_ = nullptr;
    if (launch.shared_bytes && posix_memalign(&dynamic_shared_, 128, launch.shared_bytes) != 0) std::abort();
}

std::string Block::run(uint3 block_index) {
    index = block_index;
    std::uint64_t random = 0;
    if (launch_->seed) {
        random = mixed(launch_->seed + index.x + (std::uint64_t{index.y} << 20) + (std::uint64_t{index.z} << 40));
        for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[next_random(random) % i]);
        std::memset(&shim_shared_begin, 0xFF, static_cast<std::size_t>(&shim_shared_end - &shim_shared_begin));
        if (launch_->shared_bytes) std::memset(dynamic_shared_, 0xFF, launch_->shared_bytes);
    }
    finished_ = 0;
    barrier_ = {};
    fault_.clear();
    for (Warp& warp : warps_) {
        warp.running = 0;
        for (LaneGroup& lanes : warp.groups) lanes.mask = lanes.arrived = 0;
    }
    for (unsigned i = 0; i < threads_.size(); ++i) {
        threads_[i] = {unravel(i, size), i, stacks_.start(i, thread_main), false, nullptr, 0};
        warps_[i / 32].running |= 1u << i % 32;
    }
    current_block = this;
    schedule(random);
    current_block = nullptr;
    current_thread = nullptr;
    if (!fault_.empty()) {
        stacks_.forget_frames();
        return "block " + text(index) + ": " + fault_;
    }
    return {};
}

void Block::schedule(std::uint64_t random) {
    const std::size_t count = threads_.size();
    while (finished_ < count && fault_.empty()) {
        // Every round begins elsewhere and may go backwards: no thread is always ahead of another.
        std::size_t start = 0, step = 1;
        if (launch_->seed) {
            start = next_random(random) % count;
            if (next_random(random) & 1) step = count - 1;
        }
        bool progress = false;
        for (std::size_t i = 0, at = start; i < count && fault_.empty(); ++i, at = (at + step) % count) {
            Thread& thread = threads_[order_[at]];
            if (thread.finished || (thread.generation && *thread.generation == thread.slept_at)) continue;
            thread.generation = nullptr;
            current_thread = &thread;
            switch_fiber(scheduler_, thread.fiber);
            progress = true;
        }
        if (!progress) fault_ = deadlock();
    }
}

std::string Block::deadlock() const {
    std::string message = "deadlock, " + std::to_string(finished_) + " of " + std::to_string(threads_.size()) +
                          " threads have finished";
    if (barrier_.arrived)
        message += ", " + std::to_string(barrier_.arrived) + " wait in __syncthreads (" + text(barrier_.site) + ")";
    for (std::size_t w = 0; w < warps_.size(); ++w)
        for (const LaneGroup& lanes : warps_[w].groups)
            if (lanes.arrived)
                message += ", " + std::to_string(__builtin_popcount(lanes.arrived)) + " lanes of warp " +
                           std::to_string(w) + " wait for their warp (" + text(lanes.site) + ")";
    return message;
}

void Block::thread_main() {
    enter_fiber(current_block->scheduler_);
    current_block->launch_->thread();
    current_block->finish(*current_thread);
    leave_fiber(current_thread->fiber, current_block->scheduler_);
}

void Block::finish(Thread& thread) {
    thread.finished = true;
    ++finished_;
    if (barrier_.arrived)
        fault("divergent barrier, thread " + text(thread.index) + " ended while " + std::to_string(barrier_.arrived) +
              " threads wait in __syncthreads (" + text(barrier_.site) + ")");
    // Lanes that have ended need not arrive any more.
    Warp& warp = warps_[thread.linear / 32];
    warp.running &= ~(1u << thread.linear % 32);
    for (LaneGroup& lanes : warp.groups)
        if (lanes.arrived && lanes.arrived == (lanes.mask & warp.running)) {
            lanes.exchange[lanes.generation & 1].lanes = lanes.arrived;
            lanes.arrived = 0;
            ++lanes.generation;
        }
}

void Block::sleep(const std::uint32_t& generation) {
    Thread& thread = *current_thread;
    thread.generation = &generation;
    thread.slept_at = generation;
    switch_fiber(thread.fiber, scheduler_);
}

void Block::fault(std::string message) {
    fault_ = std::move(message);
    leave_fiber(current_thread->fiber, scheduler_);
}

int Block::barrier(int predicate, std::source_location site) {
    if (finished_)
        fault("divergent barrier, thread " + text(current_thread->index) + " is in __syncthreads (" + text(site) +
              ") after " + std::to_string(finished_) + " threads have ended");
    if (!barrier_.arrived) barrier_.site = site;
    if (!same(barrier_.site, site))
        fault("divergent barrier, threads wait in __syncthreads of both " + text(barrier_.site) + " and " + text(site));
    barrier_.sum += predicate != 0;
    if (++barrier_.arrived == threads_.size()) {
        barrier_.result = barrier_.sum;
        barrier_.arrived = barrier_.sum = 0;
        ++barrier_.generation;
    } else {
        sleep(barrier_.generation);
    }
    return static_cast<int>(barrier_.result);
}

LaneGroup& Block::group(Warp& warp, std::uint32_t mask) {
    for (LaneGroup& lanes : warp.groups)
        if (lanes.mask == mask) return lanes;
    for (LaneGroup& lanes : warp.groups)
        if (!lanes.mask) {
            lanes.mask = mask;
            return lanes;
        }
    fault("a warp uses more than 8 different masks");
}

const LaneGroup::Exchange& Block::exchange(std::uint32_t mask, std::uint64_t value, std::source_location site) {
    Thread& thread = *current_thread;
    Warp& warp = warps_[thread.linear / 32];
    const unsigned lane = thread.linear % 32;
    if (!(mask >> lane & 1)) fault("thread " + text(thread.index) + " is not in its own warp mask (" + text(site) + ")");
    LaneGroup& lanes = group(warp, mask);
    if (!lanes.arrived) lanes.site = site;
    if (!same(lanes.site, site))
        fault("divergent warp, lanes of one mask are at both " + text(lanes.site) + " and " + text(site));
    const std::uint32_t generation = lanes.generation;
    LaneGroup::Exchange& exchange = lanes.exchange[generation & 1];
    exchange.value[lane] = value;
    lanes.arrived |= 1u << lane;
    if (lanes.arrived == (mask & warp.running)) {
        exchange.lanes = lanes.arrived;
        lanes.arrived = 0;
        ++lanes.generation;
    } else {
        sleep(lanes.generation);
    }
    return exchange;
}

std::string run_grid(const Launch& launch, unsigned os_threads) {
    // One for each OS thread, kept between launches for their stacks. The driver runs one launch at a time.
    static std::vector<std::unique_ptr<Block>> blocks;
    while (blocks.size() < os_threads) blocks.push_back(std::make_unique<Block>());

    const std::size_t total = volume(launch.grid);
    std::size_t first = 0, stride = 1;
    if (launch.seed) {  // blocks in an order that nothing may depend on
        std::uint64_t random = mixed(launch.seed);
        first = next_random(random) % total;
        do stride = next_random(random) % total + 1;
        while (std::gcd(stride, total) != 1);
    }
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::string fault;
    auto work = [&](Block& block) {
        block.prepare(launch);
        for (std::size_t i = next++; i < total && !stop; i = next++) {
            const auto position = static_cast<std::size_t>((static_cast<unsigned __int128>(i) * stride + first) % total);
            const std::string message = block.run(unravel(position, launch.grid));
            if (message.empty()) continue;
            std::lock_guard lock(mutex);
            fault = message;
            stop = true;
        }
    };
    std::vector<std::thread> workers;
    for (std::size_t i = 1; i < std::min<std::size_t>(os_threads, total); ++i)
        workers.emplace_back(work, std::ref(*blocks[i]));
    work(*blocks[0]);
    for (std::thread& worker : workers) worker.join();
    return fault;
}

}  // namespace shim
