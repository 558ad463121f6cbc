// A tile of rows that stays in cache, feature by feature: x[d][t], with T rows a multiple of the
// vector width, so that every loop runs over rows. Rows that fill the last tile up have weight 0.
#pragma once

#include "gaussmix/kernel.hpp"
#include "simd.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace gaussmix::GAUSSMIX_ISA {

// Row vectors that share one load of a factor's entry.
constexpr int ROW_BLOCK = 4;
template <typename Real> constexpr int64_t GROUP = ROW_BLOCK * LANES<Real>;

struct Free {
    void operator()(char *p) const { std::free(p); }
};

// Zeros, cut into arrays that each begin at a multiple of 64 bytes. One request for memory in place of one
// for each array, which would take longer than an E-step over few rows.
class Memory {
  public:
    explicit Memory(int64_t bytes) : all(static_cast<char *>(std::calloc(size_t(bytes + LINE), 1))) {
        if (all == nullptr)
            throw std::bad_alloc();
        const uintptr_t begin = reinterpret_cast<uintptr_t>(all.get());
        next = all.get() + ((begin + LINE - 1) / LINE * LINE - begin);
    }

    // With a gap that a sanitizer watches, where there is one.
    template <typename Real> static int64_t bytes_for(int64_t size) {
        return (size * int64_t(sizeof(Real)) + LINE - 1) / LINE * LINE + GAP;
    }

    template <typename Real> Real *array(int64_t size) {
        Real *found = reinterpret_cast<Real *>(next);
        next += bytes_for<Real>(size);
#if defined(__SANITIZE_ADDRESS__)
        const char *end = reinterpret_cast<const char *>(found + size);
        ASAN_POISON_MEMORY_REGION(end, size_t(next - end));
#endif
        return found;
    }

  private:
    static constexpr int64_t LINE = 64;
#if defined(__SANITIZE_ADDRESS__)
    static constexpr int64_t GAP = LINE;
#else
    static constexpr int64_t GAP = 0;
#endif

    std::unique_ptr<char, Free> all;
    char *next;
};

// Rows in a tile: so many that adding up lanes at the end of each tile costs little, and so few that
// a tile, its scaled copy and its (K, T) responsibilities stay in a core's cache. Measured; depends on
// the shapes only.
template <typename Real> int64_t tile_rows(int64_t n_features, int64_t n_components) {
    constexpr int64_t BUDGET = 768 * 1024; // bytes
    constexpr int64_t MOST = 192;
    const int64_t rows = BUDGET / int64_t(sizeof(Real)) / (3 * n_features + 2 * n_components);
    return std::clamp<int64_t>(rows / GROUP<Real> * GROUP<Real>, GROUP<Real>, MOST);
}

template <typename Real> struct Tile {
    int64_t size; // T
    int64_t d;    // D
    Memory memory;
    Real *x;         // (D, T), rows less the centre
    Real *centred;   // (D, T), rows less a mean
    Real *scaled;    // (D, T), whitened, weighted or squared rows
    Real *group;     // (D, GROUP), rows of one group less a mean
    Real *weights;   // (T,), of rows; then, beside a background, what of them the components hold
    Real *shares;    // (K, T), log densities, then responsibilities times weights
    Real *distances; // (K, T), squared, before they are divided by a variance; isotropic only
    Real *totals;    // (T,), scratch
    Real *evidence;  // (T,), log densities of the mixture

    Tile(int64_t t, int64_t n_features, int64_t k, bool isotropic)
        : size(t), d(n_features), memory(3 * bytes(t * d) + bytes(GROUP<Real> * d) +
                                         (isotropic ? 2 : 1) * bytes(t * k) + 3 * bytes(t)),
          x(array(t * d)), centred(array(t * d)), scaled(array(t * d)), group(array(GROUP<Real> * d)),
          weights(array(t)), shares(array(t * k)), distances(array(isotropic ? t * k : 0)), totals(array(t)),
          evidence(array(t)) {}

  private:
    static int64_t bytes(int64_t numbers) { return Memory::bytes_for<Real>(numbers); }
    Real *array(int64_t numbers) { return memory.array<Real>(numbers); }
};

// Square blocks of rows x features to features x rows, as many features as fill vectors; returns
// how many that were.
template <typename Real, typename Given>
int64_t transpose(Tile<Real> &tile, const Given *from, int64_t row_stride, int64_t count,
                  const double *centre) {
    constexpr int lanes = LANES<Real>;
    const int64_t blocks = tile.d / lanes * lanes;
    for (int64_t d = 0; d < blocks; d += lanes)
        for (int64_t t = 0; t < count; t += lanes) {
            Vec<Real> rows[lanes];
            for (int r = 0; r < lanes; ++r)
                rows[r] = load_as<Real>(from + std::min<int64_t>(t + r, count - 1) * row_stride + d);
            transpose_square<Real>(rows);
            for (int i = 0; i < lanes; ++i)
                store(&tile.x[(d + i) * tile.size + t], rows[i] - Real(centre[d + i]));
        }
    return blocks;
}

// x[d][t] = rows[first + t][d] - centre[d]; rows beyond `count` repeat the last one with weight 0.
template <typename Real, typename Given>
void fill(Tile<Real> &tile, const Rows<Given> &rows, int64_t first, int64_t count, const double *centre) {
    const Given *from = rows.values + first * rows.row_stride;
    int64_t done = 0;
    if (rows.column_stride == 1)
        done = transpose(tile, from, rows.row_stride, count, centre);
    for (int64_t d = done; d < tile.d; ++d) {
        Real *x = &tile.x[d * tile.size];
        const Given *column = from + d * rows.column_stride;
        const Real middle = Real(centre[d]);
        if (rows.row_stride == 1)
            for (int64_t t = 0; t < count; ++t)
                x[t] = Real(column[t]) - middle;
        else
            for (int64_t t = 0; t < count; ++t)
                x[t] = Real(column[t * rows.row_stride]) - middle;
    }
    for (int64_t d = 0; d < tile.d; ++d) {
        Real *x = &tile.x[d * tile.size];
        std::fill(x + count, x + tile.size, x[count - 1]);
    }
    Real *weights = tile.weights;
    if (rows.weights == nullptr)
        std::fill(weights, weights + count, Real(1));
    else
        for (int64_t t = 0; t < count; ++t)
            weights[t] = Real(rows.weights[first + t]);
    std::fill(weights + count, weights + tile.size, Real(0));
}

// Ask for the rows of the next tile while this one is computed.
template <typename Given> void fetch_ahead(const Rows<Given> &rows, int64_t first, int64_t count) {
    if (rows.column_stride != 1 || rows.row_stride != rows.n_features || count <= 0)
        return;
    const char *from = reinterpret_cast<const char *>(rows.values + first * rows.row_stride);
    const int64_t bytes = count * rows.row_stride * int64_t(sizeof(Given));
    for (int64_t byte = 0; byte < bytes; byte += 64)
        __builtin_prefetch(from + byte);
}

} // namespace gaussmix::GAUSSMIX_ISA
