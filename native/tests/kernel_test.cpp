// The kernel against its definition, row by row: run with address, undefined-behaviour and thread
// sanitizers by `make sanitize`. Python's contract tests compare it with the NumPy kernel besides.

#include "climb_test.hpp"
#include "problems.hpp"

#include <algorithm>
#include <deque>

using namespace gaussmix;

namespace {

// What a mixture says of one row.
struct RowScores {
    int label;
    double log_density;
    std::vector<double> shares; // (K,)
};

void row_by_definition(const Problem &p, const std::vector<std::vector<double>> &factors,
                       const double *x /* (D,) */, RowScores &found) {
    found.label = 0;
    found.shares.clear();
    double largest = -INFINITY, total = 0.0;
    for (int64_t c = 0; c < p.k; ++c) {
        double squares = 0.0;
        for (int64_t j = 0; j < p.d; ++j) {
            double y = 0.0;
            for (int64_t a = 0; a <= j; ++a)
                y += (x[a] - p.means[size_t(c * p.d + a)]) * factors[size_t(c)][size_t(a * p.d + j)];
            squares += y * y;
        }
        found.shares.push_back(p.log_weights[size_t(c)] + p.log_determinants[size_t(c)] - 0.5 * squares -
                               0.5 * double(p.d) * std::log(2.0 * M_PI));
        if (found.shares.back() > largest) {
            largest = found.shares.back();
            found.label = int(c);
        }
    }
    if (p.log_background > largest) {
        largest = p.log_background;
        found.label = -1;
    }
    for (double &share : found.shares)
        total += share = std::exp(share - largest);
    total += std::exp(p.log_background - largest);
    for (double &share : found.shares)
        share /= total;
    found.log_density = largest + std::log(total);
}

void by_definition(const Problem &p, Result &out) {
    std::vector<std::vector<double>> factors;
    for (int64_t c = 0; c < p.k; ++c)
        factors.push_back(full_factor(p, c));
    RowScores row;
    for (int64_t i = 0; i < p.n; ++i) {
        const double *x = p.rows.data() + i * p.d;
        const double weight = p.weights.empty() ? 1.0 : p.weights[size_t(i)];
        row_by_definition(p, factors, x, row);
        out.sums.log_likelihood += weight * row.log_density;
        out.sums.row_weight += weight;
        for (int64_t c = 0; c < p.k; ++c) {
            const double share = row.shares[size_t(c)], r = share * weight;
            out.counts[size_t(c)] += r;
            out.squared[size_t(c)] += r * share;
            for (int64_t a = 0; a < p.d; ++a) {
                const double da = x[a] - p.means[size_t(c * p.d + a)];
                out.offsets[size_t(c * p.d + a)] += r * da;
                for (int64_t b = 0; b < p.d; ++b) {
                    const double product = r * da * (x[b] - p.means[size_t(c * p.d + b)]);
                    switch (p.kind) {
                    case ScatterKind::full: out.scatter[size_t((c * p.d + a) * p.d + b)] += product; break;
                    case ScatterKind::pooled: out.scatter[size_t(a * p.d + b)] += product; break;
                    case ScatterKind::diagonal:
                        out.scatter[size_t(c * p.d + a)] += a == b ? product : 0.0;
                        break;
                    case ScatterKind::trace: out.scatter[size_t(c)] += a == b ? product : 0.0; break;
                    }
                }
            }
        }
    }
}

bool close(const std::vector<double> &a, const std::vector<double> &b, double loosely = 1.0) {
    double scale = 0.0;
    for (double value : b)
        scale = std::max(scale, std::abs(value));
    for (size_t i = 0; i < a.size(); ++i)
        if (!near(a[i], b[i], loosely * scale))
            return false;
    return true;
}

void compare(const Problem &p) {
    const Rows<double> rows = rows_of(p, p.rows);
    const Components components = components_of(p);
    const int64_t size = scatter_size(p.kind, p.k, p.d);
    Result exact(p.k, p.d, size), one(p.k, p.d, size), four(p.k, p.d, size);
    by_definition(p, exact);
    check(expected_sums(rows, p.n, components, one.sums, NO_SINGLES, 1, [] { return false; }),
          "one thread finishes");
    check(expected_sums(rows, p.n, components, four.sums, NO_SINGLES, 4, [] { return false; }),
          "four threads finish");
    check(near(one.sums.log_likelihood, exact.sums.log_likelihood, exact.sums.log_likelihood),
          "log-likelihood");
    check(near(one.sums.row_weight, exact.sums.row_weight, exact.sums.row_weight), "row weight");
    check(close(one.counts, exact.counts), "counts");
    check(close(one.squared, exact.squared), "squared counts");
    check(close(one.offsets, exact.offsets), "offsets");
    check(close(one.scatter, exact.scatter), "scatter");
    check(one.sums.log_likelihood == four.sums.log_likelihood && one.counts == four.counts &&
              one.offsets == four.offsets && one.scatter == four.scatter,
          "the same bits on four threads");
}

// Rows of floats, in the arithmetic of floats and of doubles.
void compare_floats(const Problem &p) {
    Problem rounded = p;
    const std::vector<float> floats(p.rows.begin(), p.rows.end());
    rounded.rows.assign(floats.begin(), floats.end());
    const Rows<float> rows = rows_of(p, floats);
    const Components components = components_of(p);
    const int64_t size = scatter_size(p.kind, p.k, p.d);
    Result exact(p.k, p.d, size), single(p.k, p.d, size), precise(p.k, p.d, size);
    by_definition(rounded, exact);
    const auto never = [] { return false; };
    check(expected_sums(rows, p.n, components, precise.sums, NO_SINGLES, 2, never), "floats finish");
    check(expected_sums(rows, p.n, components, single.sums, 0, 2, never), "singles finish");
    check(near(precise.sums.log_likelihood, exact.sums.log_likelihood, exact.sums.log_likelihood),
          "log-likelihood of floats");
    check(close(precise.scatter, exact.scatter), "scatter of floats");
    check(near(single.sums.log_likelihood, exact.sums.log_likelihood, 1e6 * exact.sums.log_likelihood),
          "log-likelihood in single precision");
    check(close(single.counts, exact.counts, 1e6), "counts in single precision");
    check(close(single.offsets, exact.offsets, 1e6), "offsets in single precision");
    check(close(single.scatter, exact.scatter, 1e6), "scatter in single precision");
}

// Rows taken in three parts in one call, the last one shorter, against each part by itself.
template <typename Given> void compare_parts(const Problem &p, int64_t part_rows, int64_t singles_from) {
    const std::vector<Given> values(p.rows.begin(), p.rows.end());
    const Rows<Given> rows = rows_of(p, values);
    const Components components = components_of(p);
    const int64_t size = scatter_size(p.kind, p.k, p.d);
    const auto never = [] { return false; };
    Result all(p.k, p.d, size);
    check(expected_sums(rows, part_rows, components, all.sums, singles_from, 3, never), "parts finish");
    std::deque<Result> parts;
    for (int64_t first = 0; first < p.n; first += part_rows) {
        const double *weights = rows.weights == nullptr ? nullptr : rows.weights + first;
        const Rows<Given> part{
            values.data() + first * p.d, std::min(part_rows, p.n - first), p.d, p.d, 1, weights};
        parts.emplace_back(p.k, p.d, size);
        expected_sums(part, part.n_rows, components, parts.back().sums, singles_from, 1, never);
    }
    bool same = parts.size() == 3;
    const auto add = [&](double total, double one, double two, double three) {
        same = same && total == one + two + three;
    };
    const auto add_all = [&](std::vector<double> Result::*of) {
        for (size_t i = 0; i < (all.*of).size(); ++i)
            add((all.*of)[i], (parts[0].*of)[i], (parts[1].*of)[i], (parts[2].*of)[i]);
    };
    if (same) {
        add(all.sums.log_likelihood, parts[0].sums.log_likelihood, parts[1].sums.log_likelihood,
            parts[2].sums.log_likelihood);
        add_all(&Result::counts);
        add_all(&Result::squared);
        add_all(&Result::offsets);
        add_all(&Result::scatter);
    }
    check(same, "parts at once give the bits of parts by themselves");
}

// Labels, responsibilities and log densities of each row.
void compare_scores(const Problem &p) {
    std::vector<std::vector<double>> factors;
    for (int64_t c = 0; c < p.k; ++c)
        factors.push_back(full_factor(p, c));
    std::vector<int32_t> labels(static_cast<size_t>(p.n));
    std::vector<double> shares(size_t(p.n * p.k)), log_densities(size_t(p.n)), distances(size_t(p.n * p.k));
    std::vector<double> largest(size_t(p.n)), nearest(size_t(p.n)), fourths(size_t(p.n));
    const Scores scores{labels.data(),  shares.data(),  log_densities.data(), distances.data(),
                        largest.data(), nearest.data(), fourths.data()};
    check(score_rows(rows_of(p, p.rows), components_of(p), scores, 3, [] { return false; }), "scores finish");
    bool right = true;
    RowScores row;
    for (int64_t i = 0; i < p.n; ++i) {
        row_by_definition(p, factors, p.rows.data() + i * p.d, row);
        const double *found = shares.data() + i * p.k;
        right = right && near(log_densities[size_t(i)], row.log_density, 1.0 + std::abs(row.log_density));
        right = right && labels[size_t(i)] == row.label;
        double most = p.log_background > -INFINITY ? std::exp(p.log_background - row.log_density) : 0.0;
        double least = INFINITY, fourth = 0.0;
        for (int64_t c = 0; c < p.k; ++c) {
            right = right && near(found[c], row.shares[size_t(c)], 1.0);
            const double distance = distances[size_t(i * p.k + c)];
            most = std::max(most, found[c]);
            least = std::min(least, distance);
            fourth += found[c] * distance * distance;
        }
        right = right && near(largest[size_t(i)], most, 1.0) && nearest[size_t(i)] == least;
        right = right && near(fourths[size_t(i)], fourth, 1.0 + fourth);
    }
    check(right, "labels, shares and log densities, and what follows of distances");
}

// Rows that no component reaches are the background's: the sums are those of the other rows.
template <typename Given> void far_rows(Problem p, double far, int64_t singles_from) {
    p.log_background = -30.0;
    const double loosely = singles_from == 0 ? 1e6 : 1.0;
    for (double &x : p.rows)
        x = double(Given(x));
    Problem mixed = p;
    for (int64_t i = 0; i < p.n / 3; ++i)
        for (int64_t a = 0; a < p.d; ++a) {
            mixed.rows.push_back(a % 2 == 0 ? far : -far);
            if (a == 0 && !p.weights.empty())
                mixed.weights.push_back(1.0);
        }
    mixed.n += p.n / 3;
    const std::vector<Given> values(mixed.rows.begin(), mixed.rows.end());
    const int64_t size = scatter_size(p.kind, p.k, p.d);
    Result near_only(p.k, p.d, size), all(p.k, p.d, size);
    by_definition(p, near_only);
    check(expected_sums(rows_of(mixed, values), mixed.n, components_of(mixed), all.sums, singles_from, 2,
                        [] { return false; }),
          "far rows finish");
    const double expected = near_only.sums.log_likelihood - 30.0 * double(p.n / 3);
    check(near(all.sums.log_likelihood, expected, loosely * expected), "log-likelihood with far rows");
    check(near(all.sums.row_weight, near_only.sums.row_weight + double(p.n / 3), double(mixed.n)),
          "row weight with far rows");
    check(close(all.counts, near_only.counts, loosely), "counts with far rows");
    check(close(all.squared, near_only.squared, loosely), "squared counts with far rows");
    check(close(all.offsets, near_only.offsets, loosely), "offsets with far rows");
    check(close(all.scatter, near_only.scatter, loosely), "scatter with far rows");
}

// Sums with responsibilities that are all 1 in one component, about a centre; and the nearest of two.
void compare_given(const Problem &p) {
    const Rows<double> rows = rows_of(p, p.rows);
    const std::vector<double> weights = p.weights.empty() ? std::vector<double>(size_t(p.n), 1.0) : p.weights;
    const int64_t size = scatter_size(ScatterKind::full, 1, p.d);
    Result exact(1, p.d, size), all(1, p.d, size);
    for (int64_t i = 0; i < p.n; ++i)
        for (int64_t a = 0; a < p.d; ++a) {
            const double da = p.rows[size_t(i * p.d + a)] - 3.0, weight = weights[size_t(i)];
            exact.counts[0] += a == 0 ? weight : 0.0;
            exact.offsets[size_t(a)] += weight * da;
            for (int64_t b = 0; b < p.d; ++b)
                exact.scatter[size_t(a * p.d + b)] += weight * da * (p.rows[size_t(i * p.d + b)] - 3.0);
        }
    const std::vector<double> centre(size_t(p.d), 3.0);
    const auto never = [] { return false; };
    check(given_sums(rows, nullptr, centre.data(), 1, ScatterKind::full, all.sums, 3, never), "given finish");
    check(close(all.counts, exact.counts), "counts of given responsibilities");
    check(close(all.offsets, exact.offsets), "offsets of given responsibilities");
    check(close(all.scatter, exact.scatter), "scatter of given responsibilities");

    std::vector<double> centres(size_t(2 * p.d), 2.5), distances(size_t(p.n)), counts(2),
        offsets(size_t(2 * p.d));
    std::fill(centres.begin() + p.d, centres.end(), 3.5);
    std::vector<int32_t> labels(size_t(p.n));
    const Nearest nearest{labels.data(), distances.data(), counts.data(), offsets.data()};
    check(nearest_centres(rows, centres.data(), 2, nearest, 3, never), "nearest finish");
    bool right = true;
    double second = 0.0;
    for (int64_t i = 0; i < p.n; ++i) {
        double to[2] = {0.0, 0.0};
        for (int64_t a = 0; a < 2 * p.d; ++a)
            to[a / p.d] += std::pow(p.rows[size_t(i * p.d + a % p.d)] - centres[size_t(a)], 2);
        const int label = to[1] < to[0];
        right = right && labels[size_t(i)] == label && near(distances[size_t(i)], to[label], to[label]);
        second += label * weights[size_t(i)];
    }
    check(right, "labels and distances of the nearest centres");
    check(near(counts[1], second, double(p.n)), "weights of the nearest centres");
}

void interrupt() {
    const Problem p = random_problem(200000, 8, 16, FactorForm::full, ScatterKind::full, false);
    const Rows<double> rows{p.rows.data(), p.n, p.d, p.d, 1, nullptr};
    const Components components = components_of(p);
    Result out(p.k, p.d, scatter_size(p.kind, p.k, p.d));
    int asked = 0;
    const bool finished =
        expected_sums(rows, p.n, components, out.sums, NO_SINGLES, 2, [&] { return ++asked >= 1; });
    check(finished == (asked == 0), "an interrupt ends the work and is reported");
}

// Parts that are taken one at a time, each too short to ask in.
void interrupt_between_parts() {
    const Problem p = random_problem(40000, 64, 64, FactorForm::full, ScatterKind::full, false);
    const Components components = components_of(p);
    Result out(p.k, p.d, scatter_size(p.kind, p.k, p.d));
    int asked = 0;
    const auto ask = [&] { return ++asked >= 1; };
    const bool finished = expected_sums(rows_of(p, p.rows), 1000, components, out.sums, NO_SINGLES, 1, ask);
    check(!finished && asked == 1, "an interrupt between parts ends the work");
}

} // namespace

int main() {
    // Few rows, which are summed in twice the digits, and too many for that.
    const int64_t shapes[][3] = {{1, 1, 1},    {5, 2, 3},    {20, 3, 70}, {140000, 1, 2},
                                 {9000, 3, 4}, {3000, 6, 3}, {500, 11, 5}};
    const std::pair<FactorForm, ScatterKind> families[] = {
        {FactorForm::full, ScatterKind::full},         {FactorForm::shared, ScatterKind::pooled},
        {FactorForm::diagonal, ScatterKind::diagonal}, {FactorForm::isotropic, ScatterKind::trace},
        {FactorForm::full, ScatterKind::pooled},       {FactorForm::shared, ScatterKind::full},
    };
    for (const std::string &isa : instruction_sets()) {
        check(use_instruction_set(isa), "an instruction set that is there can be used");
        for (const auto &[form, kind] : families)
            for (const auto &[n, d, k] : shapes)
                for (const bool weighted : {false, true}) {
                    Problem problem = random_problem(n, d, k, form, kind, weighted);
                    compare(problem);
                    compare_floats(problem);
                    compare_given(problem);
                    compare_scores(problem);
                    if (const int64_t part = (2 * n + 4) / 5; n >= 5) {
                        compare_parts<double>(problem, part, NO_SINGLES);
                        // The last part has too few numbers for single precision.
                        compare_parts<float>(problem, part, part * d);
                    }
                    far_rows<double>(problem, 1e300, NO_SINGLES);
                    far_rows<float>(problem, 1e30, 0);
                    // About as dense as the components are where the rows lie.
                    problem.log_background = -2.0 * double(d) - 1.0;
                    compare(problem);
                    compare_floats(problem);
                    compare_scores(problem);
                }
        test_climbs();
        interrupt();
        interrupt_between_parts();
    }
    check(!use_instruction_set("abacus"), "one that is not there cannot");
    std::printf("%d passed, %d failed\n", checks - failures, failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
