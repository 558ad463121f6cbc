// Squared Mahalanobis distances of the rows of a tile from one component, and with them its log
// densities.
#pragma once

#include "prepared.hpp"
#include "tile.hpp"

namespace gaussmix::GAUSSMIX_ISA {

// Squared distances stop here, so that rows farther off than numbers can say stay finite.
template <typename Real> constexpr Real FARTHEST = sizeof(Real) == 8 ? Real(1e300) : Real(1e37);

// log w_k + log N(x; mu_k, Sigma_k) from a squared distance. Written so that NaN (an infinity taken
// from an infinity) becomes the farthest distance, too.
template <typename Real>
inline std::type_identity_t<Vec<Real>> log_density(Vec<Real> squared, Real constant) {
    return constant - Real(0.5) * smaller(squared, broadcast(FARTHEST<Real>));
}

// y_j = sum_{i <= j} c_i P_ij for `Columns` columns of a panel, of one group of rows.
template <typename Real, int Columns>
inline void panel_product(const Real *group /* (D, GROUP) */, const Real *panel, int64_t n_rows,
                          Vec<Real> (&y)[Columns][ROW_BLOCK]) {
    for (int64_t i = 0; i < n_rows; ++i, group += GROUP<Real>, panel += PANEL) {
        Vec<Real> c[ROW_BLOCK];
        for (int r = 0; r < ROW_BLOCK; ++r)
            c[r] = load(group + r * LANES<Real>);
        for (int j = 0; j < Columns; ++j) {
            const Vec<Real> entry = broadcast(panel[j]);
            for (int r = 0; r < ROW_BLOCK; ++r)
                y[j][r] += c[r] * entry;
        }
    }
}

template <typename Real, int Columns>
inline void add_squares(const Real *group, const Real *panel, int64_t n_rows,
                        Vec<Real> (&squares)[ROW_BLOCK]) {
    Vec<Real> y[Columns][ROW_BLOCK] = {};
    panel_product<Real, Columns>(group, panel, n_rows, y);
    for (int j = 0; j < Columns; ++j)
        for (int r = 0; r < ROW_BLOCK; ++r)
            squares[r] += y[j][r] * y[j][r];
}

// group[d][t] = x[d][t0 + t] - mean[d]
template <typename Real> void centre_group(Tile<Real> &tile, const Real *mean /* (D,) */, int64_t t0) {
    for (int64_t d = 0; d < tile.d; ++d) {
        const Vec<Real> m = broadcast(mean[d]);
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(&tile.group[d * GROUP<Real> + r * LANES<Real>],
                  load(&tile.x[d * tile.size + t0 + r * LANES<Real>]) - m);
    }
}

// |P^T (x - mu)|^2 with P as panels.
template <typename Real>
void triangular(Tile<Real> &tile, const Real *mean, const Real *factor, Real constant, Real *out) {
    for (int64_t t = 0; t < tile.size; t += GROUP<Real>) {
        centre_group(tile, mean, t);
        const Real *group = tile.group;
        Vec<Real> squares[ROW_BLOCK] = {};
        int64_t j = 0;
        for (; j + PANEL <= tile.d; j += PANEL)
            add_squares<Real, PANEL>(group, factor + panel_begin(j / PANEL), j + PANEL, squares);
        const Real *last = factor + panel_begin(j / PANEL);
        switch (tile.d - j) {
        case 3: add_squares<Real, 3>(group, last, tile.d, squares); break;
        case 2: add_squares<Real, 2>(group, last, tile.d, squares); break;
        case 1: add_squares<Real, 1>(group, last, tile.d, squares); break;
        default: break;
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES<Real>, log_density<Real>(squares[r], constant));
    }
}

// The same with D known: nothing goes through memory in between.
template <int D, typename Real>
void small(const Tile<Real> &tile, const Real *mean, const Real *factor /* (D, D) */, Real constant,
           Real *out) {
    for (int64_t t = 0; t < tile.size; t += LANES<Real>) {
        Vec<Real> c[D];
        for (int d = 0; d < D; ++d)
            c[d] = load(&tile.x[d * tile.size + t]) - mean[d];
        Vec<Real> squares = {};
        for (int j = 0; j < D; ++j) {
            Vec<Real> y = c[0] * factor[j];
            for (int i = 1; i <= j; ++i)
                y += c[i] * factor[i * D + j];
            squares += y * y;
        }
        store(out + t, log_density<Real>(squares, constant));
    }
}

template <typename Real>
void full(Tile<Real> &tile, const Real *mean, const Real *factor, Real constant, Real *out) {
    switch (tile.d) {
    case 1: return small<1>(tile, mean, factor, constant, out);
    case 2: return small<2>(tile, mean, factor, constant, out);
    case 3: return small<3>(tile, mean, factor, constant, out);
    case 4: return small<4>(tile, mean, factor, constant, out);
    case 5: return small<5>(tile, mean, factor, constant, out);
    case 6: return small<6>(tile, mean, factor, constant, out);
    case 7: return small<7>(tile, mean, factor, constant, out);
    case 8: return small<8>(tile, mean, factor, constant, out);
    case 9: return small<9>(tile, mean, factor, constant, out);
    case 10: return small<10>(tile, mean, factor, constant, out);
    case 11: return small<11>(tile, mean, factor, constant, out);
    case 12: return small<12>(tile, mean, factor, constant, out);
    default: return triangular(tile, mean, factor, constant, out);
    }
}

// sum_d ((x_d - mu_d) p_d)^2
template <typename Real>
void diagonal(const Tile<Real> &tile, const Real *mean, const Real *factor /* (D,) */, Real constant,
              Real *out) {
    for (int64_t t = 0; t < tile.size; t += GROUP<Real>) {
        Vec<Real> squares[ROW_BLOCK] = {};
        for (int64_t d = 0; d < tile.d; ++d) {
            const Vec<Real> m = broadcast(mean[d]), p = broadcast(factor[d]);
            for (int r = 0; r < ROW_BLOCK; ++r) {
                const Vec<Real> y = (load(&tile.x[d * tile.size + t + r * LANES<Real>]) - m) * p;
                squares[r] += y * y;
            }
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES<Real>, log_density<Real>(squares[r], constant));
    }
}

// The same about a common centre: sum_d (x_d p_d + shift_d)^2 with shift = -mu p.
template <typename Real>
void shifted_diagonal(const Tile<Real> &tile, const Real *shift /* (D,) */, const Real *factor /* (D,) */,
                      Real constant, Real *out) {
    for (int64_t t = 0; t < tile.size; t += GROUP<Real>) {
        Vec<Real> squares[ROW_BLOCK] = {};
        for (int64_t d = 0; d < tile.d; ++d) {
            const Vec<Real> s = broadcast(shift[d]), p = broadcast(factor[d]);
            for (int r = 0; r < ROW_BLOCK; ++r) {
                const Vec<Real> y = load(&tile.x[d * tile.size + t + r * LANES<Real>]) * p + s;
                squares[r] += y * y;
            }
        }
        for (int r = 0; r < ROW_BLOCK; ++r)
            store(out + t + r * LANES<Real>, log_density<Real>(squares[r], constant));
    }
}

// p^2 sum_d (x_d - mu_d)^2, of rows that lie in `from`; the sums stay in `squared` where it is given.
template <typename Real>
void isotropic(const Tile<Real> &tile, const Real *from /* (D, T) */, const Real *mean, Real factor,
               Real constant, Real *squared, Real *out) {
    for (int64_t t = 0; t < tile.size; t += GROUP<Real>) {
        Vec<Real> squares[ROW_BLOCK] = {};
        for (int64_t d = 0; d < tile.d; ++d) {
            const Vec<Real> m = broadcast(mean[d]);
            for (int r = 0; r < ROW_BLOCK; ++r) {
                const Vec<Real> c = load(from + d * tile.size + t + r * LANES<Real>) - m;
                squares[r] += c * c;
            }
        }
        for (int r = 0; r < ROW_BLOCK; ++r) {
            if (squared != nullptr)
                store(squared + t + r * LANES<Real>, squares[r]);
            // Twice by p, because p^2 alone may leave the range of numbers.
            store(out + t + r * LANES<Real>, log_density<Real>(squares[r] * factor * factor, constant));
        }
    }
}

// scaled[j][t] = sum_{i <= j} x[i][t] P_ij
template <typename Real> void whiten(Tile<Real> &tile, const Real *factor) {
    const bool plain = tile.d <= SMALL_FEATURES;
    for (int64_t t = 0; t < tile.size; t += GROUP<Real>)
        for (int64_t j = 0; j < tile.d; ++j) {
            const Real *column = plain ? factor + j : factor + panel_begin(j / PANEL) + j % PANEL;
            const int64_t stride = plain ? tile.d : PANEL;
            Vec<Real> y[ROW_BLOCK] = {};
            for (int64_t i = 0; i <= j; ++i) {
                const Vec<Real> entry = broadcast(column[i * stride]);
                for (int r = 0; r < ROW_BLOCK; ++r)
                    y[r] += load(&tile.x[i * tile.size + t + r * LANES<Real>]) * entry;
            }
            for (int r = 0; r < ROW_BLOCK; ++r)
                store(&tile.scaled[j * tile.size + t + r * LANES<Real>], y[r]);
        }
}

// shares[k][t] = log w_k + log N(x_t; mu_k, Sigma_k)
template <typename Real> void log_densities(Tile<Real> &tile, const Prepared<Real> &mixture) {
    if (mixture.whitened)
        whiten(tile, mixture.factor(0));
    for (int64_t k = 0; k < mixture.n_components; ++k) {
        const Real *mean = mixture.means.data() + k * tile.d, *factor = mixture.factor(k);
        const Real constant = mixture.constants[size_t(k)];
        Real *out = &tile.shares[k * tile.size];
        switch (mixture.form) {
        case FactorForm::full: full(tile, mean, factor, constant, out); break;
        case FactorForm::shared:
            if (mixture.whitened)
                isotropic(tile, tile.scaled, mixture.whitened_means.data() + k * tile.d, Real(1), constant,
                          static_cast<Real *>(nullptr), out);
            else
                full(tile, mean, factor, constant, out);
            break;
        case FactorForm::diagonal:
            if (mixture.about_centre)
                shifted_diagonal(tile, mixture.shifts.data() + k * tile.d, factor, constant, out);
            else
                diagonal(tile, mean, factor, constant, out);
            break;
        case FactorForm::isotropic:
            isotropic(tile, tile.x, mean, *factor, constant, &tile.distances[k * tile.size], out);
            break;
        }
    }
}

} // namespace gaussmix::GAUSSMIX_ISA
