// Sums over one block of rows, on one thread: what each instruction set compiles for itself.
#pragma once

#include "gaussmix/kernel.hpp"

#include <atomic>

namespace gaussmix {

template <typename Real>
using BlockSums = void (*)(const Rows<Real> &rows, const Components &components, int64_t first, int64_t last,
                           Sums &sums, const std::atomic<bool> &stop);
template <typename Real>
using BlockScores = void (*)(const Rows<Real> &rows, const Components &components, int64_t first,
                             int64_t last, const Scores &scores, const std::atomic<bool> &stop);

// What an instruction set offers for rows of one type.
template <typename Real> struct BlockFunctions {
    BlockSums<Real> sums;
    BlockScores<Real> scores;
};

namespace baseline {
template <typename Real> BlockFunctions<Real> block_functions();
}
#if defined(GAUSSMIX_X86)
namespace avx2 {
template <typename Real> BlockFunctions<Real> block_functions();
}
namespace avx512 {
template <typename Real> BlockFunctions<Real> block_functions();
}
#endif

} // namespace gaussmix
