// Rows cut into blocks: how many there are depends on the shapes only, and their sums are added up as a
// fixed tree, so the bits do not depend on the threads.
#pragma once

#include "gaussmix/kernel.hpp"

#include <algorithm>
#include <vector>

namespace gaussmix {

// Memory for the sums of all blocks, and how many blocks there are at most and at least.
constexpr int64_t PARTIAL_DOUBLES = 2 << 20, MOST_BLOCKS = 64, LEAST_BLOCKS = 8;
// Work (rows x components x features) below which a thread costs more than it saves.
constexpr int64_t SMALL_WORK = 1 << 16;

// Work, rows x components x (features + 2)^2, up to which sums are taken in twice the digits: less
// than half a millisecond.
constexpr int64_t EXACT_WORK = 1 << 18;

inline bool few_rows(int64_t n_rows, int64_t k, int64_t d) {
    return n_rows * k * (d + 2) * (d + 2) <= EXACT_WORK;
}

// Sums, and their memory.
struct Partial {
    std::vector<double> memory;
    Sums sums{};

    Partial(int64_t k, int64_t d, int64_t scatter) : memory(size_t(2 * k + k * d + scatter), 0.0) {
        sums.counts = memory.data();
        sums.squared_counts = sums.counts + k;
        sums.offsets = sums.squared_counts + k;
        sums.scatter = sums.offsets + k * d;
    }
    // The sums point into the memory, which stays where it is when they move.
    Partial(Partial &&) = default;
    Partial &operator=(Partial &&) = default;

    void add(const Partial &other) {
        sums.log_likelihood += other.sums.log_likelihood;
        sums.row_weight += other.sums.row_weight;
        for (size_t i = 0; i < memory.size(); ++i)
            memory[i] += other.memory[i];
    }
};

// Rows cut into blocks, with memory for the sums of each.
struct Blocked {
    int64_t n_rows;
    std::vector<Partial> partials; // one a block

    Blocked(int64_t rows, int64_t n_blocks, int64_t k, int64_t d, int64_t scatter) : n_rows(rows) {
        partials.reserve(size_t(n_blocks));
        for (int64_t block = 0; block < n_blocks; ++block)
            partials.emplace_back(k, d, scatter);
    }

    int64_t n_blocks() const { return int64_t(partials.size()); }
    int64_t first_of(int64_t block) const { return n_rows * block / n_blocks(); }

    // The sums of all blocks, in the first one's place.
    Partial &added_up() {
        for (int64_t stride = 1; stride < n_blocks(); stride *= 2)
            for (int64_t block = 0; block + stride < n_blocks(); block += 2 * stride)
                partials[size_t(block)].add(partials[size_t(block + stride)]);
        return partials[0];
    }
};

inline int64_t numbers_of_sums(int64_t k, int64_t d, int64_t scatter) {
    return 2 * k + k * d + scatter;
}

inline int64_t blocks_for(int64_t n_rows, int64_t k, int64_t d, int64_t scatter) {
    const int64_t by_memory = PARTIAL_DOUBLES / numbers_of_sums(k, d, scatter);
    const int64_t by_work = std::max<int64_t>(n_rows * k * d / SMALL_WORK, 1);
    return std::min(std::clamp(by_memory, LEAST_BLOCKS, MOST_BLOCKS), by_work);
}

inline void copy_sums(const Sums &from, int64_t k, int64_t d, int64_t scatter, Sums &to) {
    to.log_likelihood = from.log_likelihood;
    to.row_weight = from.row_weight;
    std::copy_n(from.counts, k, to.counts);
    std::copy_n(from.squared_counts, k, to.squared_counts);
    std::copy_n(from.offsets, k * d, to.offsets);
    std::copy_n(from.scatter, scatter, to.scatter);
}

// Kernels fill the upper triangle; the lower one mirrors it.
inline void mirror(double *scatter /* (n, D, D) */, int64_t n, int64_t d) {
    for (int64_t k = 0; k < n; ++k)
        for (int64_t i = 0; i < d; ++i)
            for (int64_t j = 0; j < i; ++j)
                scatter[(k * d + i) * d + j] = scatter[(k * d + j) * d + i];
}

inline void mirror(Sums &sums, ScatterKind kind, int64_t k, int64_t d) {
    if (kind == ScatterKind::full)
        mirror(sums.scatter, k, d);
    if (kind == ScatterKind::pooled)
        mirror(sums.scatter, 1, d);
}

} // namespace gaussmix
