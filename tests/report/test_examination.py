"""What a report says of how far to believe a fit: selection, standard errors, overlap, test, mergers."""

import json

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

import gaussmix
from gaussmix.cli.main import main
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.report.examination import examined
from gaussmix.report.html.examination import (
    certainty_section,
    description_section,
    merging_section,
    selection_section,
)
from gaussmix.report.selection_terminal import criterion_table
from gaussmix.report.verdict import verdict

HOSTILE = '"><script>alert(1)</script>'


def called(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def page_of_faithful(data_folder, tmp_path_factory):
    """A report that chooses by itself, of a table whose column has a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    data, out = folder / "table.csv", folder / "report.html"
    lines = (data_folder / "faithful.csv").read_text().splitlines()[1:]
    heading = f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",waiting'
    data.write_text("\n".join([heading, *lines]) + "\n")
    assert called("report", data, "--models", "EEE,VVV", "-o", out) == 0
    return out, data


def test_without_a_number_the_report_chooses_one(page_of_faithful, opened):
    path, _ = page_of_faithful
    page = opened(path)
    assert "Three components, EEE" in page.inner_text("#verdict")
    assert "were not tried" not in page.inner_text("#verdict")
    assert page.inner_text("#selection tbody strong") == "2314.3"
    assert page.locator("#selection svg polyline").count() == 2
    assert page.troubles == []
    assert page.asked == [path.as_uri()]


def test_the_page_has_the_numbers_of_the_engine(page_of_faithful, opened, faithful):
    page = opened(page_of_faithful[0])
    model = gaussmix.GaussianMixture(3, covariance_type="EEE").fit(faithful)
    found = model.uncertainty(faithful)
    certainty = page.inner_text("#certainty")
    for k in range(3):
        assert f"{100.0 * found.weights.standard_error[k]:.1f}%" in certainty
        assert f"± {found.means.standard_error[k, 1]:.1g}"[:5] in certainty
    first = model.overlap().table[0]
    assert f"{100.0 * first['first_as_second']:.1f}%" in page.inner_text("#description")
    mergers = model.merge(faithful)
    assert mergers.sentence in page.inner_text("#merging")
    assert f"{mergers.entropies[-1]:.4g}"[:5] in page.inner_text("#merging")


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (400, "dark")])
def test_no_serious_finding_of_axe(page_of_faithful, opened, width, scheme):
    page = opened(page_of_faithful[0], width=width, color_scheme=scheme)
    found = [
        (finding["id"], finding["nodes"][0]["html"])
        for finding in Axe().run(page).response["violations"]
        if finding["impact"] in ("serious", "critical")
    ]
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_saved_model_is_examined_too(page_of_faithful, opened, tmp_path):
    data, saved, out = page_of_faithful[1], tmp_path / "model.json", tmp_path / "report.html"
    assert called("fit", data, "-k", "3", "-o", saved) == 0
    assert called("report", saved, data, "--no-test", "-o", out) == 0
    page = opened(out)
    assert page.locator("#certainty table").count() == 1
    assert page.locator("#merging table").count() == 1
    assert "Gaussian groups" not in page.inner_text("#description")


def test_what_cannot_be_known_is_said_in_words():
    """One row a component: no information matrix, no test; a page all the same."""
    rows = MemoryRows(np.array([[0.0], [0.1], [5.0], [5.1]]))
    settings = FitSettings(2)
    mixture = search(rows, settings).mixture
    found = examined(rows, mixture, settings)
    for part in (certainty_section(found), description_section(found)):
        assert "<p" in part
    assert selection_section(found) == merging_section(found) == ""


def test_rows_that_are_not_gaussian_groups_are_told_in_the_verdict():
    generator = np.random.default_rng(0)
    values = np.r_[generator.exponential(1.0, (150, 1)), 30.0 + generator.exponential(1.0, (150, 1))]
    model = gaussmix.GaussianMixture(2).fit(values)
    rows = MemoryRows(values)
    found = examined(rows, model._mixture(), FitSettings(2))
    assert any("not quite Gaussian groups" in sentence for sentence in verdict(model.summary_, found))
    assert not any("Gaussian groups" in sentence for sentence in verdict(model.summary_))


def test_the_table_marks_what_is_doubtful_and_what_is_missing():
    selection = gaussmix.select(np.array([[0.0], [0.1], [5.0], [5.1], [5.05]]), range(1, 8), ["V"])
    table = criterion_table(selection.summary)
    cells = [next(column.cells).plain for column in table.columns[1:]]
    assert cells[-1] == "-"
    assert sum(cell.startswith("*") for cell in cells) == 1
    json.dumps(selection.as_json(), allow_nan=False)
    assert "<strong>" in selection._repr_html_()
