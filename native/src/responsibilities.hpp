// From log densities to responsibilities, and what is added up on the way.
#pragma once

#include "gaussmix/kernel.hpp"
#include "prepared.hpp"
#include "tile.hpp"

#include <limits>

namespace gaussmix::GAUSSMIX_ISA {

// For the row vector at `t`: shares[k] becomes exp(shares[k] - largest) for all k, and their sum comes back.
// A background, where there is one, counts among the largest and in the sum.
template <bool Background, typename Real>
inline Vec<Real> exponentiate(Tile<Real> &tile, const Prepared<Real> &mixture, int64_t t,
                              Vec<Real> &largest) {
    const int64_t n_components = mixture.n_components;
    Real *column = &tile.shares[t];
    largest = load(column);
    for (int64_t k = 1; k < n_components; ++k)
        largest = larger(largest, load(column + k * tile.size));
    Vec<Real> total = {};
    if constexpr (Background) {
        const Vec<Real> background = broadcast(mixture.log_background);
        largest = larger(largest, background);
        total = exp_nonpositive(background - largest);
    }
    for (int64_t k = 0; k < n_components; ++k) {
        const Vec<Real> share = exp_nonpositive(load(column + k * tile.size) - largest);
        total += share;
        store(column + k * tile.size, share);
    }
    return total;
}

// shares[k][t] from log densities to w_t r_kt; adds the log-likelihood, the row weight, N_k and sum r^2 / w.
template <bool Background, typename Real>
void normalise(Tile<Real> &tile, const Prepared<Real> &mixture, Sums &sums) {
    constexpr int lanes = LANES<Real>;
    const int64_t n_components = mixture.n_components;
    Vec<Real> row_weight = {}, largest;
    for (int64_t t = 0; t < tile.size; t += lanes) {
        const Vec<Real> total = exponentiate<Background>(tile, mixture, t, largest);
        const Vec<Real> weight = load(&tile.weights[t]), evidence = largest + log_at_least_one(total);
        row_weight += weight;
        sums.log_likelihood += lane_sum<Real>(weight * evidence);
        store(&tile.evidence[t], evidence);
        store(&tile.totals[t], Real(1) / total);
    }
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

// The same for a full tile of rows that count once each. A sum of logarithms is the logarithm of a product:
// totals lie between 1 and K, or K + 1 with a background, so that many of them can be multiplied before one
// logarithm is taken.
template <bool Background, typename Real>
void normalise_unweighted(Tile<Real> &tile, const Prepared<Real> &mixture, Sums &sums) {
    constexpr int lanes = LANES<Real>;
    const int64_t n_components = mixture.n_components;
    const Real most = Real(n_components + Background), safe = std::numeric_limits<Real>::max() / most;
    Vec<Real> product = broadcast(Real(1)), heights = {}, largest;
    Real bound = Real(1);
    for (int64_t t = 0; t < tile.size; t += lanes) {
        const Vec<Real> total = exponentiate<Background>(tile, mixture, t, largest);
        heights += largest;
        if (bound >= safe) {
            heights += log_at_least_one(product);
            product = broadcast(bound = Real(1));
        }
        product *= total;
        bound *= most * Real(1.0001); // a sum of K rounded exponentials may pass K a little
        store(&tile.totals[t], Real(1) / total);
    }
    sums.log_likelihood += lane_sum<Real>(heights + log_at_least_one(product));
    sums.row_weight += double(tile.size);
    for (int64_t k = 0; k < n_components; ++k) {
        Vec<Real> count = {}, squared = {};
        Real *shares = &tile.shares[k * tile.size];
        for (int64_t t = 0; t < tile.size; t += lanes) {
            const Vec<Real> share = load(shares + t) * load(&tile.totals[t]);
            count += share;
            squared += share * share;
            store(shares + t, share);
        }
        sums.counts[k] += lane_sum<Real>(count);
        sums.squared_counts[k] += lane_sum<Real>(squared);
    }
}

// values[i][t] = 0 for all rows t that no component holds anything of.
template <typename Real>
void clear_rows_not_held(const Tile<Real> &tile, Real *values /* (n, T) */, int64_t n) {
    for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
        const Vec<Real> held = load(&tile.weights[t]);
        for (int64_t i = 0; i < n; ++i) {
            Real *at = values + i * tile.size + t;
            store(at, held > Real(0) ? load(at) : Vec<Real>{});
        }
    }
}

// What the components hold of each row takes the place of its weight. A row that the background takes whole
// is put at the centre: it adds nothing anywhere, and far out its squares would be infinite, of which no
// share is 0.
template <typename Real> void leave_background_out(Tile<Real> &tile, const Prepared<Real> &mixture) {
    Vec<Real> least = broadcast(std::numeric_limits<Real>::max());
    for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
        Vec<Real> held = {};
        for (int64_t k = 0; k < mixture.n_components; ++k)
            held += load(&tile.shares[k * tile.size + t]);
        least = smaller(least, held);
        store(&tile.weights[t], held);
    }
    Real lanes[LANES<Real>];
    store(lanes, least);
    if (*std::min_element(lanes, lanes + LANES<Real>) > Real(0))
        return;
    clear_rows_not_held(tile, tile.x, tile.d);
    if (mixture.form == FactorForm::isotropic)
        clear_rows_not_held(tile, tile.distances, mixture.n_components);
}

// shares[k][t] from log densities to w_t r_kt, and what is added up on the way; `once` for a full tile of
// rows that count once each.
template <typename Real>
void share_out(Tile<Real> &tile, const Prepared<Real> &mixture, bool once, Sums &sums) {
    if (!mixture.has_background())
        return once ? normalise_unweighted<false>(tile, mixture, sums)
                    : normalise<false>(tile, mixture, sums);
    if (once)
        normalise_unweighted<true>(tile, mixture, sums);
    else
        normalise<true>(tile, mixture, sums);
    leave_background_out(tile, mixture);
}

// The responsibility of component c of K for row t; 1 where none are given.
inline double given_share(const double *responsibilities /* (count, K), or null */, int64_t k, int64_t t,
                          int64_t c) {
    return responsibilities == nullptr ? 1.0 : responsibilities[t * k + c];
}

// shares[k][t] = w_t r_tk of given responsibilities; adds the row weight, N_k and sum r^2 / w.
inline void take_shares(Tile<double> &tile, const double *responsibilities, int64_t k, int64_t count,
                        Sums &sums) {
    for (int64_t c = 0; c < k; ++c) {
        double *shares = &tile.shares[c * tile.size], counted = 0.0, squared = 0.0;
        for (int64_t t = 0; t < count; ++t) {
            const double share = given_share(responsibilities, k, t, c);
            shares[t] = share * tile.weights[t];
            counted += shares[t];
            squared += shares[t] * share;
        }
        std::fill(shares + count, shares + tile.size, 0.0);
        sums.counts[c] += counted;
        sums.squared_counts[c] += squared;
    }
    for (int64_t t = 0; t < count; ++t)
        sums.row_weight += tile.weights[t];
}

} // namespace gaussmix::GAUSSMIX_ISA
