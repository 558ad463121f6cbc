// One fused pass over a tile of rows that stays in cache: distances, log-sum-exp, responsibilities
// and moments. Compiled once for each instruction set.

#include "block.hpp"
#include "distances.hpp"
#include "moments.hpp"

namespace gaussmix::GAUSSMIX_ISA {
namespace {

// shares[k][t] becomes w_t r_kt; adds the log-likelihood, the row weight, N_k and sum r^2 / w.
template <typename Real> void normalise(Tile<Real> &tile, int64_t n_components, Sums &sums) {
    constexpr int lanes = LANES<Real>;
    double log_likelihood = 0.0;
    Vec<Real> row_weight = {};
    for (int64_t t = 0; t < tile.size; t += lanes) {
        Real *column = &tile.shares[t];
        Vec<Real> largest = load(column);
        for (int64_t k = 1; k < n_components; ++k)
            largest = larger(largest, load(column + k * tile.size));
        Vec<Real> total = {};
        for (int64_t k = 0; k < n_components; ++k) {
            const Vec<Real> share = exp_nonpositive(load(column + k * tile.size) - largest);
            total += share;
            store(column + k * tile.size, share);
        }
        const Vec<Real> weight = load(&tile.weights[t]);
        row_weight += weight;
        log_likelihood += lane_sum<Real>(weight * (largest + log_at_least_one(total)));
        store(&tile.totals[t], Real(1) / total);
    }
    sums.log_likelihood += log_likelihood;
    sums.row_weight += lane_sum<Real>(row_weight);
    for (int64_t k = 0; k < n_components; ++k) {
        Vec<Real> count = {}, squared = {};
        Real *shares = &tile.shares[k * tile.size];
        for (int64_t t = 0; t < tile.size; t += lanes) {
            const Vec<Real> share = load(shares + t) * load(&tile.totals[t]);
            const Vec<Real> weighted = share * load(&tile.weights[t]);
            count += weighted;
            squared += weighted * share;
            store(shares + t, weighted);
        }
        sums.counts[k] += lane_sum<Real>(count);
        sums.squared_counts[k] += lane_sum<Real>(squared);
    }
}

// Labels, responsibilities and log densities of the first `count` rows of a tile that holds log
// densities by component.
void write_scores(Tile<double> &tile, int64_t k, int64_t row, int64_t count, const Scores &scores) {
    constexpr int lanes = LANES<double>;
    for (int64_t t = 0; t < count; t += lanes) {
        double *column = &tile.shares[t];
        Vec<double> largest = load(column), label = {}, total = {};
        for (int64_t c = 1; c < k; ++c) {
            const Vec<double> value = load(column + c * tile.size);
            label = value > largest ? broadcast(double(c)) : label;
            largest = larger(largest, value);
        }
        if (scores.shares != nullptr || scores.log_densities != nullptr)
            for (int64_t c = 0; c < k; ++c) {
                const Vec<double> share = exp_nonpositive(load(column + c * tile.size) - largest);
                total += share;
                store(column + c * tile.size, share);
            }
        double labels[lanes], log_densities[lanes], totals[lanes];
        store(labels, label);
        store(totals, total);
        if (scores.log_densities != nullptr)
            store(log_densities, largest + log_at_least_one(total));
        for (int64_t lane = 0; lane < std::min<int64_t>(lanes, count - t); ++lane) {
            const int64_t i = row + t + lane;
            if (scores.labels != nullptr)
                scores.labels[i] = int32_t(labels[lane]);
            if (scores.log_densities != nullptr)
                scores.log_densities[i] = log_densities[lane];
            if (scores.shares != nullptr)
                for (int64_t c = 0; c < k; ++c)
                    scores.shares[i * k + c] = column[c * tile.size + lane] / totals[lane];
        }
    }
}

template <typename Real> Tile<Real> tile_for(const Prepared<Real> &mixture) {
    const int64_t d = mixture.n_features, k = mixture.n_components;
    return {tile_rows<Real>(d, k), d, k, mixture.form == FactorForm::isotropic};
}

template <typename Real, typename Given>
void block_sums(const Rows<Given> &rows, const Prepared<Real> &mixture, int64_t first, int64_t last,
                Sums &sums, const std::atomic<bool> &stop) {
    Tile<Real> tile = tile_for(mixture);
    for (int64_t row = first; row < last && !stop.load(std::memory_order_relaxed); row += tile.size) {
        fill(tile, rows, row, std::min(tile.size, last - row), mixture.centre.data());
        fetch_ahead(rows, row + tile.size, std::min(tile.size, last - row - tile.size));
        log_densities(tile, mixture);
        normalise(tile, mixture.n_components, sums);
        add_moments(tile, mixture, sums);
    }
}

template <typename Given>
void block_scores(const Rows<Given> &rows, const Prepared<double> &mixture, int64_t first, int64_t last,
                  const Scores &scores, const std::atomic<bool> &stop) {
    Tile<double> tile = tile_for(mixture);
    for (int64_t row = first; row < last && !stop.load(std::memory_order_relaxed); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count, mixture.centre.data());
        log_densities(tile, mixture);
        write_scores(tile, mixture.n_components, row, count, scores);
    }
}

} // namespace

BlockFunctions block_functions() {
    return {block_sums<double, double>, block_sums<double, float>, block_sums<float, float>,
            block_scores<double>, block_scores<float>};
}

} // namespace gaussmix::GAUSSMIX_ISA
