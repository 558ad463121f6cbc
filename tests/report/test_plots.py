"""Pictures: which artists stand on the Axes, where, and what is written beside them."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import norm

from gaussmix import GaussianMixture, plot
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.report.plots.planes import outline
from gaussmix.report.plots.style import blended, colour, save_figure
from gaussmix.report.portrait import ellipse_radius, portrait_of


@pytest.fixture(scope="module")
def flowers(iris):
    return GaussianMixture(3).fit(iris), iris


@pytest.fixture(scope="module")
def eruptions(faithful):
    return GaussianMixture(2).fit(faithful), faithful


@pytest.fixture(scope="module")
def ten(heights):
    return GaussianMixture(2).fit(heights), heights


def curve(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def test_a_density_adds_up_to_one_and_its_curves_are_the_components(ten):
    model, rows = ten
    ax = plot.density(model, rows)
    x, y = curve(ax, "component 2").get_data()
    expected = model.weights_[1] * norm.pdf(x, model.means_[1, 0], np.sqrt(model.covariances_[1, 0, 0]))
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    total = curve(ax, "all components")
    assert 0.9 < np.trapezoid(total.get_ydata(), total.get_xdata()) < 1.0
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1.0)
    assert curve(ax, "_rows").get_xdata().tolist() == rows[:, 0].tolist()
    assert ax.get_ylim()[0] == 0.0
    assert ax.get_xlabel() == "x1"


def test_a_narrow_component_is_drawn_however_wide_the_data(ten):
    rows = np.r_[np.random.default_rng(0).normal(0.0, 1e4, 500), np.full(60, 5.0) + np.linspace(0, 1e-3, 60)]
    model = GaussianMixture(2).fit(rows[:, None])
    ax = plot.density(model, rows[:, None])
    k = int(model.covariances_[:, 0, 0].argmin())
    peak = model.weights_[k] / np.sqrt(2 * np.pi * model.covariances_[k, 0, 0])
    assert curve(ax, f"component {k + 1}").get_ydata().max() == pytest.approx(peak, rel=0.01)


def test_an_ellipse_holds_what_it_says(eruptions):
    model, _ = eruptions
    rng = np.random.default_rng(1)
    rows = rng.multivariate_normal(model.means_[0], model.covariances_[0], 200_000)
    away = rows - model.means_[0]
    squared = np.einsum("ni,ij,nj->n", away, np.linalg.inv(model.covariances_[0]), away)
    for coverage in (0.5, 0.95):
        assert (squared <= ellipse_radius(coverage) ** 2).mean() == pytest.approx(coverage, abs=0.005)
        x, y = outline(model.means_[0], model.covariances_[0], ellipse_radius(coverage))
        edge = np.stack([x, y], axis=1) - model.means_[0]
        on_it = np.einsum("ni,ij,nj->n", edge, np.linalg.inv(model.covariances_[0]), edge)
        np.testing.assert_allclose(on_it, ellipse_radius(coverage) ** 2, rtol=1e-9)


def test_points_are_coloured_by_probability(eruptions):
    model, rows = eruptions
    ax = plot.ellipses(model, rows, coverage=(0.9,))
    points = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in points) >= len(rows)
    sure = blended(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]))
    assert tuple(sure[0]) == to_rgb(colour(0))
    np.testing.assert_allclose(sure[1], 0.5 * (np.array(to_rgb(colour(0))) + to_rgb(colour(1))))
    assert tuple(sure[2]) == to_rgb(colour(-1))
    assert sum(line.get_label() == "_ellipse" for line in ax.lines) == 2
    assert "90 %" in ax.get_title("right")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["component 1", "component 2"]


def test_rows_that_no_component_explains_are_ringed(eruptions):
    model, rows = eruptions
    ax = plot.ellipses(model, np.r_[rows, [[20.0, 20.0]]])
    assert "explained by no component" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_projection_tells_components_apart_better_than_any_two_features(flowers):
    model, rows = flowers
    portrait = portrait_of(model._mixture(), MemoryRows(rows)).discriminating()
    # The spread within components is 1 along both directions, and they do not depend on each other.
    within = np.einsum("k,kij->ij", model.weights_, portrait.matrices)
    np.testing.assert_allclose(within, np.eye(2), atol=1e-9)
    apart = np.ptp(portrait.means[:, 0])
    scales = np.sqrt(np.einsum("k,kii->i", model.weights_, model.covariances_))
    assert apart > (np.ptp(model.means_, axis=0) / scales).max()
    ax = plot.projection(model, rows)
    assert ax.get_xlabel().startswith("direction 1: +")
    assert ax.get_xlabel().replace("\n", " ") == portrait.feature_names[0]


def test_pairs(flowers):
    model, rows = flowers
    axes = plot.pairs(model, rows, features=[0, 2, 3])
    assert axes.shape == (3, 3)
    assert [ax.get_xlabel() for ax in axes[2]] == ["x1", "x3", "x4"]
    given = Figure().subplots(2, 2)
    assert plot.pairs(model, rows, features=["x1", "x4"], axes=given)[0, 0] is given[0, 0]
    assert plot.pairs(model, rows).shape == (4, 4)


def test_history_is_that_of_the_fit(eruptions):
    model, _ = eruptions
    ax = plot.history(model)
    assert ax.lines[0].get_ydata().tolist() == model.lower_bounds_
    assert "nats a row" in ax.get_ylabel()


def test_responsibilities_fill_the_bar(flowers):
    model, rows = flowers
    ax = plot.responsibilities(model, rows)
    last = ax.patches[-1].get_data()
    np.testing.assert_allclose(last.values, 1.0)
    areas = [np.sum(p.get_data().values - p.get_data().baseline) for p in ax.patches]
    np.testing.assert_allclose(areas, model.predict_proba(rows).sum(axis=0))


def test_uncertainty(flowers):
    model, rows = flowers
    ax = plot.uncertainty(model, rows)
    drawn = ax.collections[1].get_offsets()[:, 1]
    assert (np.diff(drawn) >= 0.0).all()
    np.testing.assert_allclose(drawn, np.sort(1.0 - model.predict_proba(rows).max(axis=1)), atol=1e-15)
    doubtful = (1.0 - model.predict_proba(rows).max(axis=1) > 0.05).mean()
    assert f"{100 * doubtful:.1f}%" in ax.get_title("left")


def test_cards_fit_on_their_axes(flowers):
    model, _ = flowers
    for ax in (plot.cards(model), plot.cards(model, ax=Figure(figsize=(4, 2)).subplots())):
        figure = ax.get_figure()
        figure.canvas.draw()
        box = ax.get_window_extent()
        for text in ax.texts:
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0
            assert extent.x1 <= box.x1
            assert box.y0 - 1.0 <= extent.y0
        words = " ".join(text.get_text() for text in ax.texts)
        assert "component 1: 33.3%, 50 rows" in words
        assert "x3 lower by 8.9 sd" in words


def test_a_criterion_against_the_number_of_components(eruptions):
    _, rows = eruptions
    table = [
        GaussianMixture(k, covariance_type=family).fit(rows).summary_.as_json()
        for k in (1, 2, 3)
        for family in ("full", "tied")
    ]
    ax = plot.bic(table)
    assert curve(ax, "tied").get_xdata().tolist() == [1, 2, 3]
    best = min(table, key=lambda entry: entry["bic"])
    assert curve(ax, "best").get_ydata().tolist() == [best["bic"]]
    assert "lower is better" in ax.get_ylabel()
    assert "higher is better" in plot.bic(table, "bic_mclust").get_ylabel()
    with pytest.raises(ValueError, match="no fit"):
        plot.bic(table, "beauty")


def test_of_many_rows_a_sample_is_drawn_and_said():
    rows = np.random.default_rng(0).normal(size=(20_000, 2))
    model = GaussianMixture(1).fit(rows)
    ax = plot.ellipses(model, rows)
    assert "5,000 of 20,000 rows drawn" in ax.get_title("right")
    again = plot.ellipses(model, rows)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), again.collections[0].get_offsets())


def test_many_components_are_named_beside_the_picture(iris):
    model = GaussianMixture(8, covariance_type="diag", n_init=1).fit(iris)
    ax = plot.ellipses(model, iris)
    ax.get_figure().canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert legend.x0 >= ax.get_window_extent().x1


def test_names_among_pairs_are_cut_and_missing_letters_do_not_warn(iris, tmp_path):
    names = ["a very long name of a column that would not fit beside its neighbours at all", "🧪", "b", "c"]
    table = pd.DataFrame(iris, columns=names)
    axes = plot.pairs(GaussianMixture(2, n_init=1).fit(table), table)
    label = axes[3, 0].get_xlabel()
    assert label.endswith("…")
    assert max(len(line) for line in label.splitlines()) <= 23
    save_figure(axes[0, 0].get_figure(), str(tmp_path / "pairs.png"))


def test_noise_and_names_as_they_stand():
    rng = np.random.default_rng(0)
    rows = np.r_[rng.normal(size=(200, 2)), rng.uniform(-8, 8, size=(40, 2))]
    model = GaussianMixture(1, noise=True).fit(rows)
    ax = plot.ellipses(model, rows)
    assert "noise" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert "noise" in plot.density(model, rows).get_title("right")
    table = pd.DataFrame(rows, columns=["$\\frac{", "b_1"])
    ax = plot.density(GaussianMixture(1).fit(table), table)
    ax.get_figure().canvas.draw()
    assert r"\$" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, r: plot.density(m, r, "height"), "no feature 'height'"),
        (lambda m, r: plot.density(m, r, 7), "no feature 7"),
        (lambda m, r: plot.ellipses(m, r, coverage=(95,)), "between 0 and 1"),
    ],
)
def test_what_cannot_be_drawn_is_said(eruptions, call, words):
    with pytest.raises(SettingsError, match=words):
        call(*eruptions)


def test_one_feature_has_no_ellipses(ten):
    for draw in (plot.ellipses, plot.projection, plot.pairs):
        with pytest.raises(SettingsError, match="two features"):
            draw(*ten)


def test_a_column_of_one_value_is_drawn():
    rows = np.c_[np.arange(30.0), np.full(30, 7.0)]
    with pytest.warns(UserWarning, match="constant"):
        model = GaussianMixture(1).fit(rows)
    ax = plot.density(model, rows, 1)
    ax.get_figure().canvas.draw()
    assert ax.get_xlim()[0] < 7.0 < ax.get_xlim()[1]


def test_no_window_and_no_pyplot(ten, tmp_path):
    code = (
        "import sys, numpy as np; from gaussmix import GaussianMixture, plot; "
        "X = np.arange(9.0)[:, None]; ax = plot.density(GaussianMixture(1).fit(X), X); "
        "ax.figure.savefig(sys.argv[1]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "picture.png")], check=True)
    assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_picture_is_the_same_file(ten, tmp_path, ending):
    files = [tmp_path / f"{i}.{ending}" for i in range(2)]
    for file in files:
        save_figure(plot.density(*ten).get_figure(), str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert mpl.rcParams["svg.hashsalt"] is None
