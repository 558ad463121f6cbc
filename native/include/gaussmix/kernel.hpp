// The E-step: what rows and a mixture go in, what sums come out. No Python here.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace gaussmix {

// How the K precision factors are stored; P P^T is the inverse covariance.
enum class FactorForm {
    full,     // (K, D, D), upper triangular
    shared,   // (D, D), upper triangular
    diagonal, // (K, D)
    isotropic // (K,)
};

// How much of sum_i r_ik (x_i - mu_k)(x_i - mu_k)^T is wanted.
enum class ScatterKind {
    full,     // (K, D, D)
    pooled,   // (D, D), summed over components
    diagonal, // (K, D)
    trace     // (K,)
};

// N rows with D features, anywhere in memory; strides count elements.
template <typename Given> struct Rows {
    const Given *values; // (N, D)
    int64_t n_rows;      // N
    int64_t n_features;  // D
    int64_t row_stride;
    int64_t column_stride;
    const double *weights; // (N,), or null where every row counts once
};

struct Components {
    const double *log_weights;      // (K,), minus infinity for an emptied component
    const double *means;            // (K, D)
    const double *factors;          // as `form` says
    const double *log_determinants; // (K,), log |P_k|
    FactorForm form;
    ScatterKind scatter;
    int64_t n_components; // K
    // Log of the density that noise adds at every row; minus infinity for none. Its share of a row is
    // what the components' responsibilities lack to 1.
    double log_background = -std::numeric_limits<double>::infinity();
};

// Doubles in the precision factors, and in a scatter, of K components with D features.
int64_t factor_size(FactorForm form, int64_t n_components, int64_t n_features);
int64_t scatter_size(ScatterKind kind, int64_t n_components, int64_t n_features);

// Where the sums go; r_ik is the responsibility times the row's weight.
struct Sums {
    double log_likelihood;  // sum_i w_i log p(x_i), with the background
    double row_weight;      // sum_i w_i
    double *counts;         // (K,), N_k = sum_i r_ik
    double *squared_counts; // (K,), sum_i r_ik^2 / w_i
    double *offsets;        // (K, D), s_k = sum_i r_ik (x_i - mu_k)
    double *scatter;        // scatter_size doubles
};

// For sums that are never computed in single precision.
constexpr int64_t NO_SINGLES = std::numeric_limits<int64_t>::max();

// Fill `sums` with the sums over all rows, on `n_threads` threads; the same bits for any number of
// them. Rows are taken in parts of `part_rows` (at least 1), whose sums are those that each part has by
// itself, added up as they come: any two neighbours that are sums of equally many parts become one, and at
// the end those that are left, from the last to the first. `interrupted` is asked several times a second
// and ends the work early; then false comes back. Parts of rows of floats that have at least `singles_from`
// numbers are computed in floats within a tile of rows, about the means' own centre, and in doubles across
// tiles; all others in doubles.
template <typename Given>
bool expected_sums(const Rows<Given> &rows, int64_t part_rows, const Components &components, Sums &sums,
                   int64_t singles_from, int n_threads, const std::function<bool()> &interrupted);

// How the M-step makes a covariance of a component's sums, beyond N and S: with pseudo-rows and their
// scatter, and a matrix added at the end. Matrices are (D, D), (D,) or (1,), as factors of their form are.
struct MStepRule {
    double pseudo_rows;
    const double *pseudo_scatter; // of one component: its trace where the form is isotropic
    const double *added;
    double strength;          // a of the penalty -a sum_k [tr(A Sigma_k^-1) + log |Sigma_k|] ...
    const double *anchor;     // ... and A (D, D)
    const double *resolution; // (D,), standard deviations at which a component has collapsed
    double flat;              // share of a variance at which a conditional variance is rounding
    double enough;            // a mixture that gains no more than this in a step takes no more steps
};

// M mixtures of K components side by side, changed in place.
struct Climbers {
    double *weights;        // (M, K)
    double *means;          // (M, K, D)
    double *covariances;    // (M, K, D, D), (M, K, D) or (M, K), as factors of the form are
    FactorForm form;        // not shared
    int64_t n_mixtures;     // M
    int64_t n_components;   // K
    double *objectives;     // (M,), at the end; minus infinity where a component has collapsed
    double *counts;         // (M, K), N_k at the end
    double *squared_counts; // (M, K), sum_i r_ik^2 / w_i at the end
};

// Take `n_steps` EM steps from each mixture, one thread to a mixture, and an E-step at the end. Sums are not
// taken in twice the digits here, however few rows there are. The rows may be several tables of as many rows
// each, one after the other; then so are the mixtures, as many for each table. `interrupted` as above.
bool climb(const Rows<double> &rows, int64_t n_tables, const MStepRule &rule, int64_t n_steps,
           Climbers &climbers, int n_threads, const std::function<bool()> &interrupted);

// Precision factors P (D, D), upper triangular, of n covariances (n, D, D): P P^T = Sigma^-1. False in
// `sound` (n,) where some feature's variance given all others is below `flat` times its variance.
void triangular_factors(const double *covariances /* (n, D, D) */, int64_t n, int64_t n_features, double flat,
                        double *factors /* (n, D, D) */, bool *sound /* (n,) */);

// What a mixture says of each row; null where it is not asked.
struct Scores {
    int32_t *labels;       // (N,), the likeliest component, the first of equals; -1 for the background
    double *shares;        // (N, K), responsibilities
    double *log_densities; // (N,), log p(x_i), with the background
    double *distances;     // (N, K), squared Mahalanobis distances
    double *largest;       // (N,), the largest responsibility, the background's included
    double *nearest;       // (N,), the least squared distance; asked for together with ...
    double *fourths;       // (N,), sum_k r_ik d_ik^4, distances no larger than 1e50
};

// Fill `scores` for all rows on `n_threads` threads; `interrupted` as above.
template <typename Given>
bool score_rows(const Rows<Given> &rows, const Components &components, const Scores &scores, int n_threads,
                const std::function<bool()> &interrupted);

// Fill `sums` with the sums of given responsibilities r_ik (N, K) about given centres (K, D), null
// where each is 1; the log-likelihood is 0.
template <typename Given>
bool given_sums(const Rows<Given> &rows, const double *responsibilities /* (N, K) */,
                const double *centres /* (K, D) */, int64_t n_components, ScatterKind scatter, Sums &sums,
                int n_threads, const std::function<bool()> &interrupted);

// One round of k-means; labels and distances are null where they are not asked for.
struct Nearest {
    int32_t *labels;   // (N,), the nearest of K centres, the first of equals
    double *distances; // (N,), squared, from it
    double *counts;    // (K,), weight of the rows nearest to each
    double *offsets;   // (K, D), their sum of w (x - centre)
};

bool nearest_centres(const Rows<double> &rows, const double *centres /* (K, D) */, int64_t n_centres,
                     const Nearest &nearest, int n_threads, const std::function<bool()> &interrupted);

// Turn standard normal rows z (N, D), in place, into mu + R^T z: with R^T R = Sigma, rows of N(mu, Sigma).
void place_rows(double *rows /* (N, D) */, int64_t n_rows, int64_t n_features, const double *mean /* (D,) */,
                const double *root /* (D, D), R, upper triangular */, int n_threads);

// The instruction set in use (avx512, avx2 or baseline), and those this machine can run.
std::string instruction_set();
std::vector<std::string> instruction_sets();

// Use another of them; false if this machine cannot.
bool use_instruction_set(const std::string &name);

} // namespace gaussmix
