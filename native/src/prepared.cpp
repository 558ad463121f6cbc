#include "prepared.hpp"

#include <cmath>

namespace gaussmix {
namespace {

constexpr double LOG_2PI = 1.83787706640934548356;
// Squared distances of means from their centre, in standard deviations, up to which what components
// share is taken about that centre: the most by which it magnifies rounding.
template <typename Real> constexpr double SHARED_GATE = sizeof(Real) == sizeof(double) ? 1e3 : 30.0;

// The mean of the means by their weights: (D,).
std::vector<double> centre_of(const Components &components, int64_t d) {
    std::vector<double> centre(size_t(d), 0.0);
    double total = 0.0;
    for (int64_t k = 0; k < components.n_components; ++k)
        total += std::exp(components.log_weights[k]);
    if (total == 0.0) // all is background
        return centre;
    for (int64_t k = 0; k < components.n_components; ++k)
        for (int64_t i = 0; i < d; ++i)
            centre[size_t(i)] += std::exp(components.log_weights[k]) / total * components.means[k * d + i];
    return centre;
}

// Entry (i, j) of the factor of component k.
double entry(const Components &components, int64_t d, int64_t k, int64_t i, int64_t j) {
    switch (components.form) {
    case FactorForm::full: return components.factors[(k * d + i) * d + j];
    case FactorForm::shared: return components.factors[i * d + j];
    case FactorForm::diagonal: return i == j ? components.factors[k * d + i] : 0.0;
    case FactorForm::isotropic: return i == j ? components.factors[k] : 0.0;
    }
    return 0.0;
}

// P_k^T (mu_k - m): (D,).
std::vector<double> whitened_mean(const Components &components, const std::vector<double> &centre,
                                  int64_t k) {
    const int64_t d = int64_t(centre.size());
    const bool triangular = components.form == FactorForm::full || components.form == FactorForm::shared;
    std::vector<double> y(size_t(d), 0.0);
    for (int64_t j = 0; j < d; ++j)
        for (int64_t i = triangular ? 0 : j; i <= j; ++i)
            y[size_t(j)] += (components.means[k * d + i] - centre[size_t(i)]) * entry(components, d, k, i, j);
    return y;
}

bool near_centre(const Components &components, const std::vector<double> &centre, double gate) {
    for (int64_t k = 0; k < components.n_components; ++k) {
        double squares = 0.0;
        for (const double y : whitened_mean(components, centre, k))
            squares += y * y;
        if (!(squares <= gate))
            return false;
    }
    return true;
}

// Whether the form and the scatter are a pair that gains from a common centre.
bool pays_about_centre(const Components &components) {
    return (components.form == FactorForm::shared && components.scatter == ScatterKind::pooled) ||
           (components.form == FactorForm::diagonal && components.scatter == ScatterKind::diagonal) ||
           (components.form == FactorForm::isotropic && components.scatter == ScatterKind::trace);
}

template <typename Real> void add_factors(Prepared<Real> &prepared, const Components &components, int64_t k) {
    const int64_t d = prepared.n_features;
    if (components.form == FactorForm::isotropic) {
        prepared.factors.push_back(Real(components.factors[k]));
    } else if (components.form == FactorForm::diagonal) {
        for (int64_t i = 0; i < d; ++i)
            prepared.factors.push_back(Real(components.factors[k * d + i]));
    } else if (d <= SMALL_FEATURES) {
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < d; ++j)
                prepared.factors.push_back(Real(entry(components, d, k, i, j)));
    } else {
        for (int64_t first = 0; first < d; first += PANEL)
            for (int64_t i = 0; i < first + PANEL; ++i)
                for (int64_t j = first; j < first + PANEL; ++j)
                    prepared.factors.push_back(i <= j && j < d ? Real(entry(components, d, k, i, j))
                                                               : Real(0));
    }
}

// Numbers that are kept of one factor.
template <typename Real> int64_t factor_numbers(const Prepared<Real> &prepared) {
    switch (prepared.form) {
    case FactorForm::isotropic: return 1;
    case FactorForm::diagonal: return prepared.n_features;
    default: return prepared.factor_size();
    }
}

} // namespace

template <typename Real> Prepared<Real> prepare(const Components &components, int64_t n_features) {
    const int64_t d = n_features, n_components = components.n_components;
    Prepared<Real> prepared;
    prepared.n_components = n_components;
    prepared.n_features = d;
    prepared.form = components.form;
    prepared.scatter = components.scatter;
    prepared.log_background = Real(components.log_background);
    const bool pays = pays_about_centre(components), doubles = sizeof(Real) == sizeof(double);
    prepared.centre = pays || !doubles ? centre_of(components, d) : std::vector<double>(size_t(d), 0.0);
    prepared.about_centre = pays && near_centre(components, prepared.centre, SHARED_GATE<Real>);
    prepared.whitened = prepared.about_centre && components.form == FactorForm::shared;
    if (!prepared.about_centre && doubles)
        prepared.centre.assign(size_t(d), 0.0);
    prepared.means.reserve(size_t(n_components * d));
    prepared.factors.reserve(size_t(components.form == FactorForm::shared ? 1 : n_components) *
                             size_t(factor_numbers(prepared)));
    prepared.constants.reserve(size_t(n_components));
    for (double &m : prepared.centre)
        m = double(Real(m)); // so that x - m is exact where x lies near m
    for (int64_t k = 0; k < n_components; ++k) {
        for (int64_t i = 0; i < d; ++i)
            prepared.means.push_back(Real(components.means[k * d + i] - prepared.centre[size_t(i)]));
        if (prepared.whitened)
            for (const double y : whitened_mean(components, prepared.centre, k))
                prepared.whitened_means.push_back(Real(y));
        if (prepared.about_centre && components.form == FactorForm::diagonal)
            for (const double y : whitened_mean(components, prepared.centre, k))
                prepared.shifts.push_back(Real(-y));
        if (k == 0 || components.form != FactorForm::shared)
            add_factors(prepared, components, k);
        prepared.constants.push_back(
            Real(components.log_weights[k] + components.log_determinants[k] - 0.5 * double(d) * LOG_2PI));
    }
    return prepared;
}

template Prepared<double> prepare(const Components &, int64_t);
template Prepared<float> prepare(const Components &, int64_t);

Prepared<double> only_centres(const double *centres, int64_t n_components, int64_t n_features,
                              ScatterKind scatter) {
    const size_t k = size_t(n_components), d = size_t(n_features);
    Prepared<double> prepared;
    prepared.n_components = n_components;
    prepared.n_features = n_features;
    prepared.form = FactorForm::isotropic;
    prepared.scatter = scatter;
    prepared.centre.assign(d, 0.0);
    prepared.means.assign(centres, centres + k * d);
    prepared.factors.assign(k, 1.0);
    prepared.constants.assign(k, 0.0);
    return prepared;
}

} // namespace gaussmix
