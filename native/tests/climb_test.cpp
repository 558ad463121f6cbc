// Precision factors, and EM steps of several mixtures, against what they are by definition.

#include "climb_test.hpp"
#include "problems.hpp"

namespace gaussmix {
namespace {

// P with P P^T = Sigma^-1: P^T Sigma P is the identity; a matrix that is not positive definite is told.
void precision_factors(int64_t d) {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    std::vector<double> root(size_t(d * d)), matrices(size_t(2 * d * d), 0.0), factors(size_t(2 * d * d));
    for (double &entry : root)
        entry = normal(random);
    for (int64_t i = 0; i < d; ++i)
        for (int64_t j = 0; j < d; ++j) {
            for (int64_t l = 0; l < d; ++l)
                matrices[size_t(i * d + j)] += root[size_t(i * d + l)] * root[size_t(j * d + l)];
            matrices[size_t(i * d + j)] += i == j ? 0.1 : 0.0;
            matrices[size_t((d + i) * d + j)] = -matrices[size_t(i * d + j)];
        }
    bool sound[2];
    triangular_factors(matrices.data(), 2, d, 1e-15, factors.data(), sound);
    check(sound[0] && !sound[1], "which covariances have a factor");
    bool identity = true;
    for (int64_t a = 0; a < d; ++a)
        for (int64_t b = 0; b < d; ++b) {
            double entry = 0.0;
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = 0; j < d; ++j)
                    entry +=
                        factors[size_t(i * d + a)] * matrices[size_t(i * d + j)] * factors[size_t(j * d + b)];
            identity = identity && std::abs(entry - double(a == b)) < 1e-8;
        }
    check(identity, "a precision factor");
}

// One step of several mixtures: weights and means of the first one from the sums of one E-step.
void climbs(FactorForm form, ScatterKind kind) {
    const int64_t n = 700, d = 3, k = 4, m = 5, size = factor_size(form, 1, d);
    Problem p = random_problem(n, d, k, form, kind, true);
    const Rows<double> rows = rows_of(p, p.rows);
    std::vector<double> covariances(size_t(k * size), 0.0), weights, means, all, blank(size_t(size), 0.0);
    for (int64_t j = 0; j < k; ++j)
        for (int64_t i = 0; i < (form == FactorForm::isotropic ? 1 : d); ++i)
            covariances[size_t(j * size + (form == FactorForm::full ? i * d + i : i))] = 1.0 + double(j);
    for (int64_t c = 0; c < m; ++c) {
        for (double log_weight : p.log_weights)
            weights.push_back(std::exp(log_weight));
        means.insert(means.end(), p.means.begin(), p.means.end());
        all.insert(all.end(), covariances.begin(), covariances.end());
    }
    all[size_t(2 * k * size)] = -1.0; // the third mixture has no density
    const std::vector<double> anchor(size_t(d * d), 0.0), resolution(size_t(d), 0.0);
    const MStepRule rule{0.0, blank.data(), blank.data(), 0.0, anchor.data(), resolution.data(), 1e-15, 0.0};
    std::vector<double> objectives(static_cast<size_t>(m)), counts(size_t(m * k)), squared(size_t(m * k));
    Climbers climbers{weights.data(),    means.data(),  all.data(),    form, m, k,
                      objectives.data(), counts.data(), squared.data()};
    check(climb(rows, 1, rule, 0, climbers, 3, [] { return false; }), "a climb of no steps ends");
    const double before = objectives[0];
    check(climb(rows, 1, rule, 3, climbers, 3, [] { return false; }), "a climb ends");
    check(objectives[0] > before, "steps raise the log-likelihood");
    check(objectives[0] == objectives[4], "mixtures do not touch one another");
    check(std::isinf(objectives[2]) && objectives[2] < 0.0, "no density, no objective");
    double total = 0.0;
    for (int64_t j = 0; j < k; ++j)
        total += weights[size_t(j)];
    check(near(total, 1.0, 1.0), "weights add up to 1");
}

// Mixtures of several tables climb as if each table were alone.
void climbs_on_tables() {
    const int64_t n = 60, d = 2, k = 2, m = 3, tables = 4;
    Problem p = random_problem(tables * n, d, k, FactorForm::diagonal, ScatterKind::diagonal, true);
    const std::vector<double> blank(size_t(d), 0.0), anchor(size_t(d * d), 0.0), resolution(size_t(d), 0.0);
    const MStepRule rule{0.0, blank.data(), blank.data(), 0.0, anchor.data(), resolution.data(), 1e-15, 0.0};
    struct State {
        std::vector<double> weights, means, covariances, objectives, counts, squared;
        Climbers climbers(int64_t n_mixtures) {
            return {weights.data(),    means.data(),  covariances.data(), FactorForm::diagonal, n_mixtures, 2,
                    objectives.data(), counts.data(), squared.data()};
        }
    };
    const auto state = [&](int64_t n_mixtures, int64_t first) {
        State made{std::vector<double>(size_t(n_mixtures * k), 0.5),
                   {},
                   std::vector<double>(size_t(n_mixtures * k * d), 1.5),
                   std::vector<double>(size_t(n_mixtures)),
                   std::vector<double>(size_t(n_mixtures * k)),
                   std::vector<double>(size_t(n_mixtures * k))};
        for (int64_t i = 0; i < n_mixtures * k * d; ++i)
            made.means.push_back(std::sin(double(first * k * d + i)));
        return made;
    };
    State together = state(tables * m, 0);
    Climbers all = together.climbers(tables * m);
    check(climb(rows_of(p, p.rows), tables, rule, 5, all, 3, [] { return false; }), "tables end");
    bool same = true;
    for (int64_t t = 0; t < tables; ++t) {
        State alone = state(m, t * m);
        Climbers own = alone.climbers(m);
        const Rows<double> table{p.rows.data() + t * n * d, n, d, d, 1, p.weights.data() + t * n};
        climb(table, 1, rule, 5, own, 1, [] { return false; });
        for (int64_t i = 0; i < m; ++i)
            same = same && alone.objectives[size_t(i)] == together.objectives[size_t(t * m + i)];
    }
    check(same, "each table by itself");
}

} // namespace

void test_climbs() {
    climbs_on_tables();
    for (const int64_t d : {1, 2, 7, 20})
        precision_factors(d);
    climbs(FactorForm::full, ScatterKind::full);
    climbs(FactorForm::diagonal, ScatterKind::diagonal);
    climbs(FactorForm::isotropic, ScatterKind::trace);
}

} // namespace gaussmix
