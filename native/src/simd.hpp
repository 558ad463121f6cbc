// Vectors of doubles as wide as the instruction set allows, and exp and log on them.
//
// GCC's and Clang's vector extensions lower to AVX-512, AVX2, SSE2 or NEON by the flags of the
// file that includes this one; GAUSSMIX_ISA names the namespace, so that each set of flags makes
// functions of its own.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace gaussmix::GAUSSMIX_ISA {

#if defined(__AVX512F__)
constexpr int LANES = 8;
#elif defined(__AVX__)
constexpr int LANES = 4;
#else
constexpr int LANES = 2;
#endif

typedef double Vec __attribute__((vector_size(LANES * 8)));
typedef int64_t IntVec __attribute__((vector_size(LANES * 8)));

inline Vec load(const double *from) {
    Vec v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

inline void store(double *to, Vec v) {
    std::memcpy(to, &v, sizeof v);
}

inline Vec broadcast(double x) {
    return x - Vec{};
}

inline Vec choose(IntVec mask, Vec yes, Vec no) {
    return mask ? yes : no;
}

inline Vec larger(Vec a, Vec b) {
    return choose(a > b, a, b);
}

// Lanes are added as a fixed tree, so that the sum does not depend on the compiler's choice.
inline double lane_sum(Vec v) {
    double lanes[LANES];
    store(lanes, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i)
            lanes[i] += lanes[i + width];
    return lanes[0];
}

// exp(x) for x <= 0: x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by its Taylor series to r^13
// (remainder 4e-18), times 2^n. Below -708 the result would be subnormal: it is 0.
inline Vec exp_nonpositive(Vec x) {
    constexpr double LOG2E = 1.4426950408889634074;
    constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    constexpr double ROUND = 6755399441055744.0; // 1.5 * 2^52: adding it rounds to an integer
    const Vec shifted = x * LOG2E + ROUND;
    const Vec n = shifted - ROUND;
    const Vec r = (x - n * LN2_HIGH) - n * LN2_LOW;
    Vec p = broadcast(1.0 / 6227020800.0);
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    // The integer n stands in the low bits of `shifted`; moved to the exponent it is 2^n.
    const Vec scaled = (Vec)((IntVec)p + ((IntVec)shifted << 52));
    return choose(x < -708.0, Vec{}, scaled);
}

// log(x) for finite x >= 1: x = 2^n m with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh(s) with
// s = (m - 1) / (m + 1), |s| <= 0.1716, as a series in s^2 to s^21 (remainder 2e-18).
inline Vec log_at_least_one(Vec x) {
    constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    const IntVec bits = (IntVec)x;
    const IntVec mantissa = (bits & 0x000FFFFFFFFFFFFFLL) | 0x3FF0000000000000LL;
    IntVec exponent = (bits >> 52) - 1023;
    Vec m = (Vec)mantissa;
    const IntVec high = m > 1.41421356237309504880;
    m = choose(high, m * 0.5, m);
    exponent -= high; // a true lane is -1
    const Vec n = __builtin_convertvector(exponent, Vec);
    const Vec s = (m - 1.0) / (m + 1.0);
    const Vec z = s * s;
    Vec p = broadcast(2.0 / 21.0);
    p = p * z + 2.0 / 19.0;
    p = p * z + 2.0 / 17.0;
    p = p * z + 2.0 / 15.0;
    p = p * z + 2.0 / 13.0;
    p = p * z + 2.0 / 11.0;
    p = p * z + 2.0 / 9.0;
    p = p * z + 2.0 / 7.0;
    p = p * z + 2.0 / 5.0;
    p = p * z + 2.0 / 3.0;
    p = p * z * s + 2.0 * s;
    return n * LN2_HIGH + (n * LN2_LOW + p);
}

} // namespace gaussmix::GAUSSMIX_ISA
