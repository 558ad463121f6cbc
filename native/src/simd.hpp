// Vectors of doubles or floats as wide as the instruction set allows, and exp and log on them.
//
// GCC's and Clang's vector extensions lower to AVX-512, AVX2, SSE2 or NEON by the flags of the
// file that includes this one; GAUSSMIX_ISA names the namespace, so that each set of flags makes
// functions of its own.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// GCC 12 warns of its own "undefined" vectors in the plain forms of some AVX-512 functions; the masked
// forms with all lanes on are the same instructions.
namespace gaussmix::GAUSSMIX_ISA {

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

template <typename Real> constexpr int LANES = BYTES / int(sizeof(Real));

template <typename Element> struct VectorOf {
    typedef Element type __attribute__((vector_size(BYTES)));
};
template <typename Real> using Vec = typename VectorOf<Real>::type;
template <typename Real> using Int = std::conditional_t<sizeof(Real) == 8, int64_t, int32_t>;
template <typename Real> using IntVec = typename VectorOf<Int<Real>>::type;
// What may wrap around, as bits of numbers that are thrown away do.
template <typename Real> using BitVec = typename VectorOf<std::make_unsigned_t<Int<Real>>>::type;

template <typename Real> inline Vec<Real> load(const Real *from) {
    Vec<Real> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

// As many numbers of another type as there are lanes.
template <typename Real, typename Given> inline Vec<Real> load_as(const Given *from) {
    typedef Given Part __attribute__((vector_size(LANES<Real> * sizeof(Given))));
    Part part;
    std::memcpy(&part, from, sizeof part);
    return __builtin_convertvector(part, Vec<Real>);
}

template <typename Real> inline void store(Real *to, std::type_identity_t<Vec<Real>> v) {
    std::memcpy(to, &v, sizeof v);
}

template <typename Real> inline Vec<Real> broadcast(Real x) {
    return x - Vec<Real>{};
}

// The smaller and the larger of two, lane by lane; b where one is NaN.
template <typename V> inline V smaller(V a, V b) {
    return a < b ? a : b;
}
template <typename V> inline V larger(V a, V b) {
    return a > b ? a : b;
}

// Swap the second half of each run of 2 W lanes of a with the first half of b's.
template <int W, typename V, int... Lane>
inline void swap_halves(V &a, V &b, std::integer_sequence<int, Lane...>) {
    constexpr int lanes = sizeof...(Lane);
    const V low = __builtin_shufflevector(a, b, (Lane % (2 * W) < W ? Lane : Lane - W + lanes)...);
    b = __builtin_shufflevector(a, b, (Lane % (2 * W) < W ? Lane + W : Lane + lanes)...);
    a = low;
}

// Transpose a square of as many vectors as there are lanes.
template <typename Real, int W = LANES<Real> / 2> inline void transpose_square(Vec<Real> *v) {
    for (int i = 0; i < LANES<Real>; ++i)
        if ((i & W) == 0)
            swap_halves<W>(v[i], v[i + W], std::make_integer_sequence<int, LANES<Real>>{});
    if constexpr (W > 1)
        transpose_square<Real, W / 2>(v);
}

// Of two vectors made of runs of 2 W lanes: the sums of the halves of each run, a's before b's.
template <int W, typename V, int... Lane> inline V fold(V a, V b, std::integer_sequence<int, Lane...>) {
    constexpr int lanes = sizeof...(Lane);
    // Lane l comes from a where it lies in the first half of its run, else from b.
    return __builtin_shufflevector(a, b, (Lane % (2 * W) < W ? Lane : Lane - W + lanes)...) +
           __builtin_shufflevector(a, b, (Lane % (2 * W) < W ? Lane + W : Lane + lanes)...);
}

// The sum of the lanes of v[i] in lane i, for as many vectors as there are lanes; v is used up. The
// order of additions is a fixed tree, so that it does not depend on the compiler's choice.
template <typename Real, int W = LANES<Real> / 2> inline Vec<Real> lane_sums(Vec<Real> *v) {
    for (int i = 0; i < W; ++i)
        v[i] = fold<W>(v[i], v[i + W], std::make_integer_sequence<int, LANES<Real>>{});
    if constexpr (W > 1)
        return lane_sums<Real, W / 2>(v);
    else
        return v[0];
}

// The sum of all lanes.
template <typename Real> inline double lane_sum(std::type_identity_t<Vec<Real>> v) {
    Real lanes[LANES<Real>];
    store(lanes, v);
    for (int width = LANES<Real> / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i)
            lanes[i] += lanes[i + width];
    return double(lanes[0]);
}

#if defined(__AVX512F__)

// exp(x) for x <= 0: x = (n / 16) ln 2 + r with |r| <= ln 2 / 32. 2^(n/16) is a table of 16 and an
// exponent; exp(r) is its Taylor series with the seventh power written as lower ones (Chebyshev;
// remainder 1e-17). n ln 2 / 16 is rounded once, which costs |x| / 8 units in the last place: less
// than the rounding of x itself.
inline Vec<double> exp_nonpositive(Vec<double> x) {
    constexpr double STEP = 0.043321698784996581839; // ln 2 / 16
    constexpr double ROUND = 6755399441055744.0;     // 1.5 * 2^52: adding it rounds to an integer
    constexpr double H2 = STEP * STEP / 4.0, C7 = 1.0 / 5040.0;
    const Vec<double> low = {1.0,
                             1.0442737824274138403,
                             1.0905077326652576592,
                             1.1387886347566916537,
                             1.1892071150027210667,
                             1.2418578120734840486,
                             1.2968395546510096659,
                             1.3542555469368927283};
    const Vec<double> high = {1.4142135623730950488, 1.4768261459394993114, 1.5422108254079408236,
                              1.6104903319492543082, 1.6817928305074290861, 1.7562521603732994831,
                              1.8340080864093424635, 1.9152065613971472939};
    // Farther down all is 0, and the rounding trick would leave its range.
    x = larger(x, broadcast(-800.0));
    const Vec<double> shifted = x * (1.0 / STEP) + ROUND;
    const Vec<double> n = shifted - ROUND;
    const Vec<double> r = x - n * STEP;
    Vec<double> p = broadcast(1.0 / 720.0);
    p = p * r + (1.0 / 120.0 + 112.0 / 64.0 * H2 * C7);
    p = p * r + 1.0 / 24.0;
    p = p * r + (1.0 / 6.0 - 56.0 / 64.0 * H2 * H2 * C7);
    p = p * r + 0.5;
    p = p * r + (1.0 + 7.0 / 64.0 * H2 * H2 * H2 * C7);
    const Vec<double> power = _mm512_permutex2var_pd(low, (__m512i)shifted, high);
    return _mm512_maskz_scalef_pd(0xFF, power + power * (p * r), n * 0.0625);
}

inline Vec<float> exp_nonpositive(Vec<float> x) {
    constexpr float STEP = 0.043321698784996581839F, ROUND = 12582912.0F; // 1.5 * 2^23
    constexpr float STEP_LOW = float(0.043321698784996581839 - double(STEP));
    const Vec<float> table = {1.0F,         1.044273782F, 1.090507733F, 1.138788635F,
                              1.189207115F, 1.241857812F, 1.296839555F, 1.354255547F,
                              1.414213562F, 1.476826146F, 1.542210825F, 1.610490332F,
                              1.681792831F, 1.756252160F, 1.834008086F, 1.915206561F};
    x = larger(x, broadcast(-200.0F));
    const Vec<float> shifted = x * (1.0F / STEP) + ROUND;
    const Vec<float> n = shifted - ROUND;
    const Vec<float> r = (x - n * STEP) - n * STEP_LOW;
    Vec<float> p = broadcast(1.0F / 24.0F);
    p = p * r + 1.0F / 6.0F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    const Vec<float> power = _mm512_maskz_permutexvar_ps(0xFFFF, (__m512i)shifted, table);
    return _mm512_maskz_scalef_ps(0xFFFF, power + power * (p * r), n * 0.0625F);
}

#else

// exp(x) for x <= 0: x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by its Taylor series to r^13
// (remainder 4e-18), times 2^n. Below -708 the result would be subnormal: it is 0.
inline Vec<double> exp_nonpositive(Vec<double> x) {
    constexpr double LOG2E = 1.4426950408889634074;
    constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    constexpr double ROUND = 6755399441055744.0; // 1.5 * 2^52: adding it rounds to an integer
    const Vec<double> shifted = x * LOG2E + ROUND;
    const Vec<double> n = shifted - ROUND;
    const Vec<double> r = (x - n * LN2_HIGH) - n * LN2_LOW;
    Vec<double> p = broadcast(1.0 / 6227020800.0);
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
    const Vec<double> scaled = (Vec<double>)((BitVec<double>)p + ((BitVec<double>)shifted << 52));
    return x < -708.0 ? Vec<double>{} : scaled;
}

// The same to r^7 (remainder 6e-9); below -87 it is 0.
inline Vec<float> exp_nonpositive(Vec<float> x) {
    constexpr float LOG2E = 1.44269504F, LN2_HIGH = 0.693145752F, LN2_LOW = 1.42860677e-6F;
    constexpr float ROUND = 12582912.0F; // 1.5 * 2^23
    const Vec<float> shifted = x * LOG2E + ROUND;
    const Vec<float> n = shifted - ROUND;
    const Vec<float> r = (x - n * LN2_HIGH) - n * LN2_LOW;
    Vec<float> p = broadcast(1.0F / 5040.0F);
    p = p * r + 1.0F / 720.0F;
    p = p * r + 1.0F / 120.0F;
    p = p * r + 1.0F / 24.0F;
    p = p * r + 1.0F / 6.0F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    const Vec<float> scaled = (Vec<float>)((BitVec<float>)p + ((BitVec<float>)shifted << 23));
    return x < -87.0F ? Vec<float>{} : scaled;
}

#endif

// log(x) for finite x >= 1: x = 2^n m with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh(s) with
// s = (m - 1) / (m + 1), |s| <= 0.1716, as a series in s^2 to s^21 (remainder 2e-18).
inline Vec<double> log_at_least_one(Vec<double> x) {
    constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    const IntVec<double> bits = (IntVec<double>)x;
    const IntVec<double> mantissa = (bits & 0x000FFFFFFFFFFFFFLL) | 0x3FF0000000000000LL;
    IntVec<double> exponent = (bits >> 52) - 1023;
    Vec<double> m = (Vec<double>)mantissa;
    const IntVec<double> high = m > 1.41421356237309504880;
    m = high ? m * 0.5 : m;
    exponent -= high; // a true lane is -1
    const Vec<double> n = __builtin_convertvector(exponent, Vec<double>);
    const Vec<double> s = (m - 1.0) / (m + 1.0);
    const Vec<double> z = s * s;
    Vec<double> p = broadcast(2.0 / 21.0);
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

// The same to s^9 (remainder 4e-9).
inline Vec<float> log_at_least_one(Vec<float> x) {
    constexpr float LN2_HIGH = 0.693145752F, LN2_LOW = 1.42860677e-6F;
    const IntVec<float> bits = (IntVec<float>)x;
    const IntVec<float> mantissa = (bits & 0x007FFFFF) | 0x3F800000;
    IntVec<float> exponent = (bits >> 23) - 127;
    Vec<float> m = (Vec<float>)mantissa;
    const IntVec<float> high = m > 1.41421356F;
    m = high ? m * 0.5F : m;
    exponent -= high;
    const Vec<float> n = __builtin_convertvector(exponent, Vec<float>);
    const Vec<float> s = (m - 1.0F) / (m + 1.0F);
    const Vec<float> z = s * s;
    Vec<float> p = broadcast(2.0F / 9.0F);
    p = p * z + 2.0F / 7.0F;
    p = p * z + 2.0F / 5.0F;
    p = p * z + 2.0F / 3.0F;
    p = p * z * s + 2.0F * s;
    return n * LN2_HIGH + (n * LN2_LOW + p);
}

} // namespace gaussmix::GAUSSMIX_ISA
