// The only file that knows Python: arrays in, sums into arrays that Python made.

#include "gaussmix/kernel.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>

namespace nb = nanobind;
using namespace gaussmix;

namespace {

template <typename Real> using RowArray = nb::ndarray<const Real, nb::ndim<2>, nb::device::cpu>;
using In = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<double, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<int32_t, nb::c_contig, nb::device::cpu>;

void expect(bool fits, const char *message) {
    if (!fits)
        throw nb::value_error(message);
}

FactorForm form_named(const std::string &name) {
    if (name == "full")
        return FactorForm::full;
    if (name == "shared")
        return FactorForm::shared;
    if (name == "diagonal")
        return FactorForm::diagonal;
    expect(name == "isotropic", "unknown form of precision factors");
    return FactorForm::isotropic;
}

ScatterKind kind_named(const std::string &name) {
    if (name == "full")
        return ScatterKind::full;
    if (name == "pooled")
        return ScatterKind::pooled;
    if (name == "diagonal")
        return ScatterKind::diagonal;
    expect(name == "trace", "unknown kind of scatter");
    return ScatterKind::trace;
}

Components checked_components(const In &log_weights, const In &means, const In &factors,
                              const In &log_determinants, FactorForm form, double log_background,
                              ScatterKind scatter, int64_t d) {
    const int64_t k = int64_t(log_weights.size());
    expect(k > 0 && d > 0, "there must be components and features");
    expect(int64_t(means.size()) == k * d && int64_t(log_determinants.size()) == k,
           "means do not fit the rows");
    expect(int64_t(factors.size()) == factor_size(form, k, d), "factors do not fit their form");
    expect(log_background < std::numeric_limits<double>::infinity(), // false of NaN, too
           "the background's log density must be a number or minus infinity");
    return {log_weights.data(), means.data(), factors.data(), log_determinants.data(), form, scatter, k,
            log_background};
}

// Whether this is the thread on which Python answers signals.
bool on_main_thread() {
    const nb::object ident = nb::module_::import_("threading").attr("main_thread")().attr("ident");
    return nb::cast<unsigned long>(ident) == PyThread_get_thread_ident();
}

// Asks whether Python has a signal to answer; the exception is then set. Never asks on other threads:
// they get no signals, and a daemon thread that takes the lock while Python exits is killed there.
std::function<bool()> signal_watch() {
    if (!on_main_thread())
        return [] { return false; };
    return [] {
        nb::gil_scoped_acquire with_gil;
        return PyErr_CheckSignals() != 0;
    };
}

// Work without Python's lock; work that a signal ended early raises what the signal's handler raised.
template <typename Work> void unlocked(const Work &work) {
    const std::function<bool()> interrupted = signal_watch();
    bool finished;
    {
        nb::gil_scoped_release without_gil;
        finished = work(interrupted);
    }
    if (!finished)
        throw nb::python_error();
}

// Returns (log_likelihood, row_weight); raises KeyboardInterrupt within a fraction of a second.
template <typename Real>
nb::tuple sums_of(RowArray<Real> rows, std::optional<In> weights, In log_weights, In means, In factors,
                  In log_determinants, const std::string &form, double log_background,
                  const std::string &scatter, Out counts, Out squared_counts, Out offsets, Out moments,
                  int64_t part_rows, std::optional<int64_t> singles_from, int n_threads) {
    const int64_t n = int64_t(rows.shape(0)), d = int64_t(rows.shape(1)), k = int64_t(log_weights.size());
    expect(part_rows > 0, "a part has at least one row");
    const Components components =
        checked_components(log_weights, means, factors, log_determinants, form_named(form), log_background,
                           kind_named(scatter), d);
    expect(!weights || int64_t(weights->size()) == n, "one weight a row");
    expect(int64_t(counts.size()) == k && int64_t(squared_counts.size()) == k &&
               int64_t(offsets.size()) == k * d &&
               int64_t(moments.size()) == scatter_size(components.scatter, k, d),
           "the arrays for the sums have the wrong sizes");
    const Rows<Real> view{
        rows.data(), n, d, rows.stride(0), rows.stride(1), weights ? weights->data() : nullptr};
    Sums sums{0.0, 0.0, counts.data(), squared_counts.data(), offsets.data(), moments.data()};
    unlocked([&](const std::function<bool()> &interrupted) {
        return expected_sums<Real>(view, part_rows, components, sums, singles_from.value_or(NO_SINGLES),
                                   n_threads, interrupted);
    });
    return nb::make_tuple(sums.log_likelihood, sums.row_weight);
}

// EM steps of M mixtures, as many for each of the tables that the rows are, in place: weights (M, K), means
// (M, K, D), covariances as their form says.
void climb_of(RowArray<double> rows, std::optional<In> weights, Out mixing, Out means, Out covariances,
              const std::string &form, double pseudo_rows, In pseudo_scatter, In added, double strength,
              In anchor, In resolution, double flat, double enough, int64_t n_steps, Out objectives,
              Out counts, Out squared_counts, int64_t n_tables, int n_threads) {
    const int64_t n = int64_t(rows.shape(0)), d = int64_t(rows.shape(1)), m = int64_t(objectives.size());
    const int64_t total = int64_t(mixing.size());
    expect(m > 0 && d > 0 && total > 0 && total % m == 0,
           "there must be mixtures, all with as many components");
    expect(n_tables > 0 && n % n_tables == 0 && m % n_tables == 0,
           "tables must have as many rows and mixtures");
    const FactorForm factor_form = form_named(form);
    expect(factor_form != FactorForm::shared, "components must have covariances of their own");
    const int64_t size = factor_size(factor_form, 1, d);
    expect(int64_t(means.size()) == total * d && int64_t(covariances.size()) == total * size &&
               int64_t(counts.size()) == total && int64_t(squared_counts.size()) == total,
           "the arrays of the mixtures have the wrong sizes");
    expect(int64_t(pseudo_scatter.size()) == size && int64_t(added.size()) == size &&
               int64_t(anchor.size()) == d * d && int64_t(resolution.size()) == d,
           "the rule does not fit the rows");
    expect(!weights || int64_t(weights->size()) == n, "one weight a row");
    const MStepRule rule{pseudo_rows,   pseudo_scatter.data(), added.data(), strength,
                         anchor.data(), resolution.data(),     flat,         enough};
    Climbers climbers{mixing.data(), means.data(),      covariances.data(), factor_form,          m,
                      total / m,     objectives.data(), counts.data(),      squared_counts.data()};
    const Rows<double> view{
        rows.data(), n, d, rows.stride(0), rows.stride(1), weights ? weights->data() : nullptr};
    unlocked([&](const std::function<bool()> &interrupted) {
        return climb(view, n_tables, rule, n_steps, climbers, n_threads, interrupted);
    });
}

// Precision factors (n, D, D) of covariances (n, D, D), and which of them are sound (n,).
void factors_of(nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu> covariances,
                double flat, Out factors, nb::ndarray<bool, nb::c_contig, nb::device::cpu> sound) {
    const int64_t n = int64_t(covariances.shape(0)), d = int64_t(covariances.shape(1));
    expect(int64_t(covariances.shape(2)) == d && factors.size() == covariances.size() &&
               int64_t(sound.size()) == n,
           "the arrays have the wrong sizes");
    nb::gil_scoped_release without_gil;
    triangular_factors(covariances.data(), n, d, flat, factors.data(), sound.data());
}

// Sums with given responsibilities (N, K) about given centres (K, D); returns the row weight.
template <typename Real>
double given_sums_of(RowArray<Real> rows, std::optional<In> weights, std::optional<In> responsibilities,
                     In centres, const std::string &scatter, Out counts, Out squared_counts, Out offsets,
                     Out moments, int n_threads) {
    const int64_t n = int64_t(rows.shape(0)), d = int64_t(rows.shape(1)), k = int64_t(counts.size());
    const ScatterKind kind = kind_named(scatter);
    expect(k > 0 && d > 0, "there must be components and features");
    expect(int64_t(centres.size()) == k * d, "centres do not fit the rows");
    expect(!responsibilities || int64_t(responsibilities->size()) == n * k,
           "one responsibility a row and component");
    expect(!weights || int64_t(weights->size()) == n, "one weight a row");
    expect(int64_t(squared_counts.size()) == k && int64_t(offsets.size()) == k * d &&
               int64_t(moments.size()) == scatter_size(kind, k, d),
           "the arrays for the sums have the wrong sizes");
    const Rows<Real> view{
        rows.data(), n, d, rows.stride(0), rows.stride(1), weights ? weights->data() : nullptr};
    Sums sums{0.0, 0.0, counts.data(), squared_counts.data(), offsets.data(), moments.data()};
    unlocked([&](const std::function<bool()> &interrupted) {
        return given_sums<Real>(view, responsibilities ? responsibilities->data() : nullptr, centres.data(),
                                k, kind, sums, n_threads, interrupted);
    });
    return sums.row_weight;
}

// Standard normal rows (N, D) to rows with a mean (D,) and a root (D, D) of a covariance, in place.
void place_in(Out rows, In mean, In root, int n_threads) {
    const int64_t d = int64_t(mean.size());
    expect(rows.ndim() == 2 && int64_t(rows.shape(1)) == d && int64_t(root.size()) == d * d,
           "mean and root do not fit the rows");
    nb::gil_scoped_release without_gil;
    place_rows(rows.data(), int64_t(rows.shape(0)), d, mean.data(), root.data(), n_threads);
}

// The nearest of K centres: labels and distances (N,), counts (K,) and offsets (K, D).
void nearest_of(RowArray<double> rows, In weights, In centres, Labels labels, Out distances, Out counts,
                Out offsets, int n_threads) {
    const int64_t n = int64_t(rows.shape(0)), d = int64_t(rows.shape(1)), k = int64_t(counts.size());
    expect(k > 0 && d > 0 && int64_t(centres.size()) == k * d, "centres do not fit the rows");
    expect(int64_t(weights.size()) == n && int64_t(labels.size()) == n && int64_t(distances.size()) == n &&
               int64_t(offsets.size()) == k * d,
           "the arrays have the wrong sizes");
    const Rows<double> view{rows.data(), n, d, rows.stride(0), rows.stride(1), weights.data()};
    const Nearest nearest{labels.data(), distances.data(), counts.data(), offsets.data()};
    unlocked([&](const std::function<bool()> &interrupted) {
        return nearest_centres(view, centres.data(), k, nearest, n_threads, interrupted);
    });
}

// Labels (N,), responsibilities (N, K), log densities (N,), squared distances (N, K), and largest
// responsibilities, least squared distances and expected fourth powers (N,) into the arrays that are given.
template <typename Real>
void scores_of(RowArray<Real> rows, In log_weights, In means, In factors, In log_determinants,
               const std::string &form, double log_background, std::optional<Labels> labels,
               std::optional<Out> shares, std::optional<Out> log_densities, std::optional<Out> distances,
               std::optional<Out> largest, std::optional<Out> nearest, std::optional<Out> fourths,
               int n_threads) {
    const int64_t n = int64_t(rows.shape(0)), d = int64_t(rows.shape(1)), k = int64_t(log_weights.size());
    const Components components = checked_components(log_weights, means, factors, log_determinants,
                                                     form_named(form), log_background, ScatterKind::trace, d);
    expect((!labels || int64_t(labels->size()) == n) && (!shares || int64_t(shares->size()) == n * k) &&
               (!log_densities || int64_t(log_densities->size()) == n) &&
               (!distances || int64_t(distances->size()) == n * k) &&
               (!largest || int64_t(largest->size()) == n) && bool(nearest) == bool(fourths) &&
               (!nearest || (int64_t(nearest->size()) == n && int64_t(fourths->size()) == n)),
           "the arrays for the scores have the wrong sizes");
    const Rows<Real> view{rows.data(), n, d, rows.stride(0), rows.stride(1), nullptr};
    const Scores scores{labels ? labels->data() : nullptr,
                        shares ? shares->data() : nullptr,
                        log_densities ? log_densities->data() : nullptr,
                        distances ? distances->data() : nullptr,
                        largest ? largest->data() : nullptr,
                        nearest ? nearest->data() : nullptr,
                        fourths ? fourths->data() : nullptr};
    unlocked([&](const std::function<bool()> &interrupted) {
        return score_rows<Real>(view, components, scores, n_threads, interrupted);
    });
}

template <typename Real>
void define(nb::module_ &module, const char *sums, const char *scores, const char *given) {
    module.def(sums, &sums_of<Real>, nb::arg("rows"), nb::arg("weights").none(), nb::arg("log_weights"),
               nb::arg("means"), nb::arg("factors"), nb::arg("log_determinants"), nb::arg("form"),
               nb::arg("log_background"), nb::arg("scatter"), nb::arg("counts"), nb::arg("squared_counts"),
               nb::arg("offsets"), nb::arg("moments"), nb::arg("part_rows"), nb::arg("singles_from").none(),
               nb::arg("n_threads"));
    module.def(scores, &scores_of<Real>, nb::arg("rows"), nb::arg("log_weights"), nb::arg("means"),
               nb::arg("factors"), nb::arg("log_determinants"), nb::arg("form"), nb::arg("log_background"),
               nb::arg("labels").none(), nb::arg("shares").none(), nb::arg("log_densities").none(),
               nb::arg("distances").none(), nb::arg("largest").none(), nb::arg("nearest").none(),
               nb::arg("fourths").none(), nb::arg("n_threads"));
    module.def(given, &given_sums_of<Real>, nb::arg("rows"), nb::arg("weights").none(),
               nb::arg("responsibilities").none(), nb::arg("centres"), nb::arg("scatter"), nb::arg("counts"),
               nb::arg("squared_counts"), nb::arg("offsets"), nb::arg("moments"), nb::arg("n_threads"));
}

} // namespace

NB_MODULE(_native, module) {
    define<double>(module, "expected_sums_double", "score_rows_double", "given_sums_double");
    define<float>(module, "expected_sums_float", "score_rows_float", "given_sums_float");
    module.def("nearest_centres", &nearest_of, nb::arg("rows"), nb::arg("weights"), nb::arg("centres"),
               nb::arg("labels"), nb::arg("distances"), nb::arg("counts"), nb::arg("offsets"),
               nb::arg("n_threads"));
    module.def("climb", &climb_of, nb::arg("rows"), nb::arg("weights").none(), nb::arg("mixing"),
               nb::arg("means"), nb::arg("covariances"), nb::arg("form"), nb::arg("pseudo_rows"),
               nb::arg("pseudo_scatter"), nb::arg("added"), nb::arg("strength"), nb::arg("anchor"),
               nb::arg("resolution"), nb::arg("flat"), nb::arg("enough"), nb::arg("n_steps"),
               nb::arg("objectives"), nb::arg("counts"), nb::arg("squared_counts"), nb::arg("n_tables"),
               nb::arg("n_threads"));
    module.def("triangular_factors", &factors_of, nb::arg("covariances"), nb::arg("flat"), nb::arg("factors"),
               nb::arg("sound"));
    module.def("place_rows", &place_in, nb::arg("rows"), nb::arg("mean"), nb::arg("root"),
               nb::arg("n_threads"));
    module.def("instruction_set", &instruction_set);
    module.def("instruction_sets", &instruction_sets);
    module.def("use_instruction_set", &use_instruction_set, nb::arg("name"));
}
