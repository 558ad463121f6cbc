"""What a notebook shows of a fitted model, and the report that it can make."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.validation import NotFittedError

import gaussmix
from gaussmix import GaussianMixture, plot


def in_a_cell(model, tmp_path):
    """The output of a cell, as a page."""
    path = tmp_path / "cell.html"
    path.write_bytes(f"<!DOCTYPE html><html lang='en'><body>{model._repr_html_()}</body></html>".encode())
    return path


def test_a_fitted_model_shows_its_verdict_its_table_and_a_picture(faithful, tmp_path, opened):
    model = GaussianMixture(2).fit(faithful)
    page = opened(in_a_cell(model, tmp_path))
    assert "2 components in 272 rows" in page.inner_text("ul")
    assert [c.inner_text() for c in page.query_selector_all("tbody tr:nth-child(1) td")] == [
        "35.6%",
        "2.0364 ± 0.263",
        "54.479 ± 5.81",
    ]
    assert page.locator("svg polyline").count() == 2
    assert page.troubles == []
    assert model._repr_mimebundle_()["text/html"] == model._repr_html_()


def test_before_a_fit_it_is_scikit_learns():
    assert "sk-" in GaussianMixture(2)._repr_html_()


@pytest.mark.parametrize(
    "settings", [{}, {"covariance_type": "tied"}, {"covariance_type": "EII"}, {"noise": True}]
)
def test_pictures_of_other_models(iris, tmp_path, opened, settings):
    model = GaussianMixture(3, **settings).fit(iris)
    page = opened(in_a_cell(model, tmp_path))
    lines = page.query_selector_all("svg polyline")
    assert len(lines) == 3
    points = np.array(
        [pair.split(",") for line in lines for pair in line.get_attribute("points").split()], float
    )
    assert points.min() >= 0.0
    assert points.max(axis=0).tolist() == pytest.approx([236.0, 146.0])


def test_one_feature_and_a_model_read_back(heights, tmp_path, opened):
    model = GaussianMixture(2).fit(heights)
    model.save(tmp_path / "model.json")
    again = gaussmix.load(tmp_path / "model.json")
    assert opened(in_a_cell(again, tmp_path)).locator("svg polyline").count() == 2
    assert again._repr_html_() == model._repr_html_()


def test_names_are_text(tmp_path, opened):
    rows = np.random.default_rng(0).normal(size=(50, 2))
    table = pd.DataFrame(rows, columns=["<img src=x onerror=alert(1)>", "</table>\"'"])
    page = opened(in_a_cell(GaussianMixture(1).fit(table), tmp_path))
    assert page.locator("img").count() == 0
    assert "<img" in page.inner_text("thead")


def test_a_report_plays_a_traced_fit_back(iris, tmp_path, opened):
    model = GaussianMixture(3, n_init=1, trace=True).fit(iris)
    report = model.report(iris, title="Flowers")
    report.save(tmp_path / "report.html")
    page = opened(tmp_path / "report.html")
    assert page.inner_text("h1") == "Flowers"
    page.keyboard.press("Home")
    assert page.inner_text("#where").startswith("Iteration 0,")
    assert "mean_1[x1]" in page.inner_text("#m-step")
    assert page.troubles == []
    assert re.fullmatch(r"<Report, \d+ kB of HTML: save\(path\) writes it>", repr(report))


def test_a_report_of_weighted_rows(iris, tmp_path, opened):
    weights = np.arange(len(iris)) % 3.0
    model = GaussianMixture(2, n_init=1, trace=True).fit(iris, sample_weight=weights)
    model.report(iris, sample_weight=weights).save(tmp_path / "report.html")
    page = opened(tmp_path / "report.html")
    page.keyboard.press("Home")
    total = int(weights.sum())
    assert f"/ {total} =" in page.inner_text("#m-step")
    after = model.trace_[1].mixture.means[0, 0]
    assert f"{after:.6g}"[:6] in page.inner_text("#m-step")


def test_a_report_of_other_rows_says_so(iris, tmp_path, opened):
    model = GaussianMixture(3, trace=True).fit(iris)
    model.report(iris[:20]).save(tmp_path / "report.html")
    page = opened(tmp_path / "report.html")
    assert "3 components in 20 rows" in page.inner_text("#verdict")
    assert "not the rows that were fitted" in page.inner_text("#verdict")


@pytest.mark.parametrize("draw", [plot.ellipses, plot.density, plot.pairs])
def test_pictures_need_a_fit(iris, draw):
    with pytest.raises(NotFittedError):
        draw(GaussianMixture(2), iris)


def test_a_report_of_a_collapse_is_not_called_the_answer(heights, tmp_path, opened):
    start = {"means_init": [[5.5], [6.0]], "weights_init": [0.5, 0.5], "covariances_init": [0.1, 0.1]}
    with pytest.warns(UserWarning, match="collapsed"):
        model = GaussianMixture(2, prior=None, trace=True, **start).fit(heights)
    model.report(heights).save(tmp_path / "report.html")
    assert "This mixture is no answer" in opened(tmp_path / "report.html").inner_text("#m-step")


def test_a_report_inline(iris, tmp_path, opened):
    report = GaussianMixture(3).fit(iris).report(iris)
    path = tmp_path / "cell.html"
    path.write_bytes(f"<!DOCTYPE html><html><body>{report._repr_html_()}</body></html>".encode())
    page = opened(path)
    frame = page.frames[1]
    frame.wait_for_selector("#playback")
    assert frame.locator("#responsibilities tbody tr").count() == 10
    assert frame.inner_text("#m-step").startswith("The fit ended here")
    assert page.troubles == []


def test_a_report_needs_a_fit(iris):
    with pytest.raises(NotFittedError):
        GaussianMixture(2).report(iris)
