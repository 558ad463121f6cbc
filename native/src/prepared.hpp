// A mixture made ready for one pass over the rows, in the arithmetic of that pass.
#pragma once

#include "gaussmix/kernel.hpp"

#include <limits>
#include <vector>

namespace gaussmix {

// Columns of a triangular factor that are worked on together.
constexpr int64_t PANEL = 4;
// Up to this many features their number is known to the compiler, and factors stay as they are.
constexpr int64_t SMALL_FEATURES = 12;

// Where panel number `b` begins. Panel b has columns 4 b to 4 b + 3 of an upper triangular matrix and
// rows 0 to 4 b + 3, row after row; entries beyond the matrix are 0.
inline int64_t panel_begin(int64_t b) {
    return PANEL * PANEL * b * (b + 1) / 2;
}

template <typename Real> struct Prepared {
    int64_t n_components; // K
    int64_t n_features;   // D
    FactorForm form;
    ScatterKind scatter;
    // Whether components lie near enough to one another that what they share may be taken about a
    // common centre m: offsets as sum r (x - m) less N_k (mu_k - m), squares likewise, a trace from the
    // distances, and a shared factor applied to the rows once.
    bool about_centre = false;
    bool whitened = false;            // about_centre, and all share one factor and one scatter
    std::vector<double> centre;       // (D,), m; taken from each row first; 0 where not about_centre
    std::vector<Real> means;          // (K, D), mu_k - m
    std::vector<Real> whitened_means; // (K, D), P^T (mu_k - m), where whitened
    std::vector<Real> shifts;         // (K, D), -p_k (mu_k - m), where about_centre and diagonal
    // full, shared: panels one after another, or (D, D) up to SMALL_FEATURES; else (K, D) or (K,)
    std::vector<Real> factors;
    std::vector<Real> constants; // (K,), log w_k + log |P_k| - D/2 log 2 pi
    Real log_background = -std::numeric_limits<Real>::infinity();

    bool has_background() const { return log_background > -std::numeric_limits<Real>::infinity(); }

    // Where the factor of component k begins.
    const Real *factor(int64_t k) const {
        switch (form) {
        case FactorForm::full: return factors.data() + k * factor_size();
        case FactorForm::shared: return factors.data();
        case FactorForm::diagonal: return factors.data() + k * n_features;
        case FactorForm::isotropic: return factors.data() + k;
        }
        return nullptr;
    }
    // Entries of one triangular factor.
    int64_t factor_size() const {
        return n_features <= SMALL_FEATURES ? n_features * n_features
                                            : panel_begin((n_features + PANEL - 1) / PANEL);
    }
};

template <typename Real> Prepared<Real> prepare(const Components &components, int64_t n_features);

// Components of which only the means matter: each row is as it is, and distances are Euclidean.
Prepared<double> only_centres(const double *centres /* (K, D) */, int64_t n_components, int64_t n_features,
                              ScatterKind scatter);

} // namespace gaussmix
