// From log densities to responsibilities, and what is added up on the way.
#pragma once

#include "gaussmix/kernel.hpp"
#include "tile.hpp"

#include <limits>

namespace gaussmix::GAUSSMIX_ISA {

// For the row vector at `t`: shares[k] becomes exp(shares[k] - largest) for all k, and their sum comes back.
template <typename Real>
inline Vec<Real> exponentiate(Tile<Real> &tile, int64_t n_components, int64_t t, Vec<Real> &largest) {
    Real *column = &tile.shares[t];
    largest = load(column);
    for (int64_t k = 1; k < n_components; ++k)
        largest = larger(largest, load(column + k * tile.size));
    Vec<Real> total = {};
    for (int64_t k = 0; k < n_components; ++k) {
        const Vec<Real> share = exp_nonpositive(load(column + k * tile.size) - largest);
        total += share;
        store(column + k * tile.size, share);
    }
    return total;
}

// shares[k][t] from log densities to w_t r_kt; adds the log-likelihood, the row weight, N_k and sum r^2 / w.
template <typename Real> void normalise(Tile<Real> &tile, int64_t n_components, Sums &sums) {
    constexpr int lanes = LANES<Real>;
    Vec<Real> row_weight = {}, largest;
    for (int64_t t = 0; t < tile.size; t += lanes) {
        const Vec<Real> total = exponentiate(tile, n_components, t, largest);
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
// totals lie between 1 and K, so that many of them can be multiplied before one logarithm is taken.
template <typename Real> void normalise_unweighted(Tile<Real> &tile, int64_t n_components, Sums &sums) {
    constexpr int lanes = LANES<Real>;
    const Real safe = std::numeric_limits<Real>::max() / Real(n_components);
    Vec<Real> product = broadcast(Real(1)), heights = {}, largest;
    Real bound = Real(1);
    for (int64_t t = 0; t < tile.size; t += lanes) {
        const Vec<Real> total = exponentiate(tile, n_components, t, largest);
        heights += largest;
        if (bound >= safe) {
            heights += log_at_least_one(product);
            product = broadcast(bound = Real(1));
        }
        product *= total;
        bound *= Real(n_components) * Real(1.0001); // a sum of K rounded exponentials may pass K a little
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
