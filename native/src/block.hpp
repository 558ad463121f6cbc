// Sums over one block of rows, on one thread: what each instruction set compiles for itself.
#pragma once

#include "gaussmix/kernel.hpp"

#include <atomic>

namespace gaussmix {

template <typename Real>
using BlockSums = void (*)(const Rows<Real> &rows, const Components &components, int64_t first, int64_t last,
                           Sums &sums, const std::atomic<bool> &stop);

#define GAUSSMIX_DECLARE_BLOCK_SUMS(isa)                                                                     \
    namespace isa {                                                                                          \
    template <typename Real>                                                                                 \
    void block_sums(const Rows<Real> &, const Components &, int64_t, int64_t, Sums &,                        \
                    const std::atomic<bool> &);                                                              \
    extern template void block_sums(const Rows<double> &, const Components &, int64_t, int64_t, Sums &,      \
                                    const std::atomic<bool> &);                                              \
    extern template void block_sums(const Rows<float> &, const Components &, int64_t, int64_t, Sums &,       \
                                    const std::atomic<bool> &);                                              \
    }

GAUSSMIX_DECLARE_BLOCK_SUMS(baseline)
#if defined(GAUSSMIX_X86)
GAUSSMIX_DECLARE_BLOCK_SUMS(avx2)
GAUSSMIX_DECLARE_BLOCK_SUMS(avx512)
#endif

} // namespace gaussmix
