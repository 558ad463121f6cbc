// One fused pass over a tile of rows that stays in cache: distances, log-sum-exp, responsibilities
// and moments. Compiled once for each instruction set.

#include "block.hpp"
#include "distances.hpp"
#include "exact.hpp"
#include "moments.hpp"
#include "responsibilities.hpp"

namespace gaussmix::GAUSSMIX_ISA {
namespace {

// Labels, responsibilities and log densities of the first `count` rows of a tile that holds log
// densities by component; what follows of distances, if they are not null.
void write_scores(Tile<double> &tile, const Prepared<double> &mixture, int64_t row, int64_t count,
                  const double *distances /* (K, tile) */, const Scores &scores) {
    constexpr int lanes = LANES<double>;
    const int64_t k = mixture.n_components;
    const bool background = mixture.has_background();
    for (int64_t t = 0; t < count; t += lanes) {
        double *column = &tile.shares[t];
        Vec<double> largest = load(column), label = {}, total = {};
        for (int64_t c = 1; c < k; ++c) {
            const Vec<double> value = load(column + c * tile.size);
            label = value > largest ? broadcast(double(c)) : label;
            largest = larger(largest, value);
        }
        if (background) {
            const Vec<double> value = broadcast(mixture.log_background);
            label = value > largest ? broadcast(-1.0) : label; // a component as likely keeps the row
            largest = larger(largest, value);
            total = exp_nonpositive(value - largest);
        }
        if (scores.shares != nullptr || scores.log_densities != nullptr || scores.largest != nullptr)
            for (int64_t c = 0; c < k; ++c) {
                const Vec<double> share = exp_nonpositive(load(column + c * tile.size) - largest);
                total += share;
                store(column + c * tile.size, share);
            }
        double labels[lanes], log_densities[lanes], totals[lanes], nearests[lanes], fourths[lanes];
        store(labels, label);
        store(totals, total);
        if (distances != nullptr) {
            Vec<double> nearest = load(distances + t), fourth = {};
            for (int64_t c = 0; c < k; ++c) {
                const Vec<double> distance = load(distances + c * tile.size + t);
                nearest = smaller(nearest, distance);
                const Vec<double> bounded = smaller(distance, broadcast(1e100)); // whose square is finite
                fourth += load(column + c * tile.size) * bounded * bounded;
            }
            store(nearests, nearest);
            store(fourths, fourth / total);
        }
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
            if (scores.largest != nullptr)
                scores.largest[i] = 1.0 / totals[lane]; // the largest term is exp(0)
            if (distances != nullptr) {
                scores.nearest[i] = nearests[lane];
                scores.fourths[i] = fourths[lane];
            }
        }
    }
}

// Squared distances of the first `count` rows of a tile that holds -1/2 of them, for each row or by
// component, where they are asked for; adds the constants that make log densities of them.
void write_distances(Tile<double> &tile, const std::vector<double> &constants, int64_t row, int64_t count,
                     double *distances /* (N, K) */, double *by_component /* (K, tile) */) {
    const int64_t k = int64_t(constants.size());
    for (int64_t c = 0; c < k; ++c) {
        double *column = &tile.shares[c * tile.size];
        if (distances != nullptr)
            for (int64_t t = 0; t < count; ++t)
                distances[(row + t) * k + c] = -2.0 * column[t];
        if (by_component != nullptr)
            for (int64_t t = 0; t < tile.size; ++t)
                by_component[c * tile.size + t] = -2.0 * column[t];
        for (int64_t t = 0; t < tile.size; ++t)
            column[t] += constants[size_t(c)];
    }
}

// No larger than so many rows fill.
template <typename Real> Tile<Real> tile_for(const Prepared<Real> &mixture, int64_t n_rows) {
    const int64_t d = mixture.n_features, k = mixture.n_components;
    const int64_t filled = (std::max<int64_t>(n_rows, 1) + GROUP<Real> - 1) / GROUP<Real> * GROUP<Real>;
    return {std::min(tile_rows<Real>(d, k), filled), d, k, mixture.form == FactorForm::isotropic};
}

template <typename Real, typename Given>
void block_sums(const Rows<Given> &rows, const Prepared<Real> &mixture, int64_t first, int64_t last,
                Sums &sums, Stop &stop) {
    Tile<Real> tile = tile_for(mixture, last - first);
    for (int64_t row = first; row < last && !stop.requested(); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count, mixture.centre.data());
        fetch_ahead(rows, row + tile.size, std::min(tile.size, last - row - tile.size));
        log_densities(tile, mixture);
        share_out(tile, mixture, rows.weights == nullptr && count == tile.size, sums);
        add_moments(tile, mixture, sums);
    }
}

template <typename Given>
void block_scores(const Rows<Given> &rows, const Prepared<double> &mixture, int64_t first, int64_t last,
                  const Scores &scores, Stop &stop) {
    Tile<double> tile = tile_for(mixture, last - first);
    Prepared<double> bare = mixture;
    const bool apart = scores.distances != nullptr || scores.nearest != nullptr;
    if (apart)
        std::fill(bare.constants.begin(), bare.constants.end(), 0.0);
    std::vector<double> kept(scores.nearest == nullptr ? 0 : size_t(mixture.n_components * tile.size));
    double *by_component = scores.nearest == nullptr ? nullptr : kept.data();
    for (int64_t row = first; row < last && !stop.requested(); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count, mixture.centre.data());
        fetch_ahead(rows, row + tile.size, std::min(tile.size, last - row - tile.size));
        log_densities(tile, bare);
        if (apart)
            write_distances(tile, mixture.constants, row, count, scores.distances, by_component);
        write_scores(tile, mixture, row, count, by_component, scores);
    }
}

template <typename Given>
void block_given_sums(const Rows<Given> &rows, const double *responsibilities,
                      const Prepared<double> &centres, int64_t first, int64_t last, Sums &sums, Stop &stop) {
    const int64_t k = centres.n_components;
    Tile<double> tile = tile_for(centres, last - first);
    for (int64_t row = first; row < last && !stop.requested(); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count, centres.centre.data());
        take_shares(tile, responsibilities == nullptr ? nullptr : responsibilities + row * k, k, count, sums);
        add_moments(tile, centres, sums);
    }
}

// The sums of a mixture's responsibilities, or of given ones, all rows at once.
template <typename Given>
void exact_sums(const Rows<Given> &rows, const Prepared<double> &mixture, bool given,
                const double *responsibilities, Sums &sums) {
    const ExactLayout at{mixture.n_components, mixture.n_features};
    const int64_t scatter = scatter_size(mixture.scatter, at.k, at.d);
    ExactSums exact(at.scatter + scatter);
    Tile<double> tile = tile_for(mixture, rows.n_rows);
    std::vector<double> ignored(size_t(2 * at.k)), weights(size_t(tile.size));
    for (int64_t row = 0; row < rows.n_rows; row += tile.size) {
        const int64_t count = std::min(tile.size, rows.n_rows - row);
        fill(tile, rows, row, count, mixture.centre.data());
        std::copy_n(tile.weights, tile.size, weights.data());
        std::fill_n(tile.weights, tile.size, 1.0);
        Sums unweighted{0.0, 0.0, ignored.data(), ignored.data() + at.k, nullptr, nullptr};
        if (given) {
            take_shares(tile, responsibilities == nullptr ? nullptr : responsibilities + row * at.k, at.k,
                        count, unweighted);
        } else {
            log_densities(tile, mixture);
            share_out(tile, mixture, false, unweighted);
        }
        add_tile(exact, at, tile, mixture, weights.data(), count);
    }
    sums.log_likelihood = exact.value(0);
    sums.row_weight = exact.value(1);
    for (int64_t i = 0; i < at.k; ++i) {
        sums.counts[i] = exact.value(at.counts + i);
        sums.squared_counts[i] = exact.value(at.squared + i);
    }
    for (int64_t i = 0; i < at.k * at.d; ++i)
        sums.offsets[i] = exact.value(at.offsets + i);
    for (int64_t i = 0; i < scatter; ++i)
        sums.scatter[i] = exact.value(at.scatter + i);
}

void block_nearest(const Rows<double> &rows, const Prepared<double> &centres, int64_t first, int64_t last,
                   const Nearest &nearest, Stop &stop) {
    const int64_t k = centres.n_components, d = rows.n_features;
    Tile<double> tile = tile_for(centres, last - first);
    for (int64_t row = first; row < last && !stop.requested(); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count, centres.centre.data());
        log_densities(tile, centres);
        for (int64_t t = 0; t < count; ++t) {
            int64_t best = 0;
            for (int64_t c = 1; c < k; ++c)
                if (tile.distances[c * tile.size + t] < tile.distances[best * tile.size + t])
                    best = c;
            if (nearest.labels != nullptr)
                nearest.labels[row + t] = int32_t(best);
            if (nearest.distances != nullptr)
                nearest.distances[row + t] = tile.distances[best * tile.size + t];
            nearest.counts[best] += tile.weights[t];
            for (int64_t i = 0; i < d; ++i)
                nearest.offsets[best * d + i] +=
                    tile.weights[t] * (tile.x[i * tile.size + t] - centres.means[size_t(best * d + i)]);
        }
    }
}

void block_place(double *rows, int64_t d, const double *mean, const double *root, int64_t first,
                 int64_t last) {
    std::vector<double> placed(static_cast<size_t>(d));
    for (int64_t row = first; row < last; ++row) {
        double *z = rows + row * d;
        std::copy_n(mean, d, placed.data());
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = i; j < d; ++j)
                placed[size_t(j)] += z[i] * root[i * d + j];
        std::copy_n(placed.data(), d, z);
    }
}

} // namespace

BlockFunctions block_functions() {
    return {block_sums<double, double>,
            block_sums<double, float>,
            block_sums<float, float>,
            block_scores<double>,
            block_scores<float>,
            block_given_sums<double>,
            block_given_sums<float>,
            block_nearest,
            exact_sums<double>,
            exact_sums<float>,
            block_place};
}

} // namespace gaussmix::GAUSSMIX_ISA
