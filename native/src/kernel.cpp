// What else is asked of rows, block after block: scores, sums with given responsibilities, a round of
// k-means.

#include "blocked.hpp"
#include "dispatch.hpp"

#include <type_traits>
#include <vector>

namespace gaussmix {
namespace {

using SumsOfRows = std::function<void(int64_t first, int64_t last, Sums &, Stop &stop)>;

// Fill `sums` with what `sums_of_rows` adds up over all rows.
bool sum_over_blocks(int64_t n_rows, int64_t k, int64_t d, int64_t scatter, const SumsOfRows &sums_of_rows,
                     Sums &sums, int n_threads, const std::function<bool()> &interrupted) {
    Blocked table(n_rows, blocks_for(n_rows, k, d, scatter), k, d, scatter);
    const BlockWork one_block = [&](int64_t block, Stop &stop) {
        sums_of_rows(table.first_of(block), table.first_of(block + 1), table.partials[size_t(block)].sums,
                     stop);
    };
    if (!do_blocks(table.n_blocks(), n_threads, one_block, interrupted))
        return false;
    copy_sums(table.added_up().sums, k, d, scatter, sums);
    return true;
}

template <typename Given> ExactSumsOfRows<Given> exact_function() {
    if constexpr (std::is_same_v<Given, float>)
        return chosen_functions().exact_sums_of_floats;
    else
        return chosen_functions().exact_sums_of_doubles;
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
