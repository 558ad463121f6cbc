// The E-step: rows are cut into parts, parts into blocks, and blocks go to threads.

#include "blocked.hpp"
#include "dispatch.hpp"
#include "sums.hpp"

#include <type_traits>
#include <utility>

namespace gaussmix {
namespace {

// What blocks summed about a common centre m, about the means instead. With delta_k = mu_k - m and
// t_k = sum_i r_ik (x_i - m): s_k = t_k - N_k delta_k, and from the total scatter T the pooled one,
// S = T - sum_k (t_k delta_k^T + delta_k t_k^T - N_k delta_k delta_k^T), upper triangle; likewise a diagonal
// scatter component by component.
template <typename Real>
void recentre(Sums &sums, const Prepared<Real> &mixture, const Components &components) {
    const int64_t d = mixture.n_features;
    std::vector<double> delta(static_cast<size_t>(d));
    for (int64_t k = 0; k < mixture.n_components; ++k) {
        double *t = sums.offsets + k * d;
        const double count = sums.counts[k];
        for (int64_t i = 0; i < d; ++i)
            delta[size_t(i)] = components.means[k * d + i] - mixture.centre[size_t(i)];
        if (mixture.whitened)
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = i; j < d; ++j)
                    sums.scatter[i * d + j] -= t[i] * delta[size_t(j)] + delta[size_t(i)] * t[j] -
                                               count * delta[size_t(i)] * delta[size_t(j)];
        if (mixture.scatter == ScatterKind::diagonal)
            for (int64_t i = 0; i < d; ++i)
                sums.scatter[k * d + i] -= (2.0 * t[i] - count * delta[size_t(i)]) * delta[size_t(i)];
        for (int64_t i = 0; i < d; ++i)
            t[i] -= count * delta[size_t(i)];
    }
}

// Finish sums that blocks have added up.
template <typename Real>
void completed(Sums &sums, const Prepared<Real> &mixture, const Components &components) {
    if (mixture.about_centre)
        recentre(sums, mixture, components);
    mirror(sums, components.scatter, mixture.n_components, mixture.n_features);
}

// Adds up as a tree whose shape depends on nothing but how many there are: each level holds at most one
// sum, of twice as many as the level below.
class Tree {
  public:
    void push(Partial value) {
        int level = 0;
        for (; !levels.empty() && levels.back().first == level; ++level) {
            levels.back().second.add(value);
            value = std::move(levels.back().second);
            levels.pop_back();
        }
        levels.emplace_back(level, std::move(value));
    }

    // The sum of all, of which there is at least one.
    Partial &total() {
        for (; levels.size() > 1; levels.pop_back())
            levels[levels.size() - 2].second.add(levels.back().second);
        return levels[0].second;
    }

  private:
    std::vector<std::pair<int, Partial>> levels;
};

// The E-step over rows that are taken in parts: threads begin and end once for many of them.
template <typename Given> class Parts {
  public:
    Parts(const Rows<Given> &all_rows, int64_t rows_of_a_part, const Components &mixture, int64_t singles)
        : rows(all_rows), part_rows(rows_of_a_part), components(mixture), k(mixture.n_components),
          d(all_rows.n_features), scatter(scatter_size(mixture.scatter, k, d)), singles_from(singles),
          precise(prepare<double>(mixture, d)) {
        if (std::is_same_v<Given, float> && singles_from != NO_SINGLES)
            single = prepare<float>(mixture, d);
    }

    bool add_up(Sums &sums, int n_threads, const std::function<bool()> &interrupted) {
        const int64_t n_parts = rows.n_rows == 0 ? 1 : (rows.n_rows - 1) / part_rows + 1;
        const int64_t of_a_part =
            blocks_in(std::min(part_rows, rows.n_rows)) * numbers_of_sums(k, d, scatter);
        const int64_t at_a_time = std::max<int64_t>(PARTIAL_DOUBLES / of_a_part, 1);
        // Some parts alone may be done too soon to ask.
        std::atomic<bool> flag{false};
        Stop between(flag, &interrupted);
        Tree tree;
        for (int64_t part = 0; part < n_parts; part += at_a_time)
            if (!add_some(part, std::min(part + at_a_time, n_parts), tree, n_threads, interrupted) ||
                between.requested())
                return false;
        copy_sums(tree.total().sums, k, d, scatter, sums);
        return true;
    }

  private:
    const Rows<Given> &rows;
    int64_t part_rows;
    const Components &components;
    int64_t k, d, scatter; // components, features, numbers in a scatter
    int64_t singles_from;
    Prepared<double> precise;
    Prepared<float> single;

    int64_t blocks_in(int64_t n_rows) const {
        return few_rows(n_rows, k, d) ? 1 : blocks_for(n_rows, k, d, scatter);
    }

    bool quick(int64_t n_rows) const { return std::is_same_v<Given, float> && n_rows * d >= singles_from; }

    bool add_some(int64_t first_part, int64_t last_part, Tree &tree, int n_threads,
                  const std::function<bool()> &interrupted) {
        std::vector<Blocked> parts;
        parts.reserve(size_t(last_part - first_part));
        for (int64_t part = first_part; part < last_part; ++part) {
            const int64_t n_rows = std::min(part_rows, rows.n_rows - part * part_rows);
            parts.emplace_back(n_rows, blocks_in(n_rows), k, d, scatter);
        }
        // All parts but the last one have as many blocks.
        const int64_t each = parts.front().n_blocks();
        const BlockWork one_block = [&](int64_t at, Stop &stop) {
            const int64_t part = at / each, block = at % each, first = (first_part + part) * part_rows;
            Blocked &own = parts[size_t(part)];
            sums_of(first, own.n_rows, own.first_of(block), own.first_of(block + 1),
                    own.partials[size_t(block)].sums, stop);
        };
        const int64_t n_blocks = int64_t(parts.size() - 1) * each + parts.back().n_blocks();
        if (!do_blocks(n_blocks, n_threads, one_block, interrupted))
            return false;
        for (Blocked &part : parts) {
            Partial &found = part.added_up();
            if (quick(part.n_rows))
                completed(found.sums, single, components);
            else if (few_rows(part.n_rows, k, d))
                mirror(found.sums, components.scatter, k, d);
            else
                completed(found.sums, precise, components);
            tree.push(std::move(found));
        }
        return true;
    }

    // Of rows first .. last - 1 of a part of n rows that begins at a row.
    void sums_of(int64_t begin, int64_t n_rows, int64_t first, int64_t last, Sums &sums, Stop &stop) {
        const Rows<Given> part{rows.values + begin * rows.row_stride,
                               n_rows,
                               d,
                               rows.row_stride,
                               rows.column_stride,
                               rows.weights == nullptr ? nullptr : rows.weights + begin};
        const BlockFunctions &functions = chosen_functions();
        if constexpr (std::is_same_v<Given, float>) {
            if (quick(n_rows))
                return functions.quick_sums_of_floats(part, single, first, last, sums, stop);
            if (few_rows(n_rows, k, d))
                return functions.exact_sums_of_floats(part, precise, false, nullptr, sums);
            functions.sums_of_floats(part, precise, first, last, sums, stop);
        } else {
            if (few_rows(n_rows, k, d))
                return functions.exact_sums_of_doubles(part, precise, false, nullptr, sums);
            functions.sums_of_doubles(part, precise, first, last, sums, stop);
        }
    }
};

} // namespace

template <typename Given>
bool expected_sums(const Rows<Given> &rows, int64_t part_rows, const Components &components, Sums &sums,
                   int64_t singles_from, int n_threads, const std::function<bool()> &interrupted) {
    return Parts<Given>(rows, part_rows, components, singles_from).add_up(sums, n_threads, interrupted);
}

template bool expected_sums(const Rows<double> &, int64_t, const Components &, Sums &, int64_t, int,
                            const std::function<bool()> &);
template bool expected_sums(const Rows<float> &, int64_t, const Components &, Sums &, int64_t, int,
                            const std::function<bool()> &);

void sums_on_this_thread(const Rows<double> &rows, const Components &components, Sums &sums, Stop &stop) {
    const Prepared<double> mixture = prepare<double>(components, rows.n_features);
    chosen_functions().sums_of_doubles(rows, mixture, 0, rows.n_rows, sums, stop);
    completed(sums, mixture, components);
}

} // namespace gaussmix
