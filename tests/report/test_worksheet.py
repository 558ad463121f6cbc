"""The exercise on paper: blanks first, solutions on a page of their own."""

import numpy as np
import pytest

from gaussmix.cli.main import main

START = ["--means", "5.5,6.0", "--variances", "0.1", "--weights", "0.5,0.5"]


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def sheet(data_folder, tmp_path):
    path = tmp_path / "sheet.html"
    assert (
        run("explain", data_folder / "heights.csv", "-k", 2, *START, "--steps", 2, "--worksheet", path) == 0
    )
    return path


def test_blanks_and_solutions(sheet, opened, heights):
    page = opened(sheet)
    assert page.troubles == []
    assert page.asked == [sheet.as_uri()]
    assert page.locator("script").count() == 0
    # The E-steps but for the very first row, log-likelihoods, M-steps, and the second start.
    assert page.locator(".blank").count() == 9 * 4 + 10 * 4 + 2 + 2 * 2 * 4 + 2 * 3
    assert page.locator(".solutions .blank").count() == 0
    table = page.locator(".solutions table").nth(1)
    rows = [row.inner_text().split() for row in table.locator("tbody tr").all()]
    densities = np.exp(-((heights - [[5.5, 6.0]]) ** 2) / 0.2) / np.sqrt(0.2 * np.pi)
    shares = densities / densities.sum(axis=1, keepdims=True)
    for i, row in enumerate(rows):
        assert row[:2] == [str(i + 1), f"{heights[i, 0]:.10g}"]
        assert [float(cell) for cell in row[2:4]] == pytest.approx(densities[i], rel=1e-4)
        assert row[4:] == [f"{share:.4f}" for share in shares[i]]
    found = [
        float(cell)
        for cell in page.locator(".solutions table").nth(2).locator("td").all_inner_texts()
        if cell
    ]
    counts = shares.sum(axis=0)
    means = (shares * heights).sum(axis=0) / counts
    variances = (shares * (heights - means) ** 2).sum(axis=0) / counts
    expected = np.stack([counts, counts / 10, means, variances], axis=1).ravel()
    assert found == pytest.approx(expected, rel=1e-4)


def test_paper_has_the_solutions_on_another_page(sheet, opened):
    page = opened(sheet)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.solutions')).breakBefore") == "page"


def test_two_columns_have_covariances(tmp_path, opened):
    rows = np.random.default_rng(0).normal(size=(8, 2)).round(2)
    data, path = tmp_path / "small.csv", tmp_path / "sheet.html"
    np.savetxt(data, rows, delimiter=",", header="<b>a</b>,b", comments="", fmt="%g")
    assert run("explain", data, "-k", 2, "--prior", "weak", "--worksheet", path) == 0
    page = opened(path)
    assert "covariance of <b>a</b> and b" in page.inner_text("body")
    assert "The prior adds" in page.inner_text("body")


def test_what_is_too_large_for_paper_is_refused(data_folder, tmp_path, capsys):
    path = tmp_path / "sheet.html"
    assert run("explain", data_folder / "iris.csv", "-k", 3, "--worksheet", path) == 2
    assert "at most 20 rows" in capsys.readouterr().err
    assert not path.exists()
    heights = data_folder / "heights.csv"
    assert run("explain", heights, "-k", 2, "--json", "--worksheet", path) == 2
    assert run("explain", heights, "-k", 2, "--worksheet", heights) == 3
    capsys.readouterr()
