// One fused pass over a tile of rows that stays in cache: distances, log-sum-exp, responsibilities
// and moments. Compiled once for each instruction set.
//
// A tile is stored feature by feature: x[d][t], with T rows a multiple of the vector width, so that
// every loop runs over rows. Rows that fill the last tile up have weight 0.

#include "block.hpp"
#include "simd.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

namespace gaussmix::GAUSSMIX_ISA {
namespace {

constexpr double LOG_2PI = 1.83787706640934548356;
// Squared distances stop here, so that rows farther off than doubles can say stay finite.
constexpr double FARTHEST = 1e300;
// Row vectors that share one load of a factor's entry, and factor columns that share one of a row's.
constexpr int ROW_BLOCK = 4, COLUMN_BLOCK = 4;
constexpr int64_t GROUP = ROW_BLOCK * LANES;

struct Free {
    void operator()(double *p) const { std::free(p); }
};
using Buffer = std::unique_ptr<double[], Free>;

Buffer buffer(int64_t size) {
    const size_t bytes = (size_t(size) * sizeof(double) + 63) / 64 * 64;
    void *memory = std::aligned_alloc(64, std::max<size_t>(bytes, 64));
    if (memory == nullptr)
        throw std::bad_alloc();
    std::memset(memory, 0, std::max<size_t>(bytes, 64));
    return Buffer(static_cast<double *>(memory));
}

// Rows in a tile: its values and its (K, T) responsibilities together fill about half a second-level
// cache. Depends on the shapes only.
int64_t tile_rows(int64_t n_features, int64_t n_components) {
    const int64_t budget = 32768; // doubles
    const int64_t rows = budget / (3 * n_features + n_components);
    return std::clamp<int64_t>(rows / GROUP * GROUP, GROUP, 512);
}

struct Tile {
    int64_t size;   // T
    int64_t d;      // D
    Buffer x;       // (D, T), rows
    Buffer centred; // (D, T), x - mu_k
    Buffer scaled;  // (D, T), r (x - mu_k)
    Buffer weights; // (T,)
    Buffer shares;  // (K, T), log densities, then responsibilities times weights
    Buffer totals;  // (T,), scratch

    Tile(int64_t t, int64_t n_features, int64_t k)
        : size(t), d(n_features), x(buffer(t * n_features)), centred(buffer(t * n_features)),
          scaled(buffer(t * n_features)), weights(buffer(t)), shares(buffer(t * k)), totals(buffer(t)) {}
};

// x[d][t] = rows[first + t][d]; rows beyond `count` repeat the last one with weight 0.
template <typename Real> void fill(Tile &tile, const Rows<Real> &rows, int64_t first, int64_t count) {
    const Real *from = rows.values + first * rows.row_stride;
    for (int64_t d = 0; d < tile.d; ++d) {
        double *x = &tile.x[d * tile.size];
        const Real *column = from + d * rows.column_stride;
        if (rows.row_stride == 1)
            for (int64_t t = 0; t < count; ++t)
                x[t] = double(column[t]);
        else
            for (int64_t t = 0; t < count; ++t)
                x[t] = double(column[t * rows.row_stride]);
        std::fill(x + count, x + tile.size, x[count - 1]);
    }
    double *weights = tile.weights.get();
    if (rows.weights == nullptr)
        std::fill(weights, weights + count, 1.0);
    else
        std::copy_n(rows.weights + first, count, weights);
    std::fill(weights + count, weights + tile.size, 0.0);
}

// centred[d][t] = x[d][t] - mean[d]
void centre(Tile &tile, const double *mean /* (D,) */) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec m = broadcast(mean[d]);
        const double *x = &tile.x[d * tile.size];
        double *c = &tile.centred[d * tile.size];
        for (int64_t t = 0; t < tile.size; t += LANES)
            store(c + t, load(x + t) - m);
    }
}

// y_j = sum_{i <= j} c_i P_ij for `Columns` columns from j0, of one group of rows; adds sum_j y_j^2.
template <int Columns>
void add_squares(const Tile &tile, const double *factor /* (D, D) */, int64_t j0, int64_t t,
                 Vec (&squares)[ROW_BLOCK]) {
    Vec y[Columns][ROW_BLOCK] = {};
    for (int64_t i = 0; i < j0 + Columns; ++i) {
        const double *c = &tile.centred[i * tile.size + t];
        const double *p = factor + i * tile.d + j0;
        Vec rows[ROW_BLOCK];
        for (int r = 0; r < ROW_BLOCK; ++r)
            rows[r] = load(c + r * LANES);
        for (int j = 0; j < Columns; ++j) {
            const Vec entry = broadcast(p[j]);
            for (int r = 0; r < ROW_BLOCK; ++r)
                y[j][r] += rows[r] * entry;
        }
    }
    for (int j = 0; j < Columns; ++j)
        for (int r = 0; r < ROW_BLOCK; ++r)
            squares[r] += y[j][r] * y[j][r];
}

// out[t] = |P^T c_t|^2 with P upper triangular.
void triangular_distances(const Tile &tile, const double *factor /* (D, D) */, double *out /* (T,) */) {
    for (int64_t t = 0; t < tile.size; t += GROUP) {
        Vec squares[ROW_BLOCK] = {};
        int64_t j = 0;
        for (; j + COLUMN_BLOCK <= tile.d; j += COLUMN_BLOCK)
            add_squares<COLUMN_BLOCK>(tile, factor, j, t, squares);
        switch (tile.d - j) {
        case 3: add_squares<3>(tile, factor, j, t, squares); break;
        case 2: add_squares<2>(tile, factor, j, t, squares); break;
        case 1: add_squares<1>(tile, factor, j, t, squares); break;
        default: break;
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES, squares[r]);
    }
}

// out[t] = |P^T (x_t - mu)|^2 with D known: nothing goes through memory in between.
template <int D>
void small_distances(const Tile &tile, const double *mean /* (D,) */, const double *factor /* (D, D) */,
                     double *out) {
    for (int64_t t = 0; t < tile.size; t += LANES) {
        Vec c[D];
        for (int d = 0; d < D; ++d)
            c[d] = load(&tile.x[d * tile.size + t]) - mean[d];
        Vec squares = {};
        for (int j = 0; j < D; ++j) {
            Vec y = c[0] * factor[j];
            for (int i = 1; i <= j; ++i)
                y += c[i] * factor[i * D + j];
            squares += y * y;
        }
        store(out + t, squares);
    }
}

// out[t] = sum_d ((x_td - mu_d) p_d)^2
void diagonal_distances(const Tile &tile, const double *mean /* (D,) */, const double *factor /* (D,) */,
                        int64_t stride, double *out) {
    for (int64_t t = 0; t < tile.size; t += GROUP) {
        Vec squares[ROW_BLOCK] = {};
        for (int64_t d = 0; d < tile.d; ++d) {
            const Vec m = broadcast(mean[d]), p = broadcast(factor[d * stride]);
            for (int r = 0; r < ROW_BLOCK; ++r) {
                const Vec y = (load(&tile.x[d * tile.size + t + r * LANES]) - m) * p;
                squares[r] += y * y;
            }
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES, squares[r]);
    }
}

void full_distances(Tile &tile, const double *mean, const double *factor, double *out) {
    switch (tile.d) {
    case 1: return small_distances<1>(tile, mean, factor, out);
    case 2: return small_distances<2>(tile, mean, factor, out);
    case 3: return small_distances<3>(tile, mean, factor, out);
    case 4: return small_distances<4>(tile, mean, factor, out);
    case 5: return small_distances<5>(tile, mean, factor, out);
    case 6: return small_distances<6>(tile, mean, factor, out);
    case 7: return small_distances<7>(tile, mean, factor, out);
    case 8: return small_distances<8>(tile, mean, factor, out);
    default: centre(tile, mean); return triangular_distances(tile, factor, out);
    }
}

// scaled[j][t] = sum_{i <= j} centred_i P_ij: all columns of P^T c, kept.
void whiten(Tile &tile, const double *factor /* (D, D) */) {
    for (int64_t j = 0; j < tile.d; ++j)
        for (int64_t t = 0; t < tile.size; t += GROUP) {
            Vec y[ROW_BLOCK] = {};
            for (int64_t i = 0; i <= j; ++i) {
                const Vec entry = broadcast(factor[i * tile.d + j]);
                for (int r = 0; r < ROW_BLOCK; ++r)
                    y[r] += load(&tile.centred[i * tile.size + t + r * LANES]) * entry;
            }
            for (int r = 0; r < ROW_BLOCK; ++r)
                store(&tile.scaled[j * tile.size + t + r * LANES], y[r]);
        }
}

// out[t] = |z_t - z_k|^2 of rows and a mean that are whitened already.
void whitened_distances(const Tile &tile, const double *whitened_mean /* (D,) */, double *out /* (T,) */) {
    for (int64_t t = 0; t < tile.size; t += GROUP) {
        Vec squares[ROW_BLOCK] = {};
        for (int64_t d = 0; d < tile.d; ++d) {
            const Vec m = broadcast(whitened_mean[d]);
            for (int r = 0; r < ROW_BLOCK; ++r) {
                const Vec y = load(&tile.scaled[d * tile.size + t + r * LANES]) - m;
                squares[r] += y * y;
            }
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES, squares[r]);
    }
}

// shares[k][t] = log w_k + log N(x_t; mu_k, Sigma_k)
void log_densities(Tile &tile, const Components &components) {
    const int64_t d = tile.d;
    if (components.whitened_means != nullptr) {
        centre(tile, components.shared_centre);
        whiten(tile, components.factors);
    }
    for (int64_t k = 0; k < components.n_components; ++k) {
        const double *mean = components.means + k * d;
        double *out = &tile.shares[k * tile.size];
        switch (components.form) {
        case FactorForm::full: full_distances(tile, mean, components.factors + k * d * d, out); break;
        case FactorForm::shared:
            if (components.whitened_means != nullptr)
                whitened_distances(tile, components.whitened_means + k * d, out);
            else
                full_distances(tile, mean, components.factors, out);
            break;
        case FactorForm::diagonal: diagonal_distances(tile, mean, components.factors + k * d, 1, out); break;
        case FactorForm::isotropic: diagonal_distances(tile, mean, components.factors + k, 0, out); break;
        }
        const double constant =
            components.log_weights[k] + components.log_determinants[k] - 0.5 * double(d) * LOG_2PI;
        for (int64_t t = 0; t < tile.size; t += LANES) {
            const Vec distance = load(out + t);
            // Written so that NaN (an infinity taken from an infinity) becomes the farthest, too.
            const Vec bounded = choose(distance < FARTHEST, distance, broadcast(FARTHEST));
            store(out + t, constant - 0.5 * bounded);
        }
    }
}

// shares[k][t] becomes w_t r_kt; returns sum_t w_t log p(x_t), and adds N_k and sum r^2 / w.
double normalise(Tile &tile, int64_t n_components, Sums &sums) {
    Vec log_likelihood = {}, row_weight = {};
    for (int64_t t = 0; t < tile.size; t += LANES) {
        double *column = &tile.shares[t];
        Vec largest = load(column);
        for (int64_t k = 1; k < n_components; ++k)
            largest = larger(largest, load(column + k * tile.size));
        Vec total = {};
        for (int64_t k = 0; k < n_components; ++k) {
            const Vec share = exp_nonpositive(load(column + k * tile.size) - largest);
            total += share;
            store(column + k * tile.size, share);
        }
        const Vec weight = load(&tile.weights[t]);
        row_weight += weight;
        log_likelihood += weight * (largest + log_at_least_one(total));
        store(&tile.totals[t], 1.0 / total);
    }
    for (int64_t k = 0; k < n_components; ++k) {
        Vec count = {}, squared = {};
        double *shares = &tile.shares[k * tile.size];
        for (int64_t t = 0; t < tile.size; t += LANES) {
            const Vec share = load(shares + t) * load(&tile.totals[t]);
            const Vec weighted = share * load(&tile.weights[t]);
            count += weighted;
            squared += weighted * share;
            store(shares + t, weighted);
        }
        sums.counts[k] += lane_sum(count);
        sums.squared_counts[k] += lane_sum(squared);
    }
    sums.row_weight += lane_sum(row_weight);
    return lane_sum(log_likelihood);
}

// centred = x - mu, scaled = r centred, offsets[d] += sum_t scaled[d][t]
void weigh(Tile &tile, const double *mean /* (D,) */, const double *shares /* (T,) */,
           double *offsets /* (D,) */) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec m = broadcast(mean[d]);
        const double *x = &tile.x[d * tile.size];
        double *c = &tile.centred[d * tile.size], *s = &tile.scaled[d * tile.size];
        Vec offset = {};
        for (int64_t t = 0; t < tile.size; t += LANES) {
            const Vec centred = load(x + t) - m;
            const Vec weighted = centred * load(shares + t);
            offset += weighted;
            store(c + t, centred);
            store(s + t, weighted);
        }
        offsets[d] += lane_sum(offset);
    }
}

// scatter[i][j] += sum_t scaled_i centred_j for an I x J block of features.
template <int I, int J>
void add_block(const Tile &tile, int64_t i0, int64_t j0, double *scatter /* (D, D) */) {
    Vec sums[I][J] = {};
    const double *s = &tile.scaled[i0 * tile.size], *c = &tile.centred[j0 * tile.size];
    for (int64_t t = 0; t < tile.size; t += LANES) {
        Vec right[J];
        for (int j = 0; j < J; ++j)
            right[j] = load(c + j * tile.size + t);
        for (int i = 0; i < I; ++i) {
            const Vec left = load(s + i * tile.size + t);
            for (int j = 0; j < J; ++j)
                sums[i][j] += left * right[j];
        }
    }
    for (int i = 0; i < I; ++i)
        for (int j = 0; j < J; ++j)
            scatter[(i0 + i) * tile.d + j0 + j] += lane_sum(sums[i][j]);
}

template <int I> void add_block_row(const Tile &tile, int64_t i0, double *scatter) {
    int64_t j = i0;
    for (; j + COLUMN_BLOCK <= tile.d; j += COLUMN_BLOCK)
        add_block<I, COLUMN_BLOCK>(tile, i0, j, scatter);
    switch (tile.d - j) {
    case 3: add_block<I, 3>(tile, i0, j, scatter); break;
    case 2: add_block<I, 2>(tile, i0, j, scatter); break;
    case 1: add_block<I, 1>(tile, i0, j, scatter); break;
    default: break;
    }
}

// Upper triangle (by blocks) of scatter += sum_t scaled_t centred_t^T.
void add_scatter(const Tile &tile, double *scatter /* (D, D) */) {
    int64_t i = 0;
    for (; i + COLUMN_BLOCK <= tile.d; i += COLUMN_BLOCK)
        add_block_row<COLUMN_BLOCK>(tile, i, scatter);
    switch (tile.d - i) {
    case 3: add_block_row<3>(tile, i, scatter); break;
    case 2: add_block_row<2>(tile, i, scatter); break;
    case 1: add_block_row<1>(tile, i, scatter); break;
    default: break;
    }
}

// s_k and S_k of one component with D known: one pass, everything in registers.
template <int D>
void small_moments(const Tile &tile, const double *mean /* (D,) */, const double *shares /* (T,) */,
                   double *offsets /* (D,) */, double *scatter /* (D, D) */) {
    Vec first[D] = {}, second[D][D] = {};
    for (int64_t t = 0; t < tile.size; t += LANES) {
        const Vec share = load(shares + t);
        Vec c[D];
        for (int d = 0; d < D; ++d)
            c[d] = load(&tile.x[d * tile.size + t]) - mean[d];
        for (int i = 0; i < D; ++i) {
            const Vec weighted = c[i] * share;
            first[i] += weighted;
            for (int j = i; j < D; ++j)
                second[i][j] += weighted * c[j];
        }
    }
    for (int i = 0; i < D; ++i) {
        offsets[i] += lane_sum(first[i]);
        for (int j = i; j < D; ++j)
            scatter[i * D + j] += lane_sum(second[i][j]);
    }
}

void full_moments(Tile &tile, const double *mean, const double *shares, double *offsets, double *scatter) {
    switch (tile.d) {
    case 1: return small_moments<1>(tile, mean, shares, offsets, scatter);
    case 2: return small_moments<2>(tile, mean, shares, offsets, scatter);
    case 3: return small_moments<3>(tile, mean, shares, offsets, scatter);
    case 4: return small_moments<4>(tile, mean, shares, offsets, scatter);
    case 5: return small_moments<5>(tile, mean, shares, offsets, scatter);
    default: weigh(tile, mean, shares, offsets); return add_scatter(tile, scatter);
    }
}

// s_k and the diagonal of S_k (or its trace, with stride 0).
void diagonal_moments(const Tile &tile, const double *mean /* (D,) */, const double *shares /* (T,) */,
                      double *offsets /* (D,) */, double *scatter, int64_t stride) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec m = broadcast(mean[d]);
        const double *x = &tile.x[d * tile.size];
        Vec first = {}, second = {};
        for (int64_t t = 0; t < tile.size; t += LANES) {
            const Vec c = load(x + t) - m;
            const Vec weighted = c * load(shares + t);
            first += weighted;
            second += weighted * c;
        }
        offsets[d] += lane_sum(first);
        scatter[d * stride] += lane_sum(second);
    }
}

// s_k alone.
void add_offsets(const Tile &tile, const double *mean /* (D,) */, const double *shares /* (T,) */,
                 double *offsets) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec m = broadcast(mean[d]);
        const double *x = &tile.x[d * tile.size];
        Vec first = {};
        for (int64_t t = 0; t < tile.size; t += LANES)
            first += (load(x + t) - m) * load(shares + t);
        offsets[d] += lane_sum(first);
    }
}

// s_k and S_k of component k, S_k of the kind that is wanted.
void moments(Tile &tile, const Components &components, int64_t k, Sums &sums) {
    const int64_t d = tile.d;
    const double *mean = components.means + k * d;
    const double *shares = &tile.shares[k * tile.size];
    double *offsets = sums.offsets + k * d;
    switch (components.scatter) {
    case ScatterKind::full: return full_moments(tile, mean, shares, offsets, sums.scatter + k * d * d);
    case ScatterKind::pooled:
        if (components.shared_centre != nullptr)
            return add_offsets(tile, mean, shares, offsets);
        return full_moments(tile, mean, shares, offsets, sums.scatter);
    case ScatterKind::diagonal: return diagonal_moments(tile, mean, shares, offsets, sums.scatter + k * d, 1);
    case ScatterKind::trace: return diagonal_moments(tile, mean, shares, offsets, sums.scatter + k, 0);
    }
}

// Labels, responsibilities and log densities of the first `count` rows of a tile that holds log
// densities by component.
void write_scores(Tile &tile, int64_t k, int64_t row, int64_t count, const Scores &scores) {
    for (int64_t t = 0; t < count; t += LANES) {
        double *column = &tile.shares[t];
        Vec largest = load(column), label = {}, total = {};
        for (int64_t c = 1; c < k; ++c) {
            const Vec value = load(column + c * tile.size);
            label = choose(value > largest, broadcast(double(c)), label);
            largest = larger(largest, value);
        }
        if (scores.shares != nullptr || scores.log_densities != nullptr)
            for (int64_t c = 0; c < k; ++c) {
                const Vec share = exp_nonpositive(load(column + c * tile.size) - largest);
                total += share;
                store(column + c * tile.size, share);
            }
        double labels[LANES], log_densities[LANES], totals[LANES];
        store(labels, label);
        store(totals, total);
        if (scores.log_densities != nullptr)
            store(log_densities, largest + log_at_least_one(total));
        for (int64_t lane = 0; lane < std::min<int64_t>(LANES, count - t); ++lane) {
            const int64_t i = row + t + lane;
            if (scores.labels != nullptr)
                scores.labels[i] = int32_t(labels[lane]);
            if (scores.log_densities != nullptr)
                scores.log_densities[i] = log_densities[lane];
            if (scores.shares != nullptr)
                for (int64_t c = 0; c < k; ++c)
                    scores.shares[i * k + c] = column[c * tile.size + lane] / totals[lane];
        }
    }
}

template <typename Real>
void block_sums(const Rows<Real> &rows, const Components &components, int64_t first, int64_t last, Sums &sums,
                const std::atomic<bool> &stop) {
    const int64_t k = components.n_components;
    Tile tile(tile_rows(rows.n_features, k), rows.n_features, k);
    const Buffer ignored = buffer(rows.n_features);
    for (int64_t row = first; row < last && !stop.load(std::memory_order_relaxed); row += tile.size) {
        fill(tile, rows, row, std::min(tile.size, last - row));
        log_densities(tile, components);
        const double log_likelihood = normalise(tile, k, sums);
        sums.log_likelihood += log_likelihood;
        for (int64_t component = 0; component < k; ++component)
            moments(tile, components, component, sums);
        if (components.shared_centre != nullptr)
            full_moments(tile, components.shared_centre, tile.weights.get(), ignored.get(), sums.scatter);
    }
}

template <typename Real>
void block_scores(const Rows<Real> &rows, const Components &components, int64_t first, int64_t last,
                  const Scores &scores, const std::atomic<bool> &stop) {
    Tile tile(tile_rows(rows.n_features, components.n_components), rows.n_features, components.n_components);
    for (int64_t row = first; row < last && !stop.load(std::memory_order_relaxed); row += tile.size) {
        const int64_t count = std::min(tile.size, last - row);
        fill(tile, rows, row, count);
        log_densities(tile, components);
        write_scores(tile, components.n_components, row, count, scores);
    }
}

} // namespace

template <typename Real> BlockFunctions<Real> block_functions() {
    return {block_sums<Real>, block_scores<Real>};
}

template BlockFunctions<double> block_functions();
template BlockFunctions<float> block_functions();

} // namespace gaussmix::GAUSSMIX_ISA
