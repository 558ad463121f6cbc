// Rows are cut into blocks, blocks go to threads, and their sums are added as a fixed tree: how
// many blocks there are depends on the shapes only, so the bits do not depend on the threads.

#include "dispatch.hpp"
#include "sums.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace gaussmix {
namespace {

// Memory for the sums of all blocks, and how many blocks there are at most and at least.
constexpr int64_t PARTIAL_DOUBLES = 2 << 20, MOST_BLOCKS = 64, LEAST_BLOCKS = 8;
// Work (rows x components x features) below which a thread costs more than it saves.
constexpr int64_t SMALL_WORK = 1 << 16;

// Work, rows x components x (features + 2)^2, up to which sums are taken in twice the digits: less
// than half a millisecond.
constexpr int64_t EXACT_WORK = 1 << 18;

bool few_rows(int64_t n_rows, int64_t k, int64_t d) {
    return n_rows * k * (d + 2) * (d + 2) <= EXACT_WORK;
}

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

// What blocks summed about a common centre m, about the means instead. With delta_k = mu_k - m and
// t_k = sum_i r_ik (x_i - m): s_k = t_k - N_k delta_k, and from the total scatter T the pooled one,
// S = T - sum_k (t_k delta_k^T + delta_k t_k^T - N_k delta_k delta_k^T), upper triangle; likewise a diagonal
// scatter component by component.
template <typename Real>
void recentre(Sums &sums, const Prepared<Real> &mixture, const Components &components) {
    const int64_t d = mixture.n_features;
    std::vector<double> delta(static_cast<size_t>(d));
    for (int64_t k = 0; k < mixture.n_components; ++k) {
        double *t = sums.offsets + k * d;
        const double count = sums.counts[k];
        for (int64_t i = 0; i < d; ++i)
            delta[size_t(i)] = components.means[k * d + i] - mixture.centre[size_t(i)];
        if (mixture.whitened)
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = i; j < d; ++j)
                    sums.scatter[i * d + j] -= t[i] * delta[size_t(j)] + delta[size_t(i)] * t[j] -
                                               count * delta[size_t(i)] * delta[size_t(j)];
        if (mixture.scatter == ScatterKind::diagonal)
            for (int64_t i = 0; i < d; ++i)
                sums.scatter[k * d + i] -= (2.0 * t[i] - count * delta[size_t(i)]) * delta[size_t(i)];
        for (int64_t i = 0; i < d; ++i)
            t[i] -= count * delta[size_t(i)];
    }
}

// Kernels fill the upper triangle; the lower one mirrors it.
void mirror(double *scatter /* (n, D, D) */, int64_t n, int64_t d) {
    for (int64_t k = 0; k < n; ++k)
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < i; ++j)
                scatter[(k * d + i) * d + j] = scatter[(k * d + j) * d + i];
}

using SumsOfRows = std::function<void(int64_t first, int64_t last, Sums &, Stop &stop)>;

// Fill `sums` with what `sums_of_rows` adds up over all rows.
bool sum_over_blocks(int64_t n_rows, int64_t k, int64_t d, int64_t scatter, const SumsOfRows &sums_of_rows,
                     Sums &sums, int n_threads, const std::function<bool()> &interrupted) {
    const int64_t by_memory = PARTIAL_DOUBLES / (2 * k + k * d + scatter);
    const int64_t by_work = std::max<int64_t>(n_rows * k * d / SMALL_WORK, 1);
    const int64_t n_blocks = std::min(std::clamp(by_memory, LEAST_BLOCKS, MOST_BLOCKS), by_work);
    std::vector<Partial> partials;
    partials.reserve(size_t(n_blocks));
    for (int64_t block = 0; block < n_blocks; ++block)
        partials.emplace_back(k, d, scatter);

    const BlockWork one_block = [&](int64_t block, Stop &stop) {
        sums_of_rows(n_rows * block / n_blocks, n_rows * (block + 1) / n_blocks, partials[size_t(block)].sums,
                     stop);
    };
    if (!do_blocks(n_blocks, n_threads, one_block, interrupted))
        return false;
    for (int64_t stride = 1; stride < n_blocks; stride *= 2)
        for (int64_t block = 0; block + stride < n_blocks; block += 2 * stride)
            partials[size_t(block)].add(partials[size_t(block + stride)]);

    const Sums &total = partials[0].sums;
    sums.log_likelihood = total.log_likelihood;
    sums.row_weight = total.row_weight;
    std::copy_n(total.counts, k, sums.counts);
    std::copy_n(total.squared_counts, k, sums.squared_counts);
    std::copy_n(total.offsets, k * d, sums.offsets);
    std::copy_n(total.scatter, scatter, sums.scatter);
    return true;
}

void mirror(Sums &sums, ScatterKind kind, int64_t k, int64_t d) {
    if (kind == ScatterKind::full)
        mirror(sums.scatter, k, d);
    if (kind == ScatterKind::pooled)
        mirror(sums.scatter, 1, d);
}

template <typename Given> ExactSumsOfRows<Given> exact_function() {
    if constexpr (std::is_same_v<Given, float>)
        return chosen_functions().exact_sums_of_floats;
    else
        return chosen_functions().exact_sums_of_doubles;
}

// Finish sums that blocks have added up.
template <typename Real>
void completed(Sums &sums, const Prepared<Real> &mixture, const Components &components) {
    if (mixture.about_centre)
        recentre(sums, mixture, components);
    mirror(sums, components.scatter, mixture.n_components, mixture.n_features);
}

template <typename Real, typename Given>
bool sums_in(const Rows<Given> &rows, const Components &components, BlockSums<Real, Given> block_sums,
             Sums &sums, int n_threads, const std::function<bool()> &interrupted) {
    const int64_t k = components.n_components, d = rows.n_features;
    const Prepared<Real> mixture = prepare<Real>(components, d);
    if constexpr (std::is_same_v<Real, double>)
        if (few_rows(rows.n_rows, k, d)) {
            exact_function<Given>()(rows, mixture, false, nullptr, sums);
            mirror(sums, components.scatter, k, d);
            return true;
        }
    const SumsOfRows of_rows = [&](int64_t first, int64_t last, Sums &partial, Stop &stop) {
        block_sums(rows, mixture, first, last, partial, stop);
    };
    if (!sum_over_blocks(rows.n_rows, k, d, scatter_size(components.scatter, k, d), of_rows, sums, n_threads,
                         interrupted))
        return false;
    completed(sums, mixture, components);
    return true;
}

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

int64_t factor_size(FactorForm form, int64_t n_components, int64_t n_features) {
    switch (form) {
    case FactorForm::full: return n_components * n_features * n_features;
    case FactorForm::shared: return n_features * n_features;
    case FactorForm::diagonal: return n_components * n_features;
    case FactorForm::isotropic: return n_components;
    }
    return 0;
}

template <typename Given>
bool expected_sums(const Rows<Given> &rows, const Components &components, Sums &sums, Arithmetic arithmetic,
                   int n_threads, const std::function<bool()> &interrupted) {
    const BlockFunctions &functions = chosen_functions();
    if constexpr (std::is_same_v<Given, double>)
        return sums_in(rows, components, functions.sums_of_doubles, sums, n_threads, interrupted);
    else if (arithmetic == Arithmetic::single)
        return sums_in(rows, components, functions.quick_sums_of_floats, sums, n_threads, interrupted);
    else
        return sums_in(rows, components, functions.sums_of_floats, sums, n_threads, interrupted);
}

template bool expected_sums(const Rows<double> &, const Components &, Sums &, Arithmetic, int,
                            const std::function<bool()> &);
template bool expected_sums(const Rows<float> &, const Components &, Sums &, Arithmetic, int,
                            const std::function<bool()> &);

void sums_on_this_thread(const Rows<double> &rows, const Components &components, Sums &sums, Stop &stop) {
    const Prepared<double> mixture = prepare<double>(components, rows.n_features);
    chosen_functions().sums_of_doubles(rows, mixture, 0, rows.n_rows, sums, stop);
    completed(sums, mixture, components);
}

template <typename Given>
bool score_rows(const Rows<Given> &rows, const Components &components, const Scores &scores, int n_threads,
                const std::function<bool()> &interrupted) {
    const int64_t work = rows.n_rows * components.n_components * rows.n_features;
    const int64_t n_blocks = std::clamp<int64_t>(work / SMALL_WORK, 1, MOST_BLOCKS);
    const Prepared<double> mixture = prepare<double>(components, rows.n_features);
    BlockScores<Given> block_scores;
    if constexpr (std::is_same_v<Given, float>)
        block_scores = chosen_functions().scores_of_floats;
    else
        block_scores = chosen_functions().scores_of_doubles;
    const BlockWork one_block = [&](int64_t block, Stop &stop) {
        const int64_t first = rows.n_rows * block / n_blocks;
        const int64_t last = rows.n_rows * (block + 1) / n_blocks;
        block_scores(rows, mixture, first, last, scores, stop);
    };
    return do_blocks(n_blocks, n_threads, one_block, interrupted);
}

template bool score_rows(const Rows<double> &, const Components &, const Scores &, int,
                         const std::function<bool()> &);
template bool score_rows(const Rows<float> &, const Components &, const Scores &, int,
                         const std::function<bool()> &);

template <typename Given>
bool given_sums(const Rows<Given> &rows, const double *responsibilities, const double *centres,
                int64_t n_components, ScatterKind scatter, Sums &sums, int n_threads,
                const std::function<bool()> &interrupted) {
    const int64_t k = n_components, d = rows.n_features;
    const Prepared<double> about = only_centres(centres, k, d, scatter);
    if (few_rows(rows.n_rows, k, d)) {
        exact_function<Given>()(rows, about, true, responsibilities, sums);
        mirror(sums, scatter, k, d);
        return true;
    }
    BlockGivenSums<Given> block_sums;
    if constexpr (std::is_same_v<Given, float>)
        block_sums = chosen_functions().given_sums_of_floats;
    else
        block_sums = chosen_functions().given_sums_of_doubles;
    const SumsOfRows of_rows = [&](int64_t first, int64_t last, Sums &partial, Stop &stop) {
        block_sums(rows, responsibilities, about, first, last, partial, stop);
    };
    if (!sum_over_blocks(rows.n_rows, k, d, scatter_size(scatter, k, d), of_rows, sums, n_threads,
                         interrupted))
        return false;
    mirror(sums, scatter, k, d);
    return true;
}

template bool given_sums(const Rows<double> &, const double *, const double *, int64_t, ScatterKind, Sums &,
                         int, const std::function<bool()> &);
template bool given_sums(const Rows<float> &, const double *, const double *, int64_t, ScatterKind, Sums &,
                         int, const std::function<bool()> &);

bool nearest_centres(const Rows<double> &rows, const double *centres, int64_t n_centres,
                     const Nearest &nearest, int n_threads, const std::function<bool()> &interrupted) {
    const int64_t k = n_centres, d = rows.n_features;
    const Prepared<double> about = only_centres(centres, k, d, ScatterKind::trace);
    const SumsOfRows of_rows = [&](int64_t first, int64_t last, Sums &partial, Stop &stop) {
        const Nearest part{nearest.labels, nearest.distances, partial.counts, partial.offsets};
        chosen_functions().nearest(rows, about, first, last, part, stop);
    };
    std::vector<double> unused(static_cast<size_t>(k));
    Sums sums{0.0, 0.0, nearest.counts, unused.data(), nearest.offsets, nullptr};
    return sum_over_blocks(rows.n_rows, k, d, 0, of_rows, sums, n_threads, interrupted);
}

void place_rows(double *rows, int64_t n_rows, int64_t n_features, const double *mean, const double *root,
                int n_threads) {
    const int64_t n_blocks = std::clamp<int64_t>(n_rows * n_features / SMALL_WORK, 1, MOST_BLOCKS);
    const BlockWork one_block = [&](int64_t block, Stop &) {
        chosen_functions().place(rows, n_features, mean, root, n_rows * block / n_blocks,
                                 n_rows * (block + 1) / n_blocks);
    };
    do_blocks(n_blocks, n_threads, one_block, [] { return false; });
}

} // namespace gaussmix
