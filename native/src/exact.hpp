// Sums over few rows in twice the digits of a double, so that rounding them gives the same bits in
// whatever order the rows come, and a row of weight 2 is to the last bit a row given twice.
#pragma once

#include "prepared.hpp"
#include "tile.hpp"

#include <vector>

namespace gaussmix::GAUSSMIX_ISA {

// The error of a product rounded to `product` (Dekker 1971 where there is no fused multiply-add).
inline double product_error(double a, double b, double product) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fma(a, b, -product);
#else
    constexpr double SPLIT = 134217729.0; // 2^27 + 1
    const double a_high = SPLIT * a - (SPLIT * a - a), a_low = a - a_high;
    const double b_high = SPLIT * b - (SPLIT * b - b), b_low = b - b_high;
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

// Numbers as unevaluated sums of two doubles.
struct ExactSums {
    std::vector<double> high, low;

    explicit ExactSums(int64_t size) : high(size_t(size), 0.0), low(size_t(size), 0.0) {}

    // sums[i] += weight values[i] for n sums from `first` on (Knuth's two-sum).
    void add(int64_t first, int64_t n, double weight, const double *values) {
        double *upper = high.data() + first, *lower = low.data() + first;
        for (int64_t i = 0; i < n; ++i) {
            const double product = weight * values[i], error = product_error(weight, values[i], product);
            const double sum = upper[i] + product, part = sum - upper[i];
            lower[i] += ((upper[i] - (sum - part)) + (product - part)) + error;
            upper[i] = sum;
        }
    }

    double value(int64_t i) const { return high[size_t(i)] + low[size_t(i)]; }
};

// Where the sums of a mixture stand among the exact ones.
struct ExactLayout {
    int64_t k, d, counts = 2, squared = counts + k, offsets = squared + k, scatter = offsets + k * d;
};

// Adds one row's part in component k: N_k, s_k and S_k as its kind says.
inline void add_row(ExactSums &exact, const ExactLayout &at, ScatterKind kind, int64_t k, double weight,
                    double share, const double *centred /* (D,) */, double *products /* (D,) */) {
    const int64_t d = at.d;
    const double squared = share * share;
    exact.add(at.counts + k, 1, weight, &share);
    exact.add(at.squared + k, 1, weight, &squared);
    for (int64_t i = 0; i < d; ++i)
        products[i] = share * centred[i];
    exact.add(at.offsets + k * d, d, weight, products);
    if (kind == ScatterKind::diagonal || kind == ScatterKind::trace) {
        double trace = 0.0;
        for (int64_t i = 0; i < d; ++i)
            trace += products[i] *= centred[i];
        if (kind == ScatterKind::diagonal)
            return exact.add(at.scatter + k * d, d, weight, products);
        return exact.add(at.scatter + k, 1, weight, &trace);
    }
    const int64_t matrix = at.scatter + (kind == ScatterKind::full ? k * d * d : 0);
    for (int64_t i = 0; i < d; ++i) {
        const double left = share * centred[i];
        for (int64_t j = i; j < d; ++j)
            products[j] = left * centred[j];
        exact.add(matrix + i * d + i, d - i, weight, products + i);
    }
}

// Adds a tile that holds plain responsibilities and, where they are from a mixture, log densities.
inline void add_tile(ExactSums &exact, const ExactLayout &at, const Tile<double> &tile,
                     const Prepared<double> &mixture, const double *weights /* (count,) */, int64_t count) {
    const double one = 1.0;
    std::vector<double> centred(size_t(at.d)), products(size_t(at.d));
    for (int64_t t = 0; t < count; ++t) {
        if (!(weights[t] > 0.0))
            continue;
        exact.add(0, 1, weights[t], &tile.evidence[t]);
        exact.add(1, 1, weights[t], &one);
        for (int64_t k = 0; k < at.k; ++k) {
            for (int64_t i = 0; i < at.d; ++i)
                centred[size_t(i)] = tile.x[i * tile.size + t] - mixture.means[size_t(k * at.d + i)];
            add_row(exact, at, mixture.scatter, k, weights[t], tile.shares[k * tile.size + t], centred.data(),
                    products.data());
        }
    }
}

} // namespace gaussmix::GAUSSMIX_ISA
