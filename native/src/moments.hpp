// Sums over the rows of a tile, by their responsibilities: N_k, s_k and S_k.
#pragma once

#include "prepared.hpp"
#include "tile.hpp"

namespace gaussmix::GAUSSMIX_ISA {

// Rows and columns of the blocks that products of features are taken in.
constexpr int LEFT = 4, RIGHT = 4;

// out[i stride + j] += sum_t left[i][t] right[j][t] for an I x J block.
template <int I, int J, typename Real>
void product_block(const Real *left /* (I, T) */, const Real *right /* (J, T) */, int64_t t_size, double *out,
                   int64_t stride) {
    constexpr int lanes = LANES<Real>, padded = (I * J + lanes - 1) / lanes * lanes;
    Vec<Real> sums[padded] = {};
    for (int64_t t = 0; t < t_size; t += lanes) {
        Vec<Real> columns[J];
        for (int j = 0; j < J; ++j)
            columns[j] = load(right + j * t_size + t);
        for (int i = 0; i < I; ++i) {
            const Vec<Real> row = load(left + i * t_size + t);
            for (int j = 0; j < J; ++j)
                sums[i * J + j] += row * columns[j];
        }
    }
    Real totals[padded];
    for (int first = 0; first < padded; first += lanes)
        store(totals + first, lane_sums<Real>(sums + first));
    for (int i = 0; i < I; ++i)
        for (int j = 0; j < J; ++j)
            out[i * stride + j] += double(totals[i * J + j]);
}

template <int I, typename Real>
void product_strip(const Real *left, const Real *right, int64_t n_right, int64_t t_size, double *out,
                   int64_t stride) {
    int64_t j = 0;
    for (; j + RIGHT <= n_right; j += RIGHT)
        product_block<I, RIGHT>(left, right + j * t_size, t_size, out + j, stride);
    switch (n_right - j) {
    case 3: return product_block<I, 3>(left, right + j * t_size, t_size, out + j, stride);
    case 2: return product_block<I, 2>(left, right + j * t_size, t_size, out + j, stride);
    case 1: return product_block<I, 1>(left, right + j * t_size, t_size, out + j, stride);
    default: return;
    }
}

// out[i][j] += sum_t left[i][t] right[j][t]; with `upper`, only blocks that reach the diagonal or lie
// above it.
template <typename Real>
void add_products(const Real *left /* (n_left, T) */, int64_t n_left, const Real *right /* (n_right, T) */,
                  int64_t n_right, int64_t t_size, bool upper, double *out /* (n_left, n_right) */) {
    for (int64_t i = 0; i < n_left; i += LEFT) {
        const int64_t j = upper ? i : 0;
        const Real *from = left + i * t_size, *to = right + j * t_size;
        double *corner = out + i * n_right + j;
        switch (std::min<int64_t>(n_left - i, LEFT)) {
        case 4: product_strip<4>(from, to, n_right - j, t_size, corner, n_right); break;
        case 3: product_strip<3>(from, to, n_right - j, t_size, corner, n_right); break;
        case 2: product_strip<2>(from, to, n_right - j, t_size, corner, n_right); break;
        case 1: product_strip<1>(from, to, n_right - j, t_size, corner, n_right); break;
        default: break;
        }
    }
}

// centred = x - mu, scaled = r centred, s += sum_t scaled. (One array of sqrt(r) centred would do for
// the scatter, but then a row of weight 2 were not to the last bit a row given twice.)
template <typename Real>
void weigh(Tile<Real> &tile, const Real *mean /* (D,) */, const Real *shares /* (T,) */,
           double *offsets /* (D,) */) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec<Real> m = broadcast(mean[d]);
        const Real *x = &tile.x[d * tile.size];
        Real *centred = &tile.centred[d * tile.size], *scaled = &tile.scaled[d * tile.size];
        Vec<Real> offset = {};
        for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
            const Vec<Real> c = load(x + t) - m, weighted = c * load(shares + t);
            offset += weighted;
            store(centred + t, c);
            store(scaled + t, weighted);
        }
        offsets[d] += lane_sum<Real>(offset);
    }
}

// s_k and S_k of one component with D known: one pass, everything in registers.
template <int D, typename Real>
void small_moments(const Tile<Real> &tile, const Real *mean /* (D,) */, const Real *shares /* (T,) */,
                   double *offsets /* (D,) */, double *scatter /* (D, D) */) {
    Vec<Real> first[D] = {}, second[D][D] = {};
    for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
        const Vec<Real> share = load(shares + t);
        Vec<Real> c[D];
        for (int d = 0; d < D; ++d)
            c[d] = load(&tile.x[d * tile.size + t]) - mean[d];
        for (int i = 0; i < D; ++i) {
            const Vec<Real> weighted = c[i] * share;
            first[i] += weighted;
            for (int j = i; j < D; ++j)
                second[i][j] += weighted * c[j];
        }
    }
    for (int i = 0; i < D; ++i) {
        offsets[i] += lane_sum<Real>(first[i]);
        for (int j = i; j < D; ++j)
            scatter[i * D + j] += lane_sum<Real>(second[i][j]);
    }
}

template <typename Real>
void full_moments(Tile<Real> &tile, const Real *mean, const Real *shares, double *offsets, double *scatter) {
    switch (tile.d) {
    case 1: return small_moments<1>(tile, mean, shares, offsets, scatter);
    case 2: return small_moments<2>(tile, mean, shares, offsets, scatter);
    case 3: return small_moments<3>(tile, mean, shares, offsets, scatter);
    case 4: return small_moments<4>(tile, mean, shares, offsets, scatter);
    case 5: return small_moments<5>(tile, mean, shares, offsets, scatter);
    default:
        weigh(tile, mean, shares, offsets);
        return add_products(tile.scaled, tile.d, tile.centred, tile.d, tile.size, true, scatter);
    }
}

// s_k and the diagonal of S_k, or its trace with stride 0.
template <typename Real>
void diagonal_moments(const Tile<Real> &tile, const Real *mean /* (D,) */, const Real *shares /* (T,) */,
                      double *offsets /* (D,) */, double *scatter, int64_t stride) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec<Real> m = broadcast(mean[d]);
        const Real *x = &tile.x[d * tile.size];
        Vec<Real> first = {}, second = {};
        for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
            const Vec<Real> c = load(x + t) - m;
            const Vec<Real> weighted = c * load(shares + t);
            first += weighted;
            second += weighted * c;
        }
        offsets[d] += lane_sum<Real>(first);
        scatter[d * stride] += lane_sum<Real>(second);
    }
}

// scaled = x^2
template <typename Real> void square_rows(Tile<Real> &tile) {
    for (int64_t i = 0; i < tile.d * tile.size; i += LANES<Real>) {
        const Vec<Real> x = load(&tile.x[i]);
        store(&tile.scaled[i], x * x);
    }
}

// sum_t r_t |x_t - mu|^2
template <typename Real>
double weighted_distances(const Tile<Real> &tile, const Real *squared /* (T,) */,
                          const Real *shares /* (T,) */) {
    Vec<Real> sum = {};
    for (int64_t t = 0; t < tile.size; t += LANES<Real>)
        sum += load(squared + t) * load(shares + t);
    return lane_sum<Real>(sum);
}

// Adds s_k and S_k of all components. About a common centre m (Prepared::about_centre), what is added
// to the offsets is sum_t r_kt (x_t - m), to a diagonal scatter sum_t r_kt (x_t - m)^2, and to a pooled
// scatter the total scatter about m, of each row as much as the components hold of it.
template <typename Real> void add_moments(Tile<Real> &tile, const Prepared<Real> &mixture, Sums &sums) {
    const int64_t n = mixture.n_components, d = tile.d;
    if (mixture.about_centre)
        add_products(tile.shares, n, tile.x, d, tile.size, false, sums.offsets);
    if (mixture.whitened) {
        const Real *weights = tile.weights;
        Memory memory(Memory::bytes_for<Real>(d) + Memory::bytes_for<double>(d));
        const Real *origin = memory.array<Real>(d);
        double *ignored = memory.array<double>(d);
        return full_moments(tile, origin, weights, ignored, sums.scatter);
    }
    if (mixture.about_centre && mixture.scatter == ScatterKind::diagonal) {
        square_rows(tile);
        return add_products(tile.shares, n, tile.scaled, d, tile.size, false, sums.scatter);
    }
    for (int64_t k = 0; k < n; ++k) {
        const Real *mean = mixture.means.data() + k * d, *shares = &tile.shares[k * tile.size];
        double *offsets = sums.offsets + k * d;
        switch (mixture.scatter) {
        case ScatterKind::full: full_moments(tile, mean, shares, offsets, sums.scatter + k * d * d); break;
        case ScatterKind::pooled: full_moments(tile, mean, shares, offsets, sums.scatter); break;
        case ScatterKind::diagonal:
            diagonal_moments(tile, mean, shares, offsets, sums.scatter + k * d, 1);
            break;
        case ScatterKind::trace:
            if (mixture.about_centre)
                sums.scatter[k] += weighted_distances(tile, &tile.distances[k * tile.size], shares);
            else
                diagonal_moments(tile, mean, shares, offsets, sums.scatter + k, 0);
            break;
        }
    }
}

} // namespace gaussmix::GAUSSMIX_ISA
