// What native tests share: counting checks, and problems drawn at random.
#pragma once

#include "gaussmix/kernel.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace gaussmix {

inline int checks = 0, failures = 0;

inline void check(bool holds, const char *what) {
    ++checks;
    if (!holds) {
        ++failures;
        std::printf("FAILED: %s\n", what);
    }
}

inline bool near(double a, double b, double scale) {
    return std::abs(a - b) <= 1e-11 * (std::abs(scale) + 1e-300);
}

struct Problem {
    int64_t n, d, k;
    FactorForm form;
    ScatterKind kind;
    std::vector<double> rows, weights, log_weights, means, factors, log_determinants;
    double log_background = -INFINITY;
};

inline Components components_of(const Problem &p) {
    return {p.log_weights.data(),
            p.means.data(),
            p.factors.data(),
            p.log_determinants.data(),
            p.form,
            p.kind,
            p.k,
            p.log_background};
}

template <typename Given> Rows<Given> rows_of(const Problem &p, const std::vector<Given> &values) {
    return {values.data(), p.n, p.d, p.d, 1, p.weights.empty() ? nullptr : p.weights.data()};
}

// Factor of component k as a full upper triangular matrix.
inline std::vector<double> full_factor(const Problem &p, int64_t k) {
    std::vector<double> full(size_t(p.d * p.d), 0.0);
    for (int64_t i = 0; i < p.d; ++i)
        for (int64_t j = i; j < p.d; ++j) {
            double entry = 0.0;
            switch (p.form) {
            case FactorForm::full: entry = p.factors[size_t((k * p.d + i) * p.d + j)]; break;
            case FactorForm::shared: entry = p.factors[size_t(i * p.d + j)]; break;
            case FactorForm::diagonal: entry = i == j ? p.factors[size_t(k * p.d + i)] : 0.0; break;
            case FactorForm::isotropic: entry = i == j ? p.factors[size_t(k)] : 0.0; break;
            }
            full[size_t(i * p.d + j)] = entry;
        }
    return full;
}

inline Problem random_problem(int64_t n, int64_t d, int64_t k, FactorForm form, ScatterKind kind,
                              bool weighted) {
    std::mt19937_64 engine(unsigned(n + 31 * d + 101 * k));
    std::normal_distribution<double> normal;
    Problem p{n, d, k, form, kind, {}, {}, {}, {}, {}, {}, -INFINITY};
    for (int64_t i = 0; i < n * d; ++i)
        p.rows.push_back(2.0 * normal(engine) + 3.0);
    for (int64_t i = 0; weighted && i < n; ++i)
        p.weights.push_back(double(i % 3) + (i == 0));
    for (int64_t i = 0; i < k; ++i)
        p.log_weights.push_back(-std::log(double(k)));
    for (int64_t i = 0; i < k * d; ++i)
        p.means.push_back(normal(engine) + 3.0);
    const int64_t matrices = form == FactorForm::full ? k : 1;
    if (form == FactorForm::full || form == FactorForm::shared)
        for (int64_t m = 0; m < matrices; ++m)
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = 0; j < d; ++j)
                    p.factors.push_back(i == j  ? 0.8 + 0.1 * std::abs(normal(engine))
                                        : i < j ? 0.1 * normal(engine)
                                                : 0.0);
    else
        for (int64_t i = 0; i < (form == FactorForm::diagonal ? k * d : k); ++i)
            p.factors.push_back(0.5 + 0.1 * std::abs(normal(engine)));
    for (int64_t c = 0; c < k; ++c) {
        const std::vector<double> factor = full_factor(p, c);
        double log_determinant = 0.0;
        for (int64_t i = 0; i < d; ++i)
            log_determinant += std::log(factor[size_t(i * d + i)]);
        p.log_determinants.push_back(log_determinant);
    }
    return p;
}

struct Result {
    Sums sums{};
    std::vector<double> counts, squared, offsets, scatter;

    Result(int64_t k, int64_t d, int64_t scatter_doubles)
        : counts(size_t(k)), squared(size_t(k)), offsets(size_t(k * d)), scatter(size_t(scatter_doubles)) {
        sums.counts = counts.data();
        sums.squared_counts = squared.data();
        sums.offsets = offsets.data();
        sums.scatter = scatter.data();
    }
    Result(const Result &) = delete;
};

} // namespace gaussmix
