// Rows are cut into blocks, blocks go to threads, and their sums are added as a fixed tree: how
// many blocks there are depends on the shapes only, so the bits do not depend on the threads.

#include "dispatch.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gaussmix {
namespace {

// Memory for the sums of all blocks, and how many blocks there are at most and at least.
constexpr int64_t PARTIAL_DOUBLES = 2 << 20, MOST_BLOCKS = 64, LEAST_BLOCKS = 8;
// Work (rows x components x features) below which a thread costs more than it saves.
constexpr int64_t SMALL_WORK = 1 << 16;
// Squared distances of means from their centre, in standard deviations, up to which what components
// share is taken about that centre: it costs at most this factor of rounding.
constexpr double SHARED_GATE = 1e4;
constexpr std::chrono::milliseconds POLL{50};

struct Partial {
    std::vector<double> memory;
    Sums sums{};

    Partial(int64_t k, int64_t d, int64_t scatter) : memory(size_t(2 * k + k * d + scatter), 0.0) {
        sums.counts = memory.data();
        sums.squared_counts = sums.counts + k;
        sums.offsets = sums.squared_counts + k;
        sums.scatter = sums.offsets + k * d;
    }

    void add(const Partial &other) {
        sums.log_likelihood += other.sums.log_likelihood;
        sums.row_weight += other.sums.row_weight;
        for (size_t i = 0; i < memory.size(); ++i)
            memory[i] += other.memory[i];
    }
};

// Where one whitening of the rows serves all components.
struct SharedPlan {
    std::vector<double> centre;         // (D,), m; empty where it does not pay or would lose digits
    std::vector<double> whitened_means; // (K, D), P^T (mu_k - m)
};

SharedPlan shared_plan(const Components &components, int64_t d) {
    if (components.scatter != ScatterKind::pooled || components.form != FactorForm::shared)
        return {};
    const int64_t k = components.n_components;
    SharedPlan plan{std::vector<double>(size_t(d), 0.0), std::vector<double>(size_t(k * d), 0.0)};
    double total = 0.0;
    for (int64_t c = 0; c < k; ++c)
        total += std::exp(components.log_weights[c]);
    for (int64_t c = 0; c < k; ++c)
        for (int64_t i = 0; i < d; ++i)
            plan.centre[size_t(i)] +=
                std::exp(components.log_weights[c]) / total * components.means[c * d + i];
    for (int64_t c = 0; c < k; ++c) {
        double squares = 0.0;
        for (int64_t j = 0; j < d; ++j) {
            double y = 0.0;
            for (int64_t i = 0; i <= j; ++i)
                y += (components.means[c * d + i] - plan.centre[size_t(i)]) * components.factors[i * d + j];
            plan.whitened_means[size_t(c * d + j)] = y;
            squares += y * y;
        }
        if (!(squares <= SHARED_GATE))
            return {};
    }
    return plan;
}

// From the total scatter T about m to the pooled scatter about the means, with delta_k = mu_k - m:
// S = T - sum_k (s_k delta_k^T + delta_k s_k^T + N_k delta_k delta_k^T), upper triangle.
void recentre(Sums &sums, const Components &components, const std::vector<double> &centre, int64_t d) {
    for (int64_t k = 0; k < components.n_components; ++k)
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = i; j < d; ++j) {
                const double di = components.means[k * d + i] - centre[size_t(i)];
                const double dj = components.means[k * d + j] - centre[size_t(j)];
                const double *s = sums.offsets + k * d;
                sums.scatter[i * d + j] -= s[i] * dj + di * s[j] + sums.counts[k] * di * dj;
            }
}

// Kernels fill the upper triangle; the lower one mirrors it.
void mirror(double *scatter /* (n, D, D) */, int64_t n, int64_t d) {
    for (int64_t k = 0; k < n; ++k)
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < i; ++j)
                scatter[(k * d + i) * d + j] = scatter[(k * d + j) * d + i];
}

// Threads that take block after block until none is left.
class Workers {
  public:
    Workers(int64_t blocks, int n_threads,
            const std::function<void(int64_t, const std::atomic<bool> &)> &on_block)
        : n_blocks(blocks), work(on_block) {
        for (int i = 0; i < n_threads; ++i)
            threads.emplace_back([this] { run(); });
    }

    // Wait until all is done, asking `interrupted` from this thread now and then.
    bool wait(const std::function<bool()> &interrupted) {
        std::unique_lock lock(mutex);
        while (!finished.wait_for(lock, POLL, [this] { return ended == int(threads.size()); })) {
            lock.unlock();
            if (interrupted())
                stop = true;
            lock.lock();
        }
        lock.unlock();
        for (std::thread &thread : threads)
            thread.join();
        threads.clear();
        if (error)
            std::rethrow_exception(error);
        return !stop;
    }

  private:
    void run() {
        try {
            for (int64_t block; !stop && (block = next++) < n_blocks;)
                work(block, stop);
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
            stop = true;
        }
        const std::lock_guard lock(mutex);
        ++ended;
        finished.notify_one();
    }

    const int64_t n_blocks;
    const std::function<void(int64_t, const std::atomic<bool> &)> &work;
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable finished;
    int ended = 0;
    std::exception_ptr error;
    std::vector<std::thread> threads;
};

} // namespace

int64_t scatter_size(ScatterKind kind, int64_t n_components, int64_t n_features) {
    switch (kind) {
    case ScatterKind::full: return n_components * n_features * n_features;
    case ScatterKind::pooled: return n_features * n_features;
    case ScatterKind::diagonal: return n_components * n_features;
    case ScatterKind::trace: return n_components;
    }
    return 0;
}

template <typename Real>
bool expected_sums(const Rows<Real> &rows, const Components &given, Sums &sums, int n_threads,
                   const std::function<bool()> &interrupted) {
    const int64_t k = given.n_components, d = rows.n_features;
    const int64_t scatter = scatter_size(given.scatter, k, d);
    Components components = given;
    const SharedPlan plan = shared_plan(given, d);
    if (!plan.centre.empty()) {
        components.shared_centre = plan.centre.data();
        components.whitened_means = plan.whitened_means.data();
    }

    const int64_t work = rows.n_rows * k * d;
    const int64_t by_memory = PARTIAL_DOUBLES / (2 * k + k * d + scatter);
    const int64_t by_work = std::max<int64_t>(work / SMALL_WORK, 1);
    const int64_t n_blocks = std::min(std::clamp(by_memory, LEAST_BLOCKS, MOST_BLOCKS), by_work);
    std::vector<Partial> partials;
    partials.reserve(size_t(n_blocks));
    for (int64_t block = 0; block < n_blocks; ++block)
        partials.emplace_back(k, d, scatter);

    const BlockSums<Real> block_sums = chosen_functions<Real>().sums;
    const std::function<void(int64_t, const std::atomic<bool> &)> one_block =
        [&](int64_t block, const std::atomic<bool> &stop) {
            const int64_t first = rows.n_rows * block / n_blocks, last = rows.n_rows * (block + 1) / n_blocks;
            block_sums(rows, components, first, last, partials[size_t(block)].sums, stop);
        };
    if (n_blocks == 1) {
        one_block(0, std::atomic<bool>{false});
    } else {
        const int useful = int(std::min<int64_t>(std::max(n_threads, 1), n_blocks));
        if (!Workers(n_blocks, useful, one_block).wait(interrupted))
            return false;
    }
    for (int64_t stride = 1; stride < n_blocks; stride *= 2)
        for (int64_t block = 0; block + stride < n_blocks; block += 2 * stride)
            partials[size_t(block)].add(partials[size_t(block + stride)]);

    Sums &total = partials[0].sums;
    if (components.shared_centre != nullptr)
        recentre(total, components, plan.centre, d);
    if (given.scatter == ScatterKind::full)
        mirror(total.scatter, k, d);
    if (given.scatter == ScatterKind::pooled)
        mirror(total.scatter, 1, d);
    sums.log_likelihood = total.log_likelihood;
    sums.row_weight = total.row_weight;
    std::copy_n(total.counts, k, sums.counts);
    std::copy_n(total.squared_counts, k, sums.squared_counts);
    std::copy_n(total.offsets, k * d, sums.offsets);
    std::copy_n(total.scatter, scatter, sums.scatter);
    return true;
}

template bool expected_sums(const Rows<double> &, const Components &, Sums &, int,
                            const std::function<bool()> &);
template bool expected_sums(const Rows<float> &, const Components &, Sums &, int,
                            const std::function<bool()> &);

template <typename Real>
bool score_rows(const Rows<Real> &rows, const Components &components, const Scores &scores, int n_threads,
                const std::function<bool()> &interrupted) {
    const int64_t work = rows.n_rows * components.n_components * rows.n_features;
    const int64_t n_blocks = std::clamp<int64_t>(work / SMALL_WORK, 1, MOST_BLOCKS);
    const BlockScores<Real> block_scores = chosen_functions<Real>().scores;
    const std::function<void(int64_t, const std::atomic<bool> &)> one_block =
        [&](int64_t block, const std::atomic<bool> &stop) {
            const int64_t first = rows.n_rows * block / n_blocks;
            const int64_t last = rows.n_rows * (block + 1) / n_blocks;
            block_scores(rows, components, first, last, scores, stop);
        };
    if (n_blocks == 1) {
        one_block(0, std::atomic<bool>{false});
        return true;
    }
    const int useful = int(std::min<int64_t>(std::max(n_threads, 1), n_blocks));
    return Workers(n_blocks, useful, one_block).wait(interrupted);
}

template bool score_rows(const Rows<double> &, const Components &, const Scores &, int,
                         const std::function<bool()> &);
template bool score_rows(const Rows<float> &, const Components &, const Scores &, int,
                         const std::function<bool()> &);

} // namespace gaussmix
