"""Reports in a real browser: numbers, playback, hostile names, and that nothing is fetched."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from gaussmix import GaussianMixture
from gaussmix.cli.main import main
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.prepare import prepare
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.report.html.page import Origin, report_page, viewer_script
from gaussmix.report.html.playback import playback_of
from gaussmix.report.summary import summarise

START = GivenStart(weights=[0.5, 0.5], means=[[5.5], [6.0]], covariances=0.1)


def made(rows, folder, settings, names=None, title="table.csv"):
    memory = MemoryRows(rows, feature_names=names)
    step = prepare(memory, settings)
    result = search(memory, settings, trace=True)
    summary = summarise(result, memory, settings)
    collapsed = result.outcome.collapse is not None
    playback = playback_of(memory, result.trace, step, collapsed=collapsed)
    path = folder / "report.html"
    page = report_page(summary, playback, Origin(title, "gaussmix report", {"gaussmix": "0"}))
    path.write_bytes(page.encode())
    return path, result, playback


@pytest.fixture(scope="module")
def heights_report(heights, tmp_path_factory):
    settings = FitSettings(2, given=START, acceleration="none", prior="none", max_iter=12)
    return made(heights, tmp_path_factory.mktemp("heights"), settings, ["height"])


@pytest.fixture(scope="module")
def iris_report(iris, tmp_path_factory):
    return made(iris, tmp_path_factory.mktemp("iris"), FitSettings(3))


def cells(page, selector):
    return [
        [c.inner_text() for c in row.query_selector_all("th, td")]
        for row in page.query_selector_all(selector)
    ]


def number(text):
    return float(text.replace("−", "-").replace("\u00a0", " "))


def test_nothing_is_fetched_and_nothing_goes_wrong(opened, heights_report, iris_report):
    for path, _, _ in (heights_report, iris_report):
        page = opened(path)
        page.keyboard.press("Home")
        page.click("#play")
        page.wait_for_timeout(700)
        page.hover("#drawing")
        assert page.asked == [path.as_uri()]
        assert page.troubles == []
        assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_the_policy_forbids_what_was_not_brought_along(opened, heights_report, tmp_path):
    text = heights_report[0].read_text()
    altered = tmp_path / "altered.html"
    added = "<script>document.title = 'run'</script><img src='https://example.org/x.png'></body>"
    altered.write_text(text.replace("</body>", added))
    page = opened(altered)
    assert page.title() != "run"
    assert any("Content Security Policy" in trouble for trouble in page.troubles)


def test_the_table_shows_the_engines_responsibilities(opened, heights_report, heights):
    path, result, _ = heights_report
    page = opened(path)
    page.keyboard.press("Home")
    for step in (0, 1, 5):
        while f"Iteration {step}," not in page.inner_text("#where"):
            page.keyboard.press("ArrowRight")
        expected = result.trace[step].mixture.shares(heights)
        shown = cells(page, "#responsibilities tbody tr")
        assert [row[0] for row in shown] == [str(i + 1) for i in range(10)]
        assert [row[2:] for row in shown] == [[f"{share:.4f}" for share in row] for row in expected]
        assert f"{result.trace[step].log_likelihood:.6f}".replace("-", "−") in page.inner_text("#where")


def test_the_m_step_is_the_engines(opened, heights_report):
    path, result, _ = heights_report
    page = opened(path)
    page.keyboard.press("Home")
    text = page.inner_text("#m-step")
    after = result.trace[1].mixture
    for k in range(2):
        mean = re.search(rf"mean_{k + 1}\[height\].*\n.* = ([−\d.e]+)$", text, re.M).group(1)
        variance = re.search(rf"variance_{k + 1}\[height\].*\n.* = ([−\d.e]+)$", text, re.M).group(1)
        assert number(mean) == pytest.approx(after.means[k, 0], rel=1e-6)
        assert number(variance) == pytest.approx(after.covariances[k, 0, 0], rel=1e-5)
        assert f"= {after.weights[k]:.4f}" in text
        # What is written as a computation gives what stands after the equals sign.
        way = re.search(rf"mean_{k + 1}\[height\].*\n  = (\S+) ([+−]) (\S+) / (\S+) =", text).groups()
        sign = -1.0 if way[1] == "−" else 1.0
        assert number(way[0]) + sign * number(way[2]) / number(way[3]) == pytest.approx(
            number(mean), rel=1e-6
        )
        parts = re.search(rf"variance_{k + 1}.*\n  = \((\S+) − (\S+)\) / \((\S+)\) =", text).groups()
        scatter, moved, count = (number(part) for part in parts)
        assert (scatter - moved) / count == pytest.approx(number(variance), rel=1e-4)


def test_a_rows_own_computation(opened, iris_report, iris):
    path, result, _ = iris_report
    page = opened(path)
    page.click("#later")
    page.click("#responsibilities tbody tr:nth-child(2) button")
    assert page.inner_text("#row-panel h3") == "Row 12"
    shown = cells(page, "#row-panel tbody tr")
    mixture = result.mixture
    densities = np.exp(mixture.log_densities(iris[11:12]))[0]
    for k, row in enumerate(shown):
        assert row[0] == str(k + 1)
        assert row[1] == f"{mixture.weights[k]:.4f}"
        assert number(row[2]) == pytest.approx(densities[k], rel=1e-3)
        assert number(row[3]) == pytest.approx(mixture.weights[k] * densities[k], rel=1e-3)
        assert row[4] == f"{mixture.shares(iris[11:12])[0, k]:.4f}"


def test_pointing_at_a_row_chooses_it(opened, heights_report, heights):
    page = opened(heights_report[0])
    page.locator("#drawing").scroll_into_view_if_needed()
    box = page.locator("#drawing").bounding_box()
    found = set()
    for x in range(80, int(box["width"]) - 10, 6):
        page.mouse.move(box["x"] + x, box["y"] + box["height"] - 50)
        heading = page.query_selector("#row-panel h3")
        if heading:
            found.add(int(heading.inner_text().split()[1]))
    # Rows 6 and 9 are the same height: the first is found.
    assert found >= {1, 2, 3, 4, 5, 6, 7, 8, 10}


def test_play_step_slide_and_keys(opened, heights_report):
    path, result, _ = heights_report
    page = opened(path)
    where = lambda: int(re.search(r"Iteration (\d+)", page.inner_text("#where")).group(1))  # noqa: E731
    assert where() == result.n_iterations
    page.keyboard.press("Home")
    assert where() == 0
    page.click("#forward")
    page.click("#forward")
    page.click("#back")
    assert where() == 1
    page.locator("#slider").fill("7")
    assert where() == 7
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    assert where() == 6
    page.keyboard.press("End")
    page.keyboard.press(" ")
    for _ in range(100):
        if where() == 2:
            break
        page.wait_for_timeout(50)
    page.keyboard.press(" ")
    stopped = where()
    page.wait_for_timeout(600)
    assert where() == stopped
    page.locator("#curve").scroll_into_view_if_needed()
    box = page.locator("#curve").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 14, box["y"] + 20)
    assert where() == result.n_iterations


def test_axes_can_be_chosen(opened, iris_report):
    page = opened(iris_report[0])
    outlines = page.locator("#drawing .outline").count()
    assert outlines == 6
    page.select_option("#x-feature", "2")
    page.select_option("#y-feature", "3")
    names = [text.inner_html() for text in page.query_selector_all("#drawing .name")]
    assert names == ["x3", "x4"]
    assert "mean_1[x3]" in page.inner_text("#m-step") or page.inner_text("#m-step").startswith(
        "The fit ended"
    )
    page.select_option("#y-feature", "-1")
    assert page.locator("#drawing .curve").count() == 4
    assert page.troubles == []


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_axe(opened, iris_report, width, scheme):
    page = opened(iris_report[0], width=width, color_scheme=scheme)
    page.keyboard.press("Home")
    page.click("#responsibilities tbody tr:nth-child(2) button")
    found = [
        (finding["id"], finding["nodes"][0]["html"])
        for finding in Axe().run(page).response["violations"]
        if finding["impact"] in ("serious", "critical")
    ]
    assert found == []


@pytest.mark.parametrize("width", [320, 400, 800])
def test_a_phone_needs_no_sideways_scrolling(opened, iris_report, width):
    page = opened(iris_report[0], width=width, height=700)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 700, "height": 400})
    page.wait_for_timeout(100)
    drawn = page.evaluate("document.querySelector('#drawing').viewBox.baseVal.width")
    assert drawn == pytest.approx(page.locator("#drawing").bounding_box()["width"], abs=1)


def test_dark_and_light_differ_and_the_points_follow(opened, iris_report):
    page = opened(iris_report[0], color_scheme="light")
    background = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    points = lambda: page.evaluate("document.querySelector('#points').toDataURL()")  # noqa: E731
    light, light_points = background(), points()
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert background() != light
    assert points() != light_points


def test_paper_shows_the_answer_without_controls(opened, iris_report):
    page = opened(iris_report[0])
    page.emulate_media(media="print")
    assert not page.locator("#play").is_visible()
    assert page.locator("#components .card").first.is_visible()
    assert page.locator("#drawing").is_visible()


HOSTILE = [
    "</script><script>document.title='run'</script>",
    "<!--<script>",
    "\u202egnp.exe\u202c مرحبا",
    "🧪" * 40,
    "n" * 10_000,
    "\"'><img src=x onerror=document.title='run'>",
    "${1+1}`\\u003c/script>",
]


def test_hostile_names_are_text(opened, tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, len(HOSTILE)))
    path, _, _ = made(rows, tmp_path, FitSettings(2, covariance_type="diag"), HOSTILE, title=HOSTILE[0])
    page = opened(path, width=500)
    assert "run" not in (page.title()[:4], page.title())
    page.keyboard.press("Home")
    for j in range(len(HOSTILE)):
        page.select_option("#x-feature", str(j))
        page.select_option("#y-feature", "-1")
    page.click("#responsibilities tbody tr:nth-child(1) button")
    assert page.title() == HOSTILE[0]
    assert page.troubles == []
    assert page.asked == [path.as_uri()]
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    assert [option.inner_text() for option in page.query_selector_all("#x-feature option")][4] == "n" * 10_000


def test_a_large_table_is_sampled_and_the_page_says_so(opened, tmp_path):
    rng = np.random.default_rng(0)
    rows = 4.0 * rng.normal(size=(3, 6))[rng.integers(3, size=100_000)] + rng.normal(size=(100_000, 6))
    path, _, playback = made(rows, tmp_path, FitSettings(3))
    assert path.stat().st_size < 600_000
    page = opened(path)
    assert "3,000 of 100,000 rows drawn, chosen at random" in page.inner_text("#playback .caption")
    assert len(playback.portrait.rows) == 3000


def test_a_long_way_is_thinned_and_said(heights, opened, tmp_path):
    settings = FitSettings(2, given=START, acceleration="none", prior="none", max_iter=800, tol=0.0)
    path, result, playback = made(heights, tmp_path, settings)
    iterations = [frame["iteration"] for frame in playback.frames]
    assert len(iterations) <= 60
    assert iterations[:15] == list(range(15))
    last = result.trace[-1].iteration
    assert iterations[-15:] == list(range(last - 14, last + 1))
    assert iterations == sorted(set(iterations))
    page = opened(path)
    assert "iterations are shown" in page.inner_text("#playback .caption")


def test_without_its_data_a_report_is_small():
    assert len(viewer_script()) < 60_000


def test_the_same_report_is_the_same_file(heights, tmp_path):
    pages = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        pages.append(made(heights, folder, FitSettings(2))[0].read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "settings", [{"noise": True}, {"covariance_type": "VEV"}, {"covariance_type": "tied"}]
)
def test_other_models_play_back_too(opened, faithful, tmp_path, settings):
    path, result, _ = made(faithful, tmp_path, FitSettings(2, **settings))
    page = opened(path)
    shown = cells(page, "#responsibilities tbody tr")
    expected = result.mixture.shares(faithful[:10])[:, :2]
    assert [row[3:5] for row in shown] == [[f"{share:.4f}" for share in row] for row in expected]
    page.keyboard.press("Home")
    page.click("#responsibilities tbody tr:nth-child(1) button")
    assert page.troubles == []


def test_noise_has_its_column_and_rows_add_up_to_one(opened, tmp_path):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(160, 1)) + np.repeat([0.0, 12.0], 80)[:, None]
    rows = np.r_[rows, generator.uniform(-20.0, 30.0, size=(30, 1))]
    path, _, _ = made(rows, tmp_path, FitSettings(2, noise=True))
    page = opened(path)
    page.keyboard.press("Home")
    for row in cells(page, "#responsibilities tbody tr"):
        assert sum(float(share) for share in row[2:]) == pytest.approx(1.0, abs=1e-4)
    assert "noise" in page.inner_text("#responsibilities thead")
    assert "or to noise" in page.inner_text("#verdict")


def test_a_collapse_is_not_called_the_answer(opened, heights, tmp_path):
    settings = FitSettings(2, given=START, acceleration="none", prior="none")
    path, result, playback = made(heights, tmp_path, settings)
    assert result.outcome.collapse is not None
    assert "no answer" in playback.ended
    page = opened(path)
    assert "This mixture is no answer" in page.inner_text("#m-step")


def test_many_columns_make_no_huge_page(tmp_path):
    rows = np.random.default_rng(0).normal(size=(400, 60))
    path, _, playback = made(rows, tmp_path, FitSettings(3, max_iter=30, n_init=1))
    assert path.stat().st_size < 1_500_000
    assert 2 <= len(playback.frames) <= 60


def test_the_command(data_folder, tmp_path, opened, capsys):
    out, model, data = tmp_path / "report.html", tmp_path / "model.json", str(data_folder / "faithful.csv")
    with pytest.raises(SystemExit) as stop:
        main(["report", data, "-k", "2", "-o", str(out)])
    assert stop.value.code == 0
    page = opened(out)
    assert page.inner_text("h1") == "faithful.csv"
    assert "2 components in 272 rows" in page.inner_text("#verdict")
    assert "gaussmix report faithful.csv -k 2 -o report.html" in page.inner_text("#reproduce")
    GaussianMixture(2).fit(np.loadtxt(data, delimiter=",", skiprows=1)).save(model)
    for arguments, code in (
        (["report", data, "--means", "1,2", "-o", str(out)], 2),
        (["report", data, "-k", "2", "-o", data], 3),
        (["report", "a", "b", "c", "-o", str(out)], 2),
        (["report", str(model), data, "-k", "2", "-o", str(out)], 2),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == code
    capsys.readouterr()


def test_rows_have_the_numbers_of_their_file(tmp_path, opened, capsys):
    data, out, model = tmp_path / "gaps.csv", tmp_path / "report.html", tmp_path / "model.json"
    data.write_text("x\n" + "\n".join(["1.0", "", "2.5", "NA", "7.0", "8.5", "1.2", "9"]) + "\n")
    calls = [
        ["report", data, "-k", "2", "--drop-missing", "-o", out],
        ["fit", data, "-k", "2", "--drop-missing", "-o", model, "--json"],
        ["report", model, data, "--drop-missing", "-o", out],
    ]
    for arguments in calls:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 0
        if arguments[0] == "report":
            shown = cells(opened(out), "#responsibilities tbody tr")
            assert [row[:2] for row in shown] == [
                ["1", "1"], ["3", "2.5"], ["5", "7"], ["6", "8.5"], ["7", "1.2"], ["8", "9"],
            ]  # fmt: skip
    capsys.readouterr()


def test_the_failure_lab_shows_real_fits(tmp_path, opened, capsys):
    out = tmp_path / "demo.html"
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--html", str(out)])
    assert stop.value.code == 0
    assert f"Report: {out}" in capsys.readouterr().err
    page = opened(out)
    assert page.locator("#stories option").count() == 4
    page.select_option("#stories", "1")
    assert "6.3" in page.inner_text("#story") or "single row" in page.inner_text("#story")
    page.locator("h1").click()
    page.keyboard.press("End")
    # All that is left of component 2 is the row 6.3.
    shown = {row[1]: row[3] for row in cells(page, "#responsibilities tbody tr")}
    assert float(shown["6.3"]) > 0.5
    assert sum(float(share) for share in shown.values()) < 1.2
    page.select_option("#stories", "2")
    assert "5.2" in page.inner_text("#story")
    page.locator("h1").click()
    page.keyboard.press("End")
    assert float(cells(page, "#responsibilities tbody tr")[0][3 - 1]) > 0.5
    page.select_option("#stories", "3")
    assert "was emptied" in page.inner_text("#story")
    assert len(cells(page, "#responsibilities tbody tr")[0]) == 7
    assert page.troubles == []
    assert page.asked == [out.as_uri()]


def test_of_a_saved_model_on_other_rows_words_are_of_these(data_folder, tmp_path, opened, run_fit, capsys):
    out, other = tmp_path / "report.html", tmp_path / "other.csv"
    model = run_fit(data_folder / "faithful.csv", tmp_path)
    other.write_text("eruptions,waiting\n2.0,54\n4.3,80\n400,80\n")
    with pytest.raises(SystemExit) as stop:
        main(["report", str(model), str(other), "-o", str(out)])
    assert stop.value.code == 0
    words = opened(out).inner_text("#verdict")
    assert "2 components in 3 rows" in words
    assert "1 row is explained by no component" in words
    assert "not the rows that were fitted" in words
    capsys.readouterr()


def test_of_a_saved_model(data_folder, tmp_path, opened, run_fit):
    out = tmp_path / "report.html"
    model = run_fit(data_folder / "faithful.csv", tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["report", str(model), str(data_folder / "faithful.csv"), "-o", str(out)])
    assert stop.value.code == 0
    page = opened(out)
    assert "−1130.264017" in page.inner_text("#where")
    assert page.locator("#curve").count() == 0
    assert page.troubles == []


@pytest.fixture
def run_fit():
    def run(data, folder):
        with pytest.raises(SystemExit):
            main(["fit", str(data), "-k", "2", "-o", str(folder / "model.json"), "--json"])
        return folder / "model.json"

    return run
