// Many mixtures that take a few EM steps each, for a search that has to compare many starts.

#include "dispatch.hpp"
#include "sums.hpp"

#include <cmath>
#include <vector>

namespace gaussmix {
namespace {

// Work, rows x components x (features + 2)^2 x steps of all mixtures, below which a second thread costs
// more than it saves.
constexpr int64_t SMALL_WORK = 1 << 20;
constexpr double MINUS_INFINITY = -std::numeric_limits<double>::infinity();

// One mixture on its way, with the memory that its steps need.
class Climb {
  public:
    Climb(const Rows<double> &all_rows, const MStepRule &m_step, FactorForm factor_form, int64_t n_components)
        : rows(all_rows), rule(m_step), form(factor_form), k(n_components), d(rows.n_features),
          size(factor_size(form, 1, d)), log_weights(size_t(k)), factors(size_t(k * size)),
          log_determinants(size_t(k)), offsets(size_t(k * d)), moments(size_t(k * size)) {}

    // Log-likelihood and penalty of a mixture after `n_steps` steps, which change it.
    double after(int64_t n_steps, double *weights, double *means, double *covariances, double *counts,
                 double *squared_counts, Stop &stop) {
        if (!factored(covariances))
            return MINUS_INFINITY;
        double objective = expected(weights, means, counts, squared_counts, stop) + penalty();
        for (int64_t step = 0; step < n_steps && !stop.requested(); ++step) {
            maximised(weights, means, covariances, counts);
            if (!factored(covariances))
                return MINUS_INFINITY;
            const double before = objective;
            objective = expected(weights, means, counts, squared_counts, stop) + penalty();
            if (objective - before <= rule.enough)
                break;
        }
        return std::isfinite(objective) ? objective : MINUS_INFINITY;
    }

  private:
    const Rows<double> &rows;
    const MStepRule &rule;
    FactorForm form;
    int64_t k, d, size; // components, features, numbers in one covariance
    std::vector<double> log_weights, factors, log_determinants, offsets, moments;

    ScatterKind scatter() const {
        if (form == FactorForm::full)
            return ScatterKind::full;
        return form == FactorForm::diagonal ? ScatterKind::diagonal : ScatterKind::trace;
    }

    double expected(const double *weights, const double *means, double *counts, double *squared_counts,
                    Stop &stop) {
        for (int64_t j = 0; j < k; ++j)
            log_weights[size_t(j)] = std::log(weights[j]);
        std::fill_n(counts, k, 0.0);
        std::fill_n(squared_counts, k, 0.0);
        std::fill(offsets.begin(), offsets.end(), 0.0);
        std::fill(moments.begin(), moments.end(), 0.0);
        const Components components{log_weights.data(), means, factors.data(), log_determinants.data(), form,
                                    scatter(),          k};
        Sums sums{0.0, 0.0, counts, squared_counts, offsets.data(), moments.data()};
        sums_on_this_thread(rows, components, sums, stop);
        return sums.log_likelihood;
    }

    // w = N / sum N; d = s / N; mu + d; (S - N d d^T + pseudo-scatter) / (N + pseudo-rows) + added.
    void maximised(double *weights, double *means, double *covariances, const double *counts) {
        double total = 0.0;
        for (int64_t j = 0; j < k; ++j)
            total += counts[j];
        for (int64_t j = 0; j < k; ++j) {
            const double count = counts[j];
            weights[j] = count / total;
            double *offset = offsets.data() + j * d;
            for (int64_t i = 0; i < d; ++i) {
                offset[i] = count > 0.0 ? offset[i] / count : 0.0;
                means[j * d + i] += offset[i];
            }
            covariance_of(count, offset, moments.data() + j * size, covariances + j * size);
        }
    }

    void covariance_of(double count, const double *offset /* (D,) */, const double *moment,
                       double *covariance) {
        const double divisor = count + rule.pseudo_rows > 0.0 ? count + rule.pseudo_rows : 1.0;
        const auto entry = [&](int64_t at, double square, double share) {
            covariance[at] =
                (moment[at] - count * square + rule.pseudo_scatter[at]) / (share * divisor) + rule.added[at];
        };
        if (form == FactorForm::full) {
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = 0; j < d; ++j)
                    entry(i * d + j, offset[i] * offset[j], 1.0);
        } else if (form == FactorForm::diagonal) {
            for (int64_t i = 0; i < d; ++i)
                entry(i, offset[i] * offset[i], 1.0);
        } else {
            double square = 0.0;
            for (int64_t i = 0; i < d; ++i)
                square += offset[i] * offset[i];
            entry(0, square, double(d));
        }
    }

    // Precision factors and their log determinants; false if a component has collapsed.
    bool factored(const double *covariances) {
        bool sound = true;
        for (int64_t j = 0; j < k && sound; ++j) {
            double *factor = factors.data() + j * size;
            const double *covariance = covariances + j * size;
            if (form == FactorForm::full)
                triangular_factors(covariance, 1, d, rule.flat, factor, &sound);
            else
                for (int64_t i = 0; i < size; ++i) {
                    sound = sound && covariance[i] > 0.0 && std::isfinite(covariance[i]);
                    factor[i] = 1.0 / std::sqrt(covariance[i]);
                }
            double sum = 0.0;
            for (int64_t i = 0; i < d && sound; ++i) {
                sound = diagonal(factor, i) * rule.resolution[i] < 1.0;
                sum += std::log(diagonal(factor, i));
            }
            log_determinants[size_t(j)] = sum;
        }
        return sound;
    }

    double diagonal(const double *factor, int64_t i) const {
        if (form == FactorForm::full)
            return factor[i * d + i];
        return form == FactorForm::diagonal ? factor[i] : factor[0];
    }

    // -a sum_k [tr(A P P^T) - 2 log |P|].
    double penalty() const {
        if (rule.strength == 0.0)
            return 0.0;
        double sum = 0.0;
        for (int64_t j = 0; j < k; ++j)
            sum += trace(factors.data() + j * size) - 2.0 * log_determinants[size_t(j)];
        return -rule.strength * sum;
    }

    // tr(P^T A P).
    double trace(const double *factor) const {
        double sum = 0.0;
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < d; ++j) {
                double product = 0.0; // (P P^T)_ij
                if (form == FactorForm::full)
                    for (int64_t l = std::max(i, j); l < d; ++l)
                        product += factor[i * d + l] * factor[j * d + l];
                else if (i == j)
                    product = diagonal(factor, i) * diagonal(factor, i);
                sum += rule.anchor[i * d + j] * product;
            }
        return sum;
    }
};

} // namespace

bool climb(const Rows<double> &rows, int64_t n_tables, const MStepRule &rule, int64_t n_steps,
           Climbers &climbers, int n_threads, const std::function<bool()> &interrupted) {
    const int64_t n = rows.n_rows / n_tables, per_table = climbers.n_mixtures / n_tables;
    const int64_t k = climbers.n_components, d = rows.n_features, size = factor_size(climbers.form, 1, d);
    const BlockWork one_mixture = [&](int64_t m, Stop &stop) {
        const int64_t first = m / per_table * n;
        const double *weights = rows.weights == nullptr ? nullptr : rows.weights + first;
        const Rows<double> own{
            rows.values + first * rows.row_stride, n, d, rows.row_stride, rows.column_stride, weights};
        Climb mixture(own, rule, climbers.form, k);
        climbers.objectives[m] = mixture.after(n_steps, climbers.weights + m * k, climbers.means + m * k * d,
                                               climbers.covariances + m * k * size, climbers.counts + m * k,
                                               climbers.squared_counts + m * k, stop);
    };
    const int64_t work = n * k * (d + 2) * (d + 2) * (n_steps + 1) * climbers.n_mixtures;
    return do_blocks(climbers.n_mixtures, work < SMALL_WORK ? 1 : n_threads, one_mixture, interrupted);
}

} // namespace gaussmix
