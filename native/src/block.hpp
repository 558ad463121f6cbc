// Work on one block of rows, on one thread: what each instruction set compiles for itself.
#pragma once

#include "gaussmix/kernel.hpp"
#include "prepared.hpp"
#include "workers.hpp"

namespace gaussmix {

// Sums in the arithmetic of Real over rows of numbers Given.
template <typename Real, typename Given>
using BlockSums = void (*)(const Rows<Given> &rows, const Prepared<Real> &mixture, int64_t first,
                           int64_t last, Sums &sums, Stop &stop);
template <typename Given>
using BlockScores = void (*)(const Rows<Given> &rows, const Prepared<double> &mixture, int64_t first,
                             int64_t last, const Scores &scores, Stop &stop);

template <typename Given>
using BlockGivenSums = void (*)(const Rows<Given> &rows, const double *responsibilities,
                                const Prepared<double> &centres, int64_t first, int64_t last, Sums &sums,
                                Stop &stop);
using BlockNearest = void (*)(const Rows<double> &rows, const Prepared<double> &centres, int64_t first,
                              int64_t last, const Nearest &nearest, Stop &stop);

using BlockPlace = void (*)(double *rows, int64_t n_features, const double *mean, const double *root,
                            int64_t first, int64_t last);

// All rows at once, in twice the digits; the responsibilities are the mixture's unless they are given.
template <typename Given>
using ExactSumsOfRows = void (*)(const Rows<Given> &rows, const Prepared<double> &mixture, bool given,
                                 const double *responsibilities, Sums &sums);

struct BlockFunctions {
    BlockSums<double, double> sums_of_doubles;
    BlockSums<double, float> sums_of_floats;
    BlockSums<float, float> quick_sums_of_floats;
    BlockScores<double> scores_of_doubles;
    BlockScores<float> scores_of_floats;
    BlockGivenSums<double> given_sums_of_doubles;
    BlockGivenSums<float> given_sums_of_floats;
    BlockNearest nearest;
    ExactSumsOfRows<double> exact_sums_of_doubles;
    ExactSumsOfRows<float> exact_sums_of_floats;
    BlockPlace place;
};

namespace baseline {
BlockFunctions block_functions();
}
#if defined(GAUSSMIX_X86)
namespace avx2 {
BlockFunctions block_functions();
}
namespace avx512 {
BlockFunctions block_functions();
}
#endif

} // namespace gaussmix
