// Precision factors of many small covariances.

#include "gaussmix/kernel.hpp"

#include <cmath>
#include <vector>

namespace gaussmix {
namespace {

// L (D, D), lower, with L L^T the correlations of `covariance`; false if a conditional variance is
// below `flat`. Scaling to correlations makes columns of scale 1e-12 and 1e12 equally safe.
bool correlation_root(const double *covariance /* (D, D) */, const double *deviations /* (D,) */, int64_t d,
                      double flat, double *lower /* (D, D) */) {
    for (int64_t j = 0; j < d; ++j) {
        for (int64_t i = j; i < d; ++i) {
            double rest = covariance[i * d + j] / deviations[i] / deviations[j];
            for (int64_t l = 0; l < j; ++l)
                rest -= lower[i * d + l] * lower[j * d + l];
            if (i > j)
                lower[i * d + j] = rest / lower[j * d + j];
            else if (rest >= flat) // false of NaN, too
                lower[j * d + j] = std::sqrt(rest);
            else
                return false;
        }
    }
    return true;
}

// P = (L^-1)^T / deviations, row by row: column j of L^-1 solves L x = e_j. False if a feature's variance
// given all others, of which x^T x is the inverse, is below `flat`: which it may be while no variance given
// the features before it is.
bool inverse_transposed(const double *lower /* (D, D) */, const double *deviations /* (D,) */, int64_t d,
                        double flat, double *factor /* (D, D) */) {
    for (int64_t j = 0; j < d; ++j) {
        double *row = factor + j * d;
        double inflation = 0.0;
        for (int64_t i = 0; i < d; ++i) {
            double rest = i == j ? 1.0 : 0.0;
            for (int64_t l = j; l < i; ++l)
                rest -= lower[i * d + l] * row[l];
            row[i] = i < j ? 0.0 : rest / lower[i * d + i];
            inflation += row[i] * row[i];
        }
        if (!(inflation * flat <= 1.0))
            return false;
    }
    for (int64_t j = 0; j < d; ++j)
        for (int64_t i = j; i < d; ++i)
            factor[j * d + i] /= deviations[j];
    return true;
}

} // namespace

void triangular_factors(const double *covariances, int64_t n, int64_t n_features, double flat,
                        double *factors, bool *sound) {
    const int64_t d = n_features;
    std::vector<double> lower(static_cast<size_t>(d * d)), deviations(static_cast<size_t>(d));
    for (int64_t m = 0; m < n; ++m) {
        const double *covariance = covariances + m * d * d;
        sound[m] = true;
        for (int64_t j = 0; j < d; ++j) {
            const double variance = covariance[j * d + j];
            sound[m] = sound[m] && variance > 0.0 && std::isfinite(variance);
            deviations[size_t(j)] = std::sqrt(variance);
        }
        sound[m] = sound[m] && correlation_root(covariance, deviations.data(), d, flat, lower.data());
        sound[m] =
            sound[m] && inverse_transposed(lower.data(), deviations.data(), d, flat, factors + m * d * d);
    }
}

} // namespace gaussmix
