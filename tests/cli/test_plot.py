"""``gaussmix plot``: files that are pictures, and refusals that say what to do."""

import pytest

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture
def iris_model(run, data_folder, tmp_path):
    path = tmp_path / "iris.json"
    assert run("fit", str(data_folder / "iris.csv"), "-k", "3", "-o", str(path)).code == 0
    return str(path)


@pytest.mark.parametrize("ending", STARTS)
def test_each_ending_is_a_picture(run, iris_model, data_folder, tmp_path, ending):
    out = tmp_path / f"picture.{ending}"
    assert run("plot", iris_model, str(data_folder / "iris.csv"), "-o", str(out)).code == 0
    assert out.read_bytes().startswith(STARTS[ending])


@pytest.mark.parametrize(
    "asked",
    [
        ["--kind", "density"],
        ["--features", "Petal.Length"],
        ["--features", "Petal.Length,Sepal.Width"],
        ["--features", "Petal.Length,Sepal.Width,Petal.Width"],
        ["--kind", "pairs"],
        ["--kind", "responsibilities"],
        ["--kind", "uncertainty"],
        ["--kind", "cards"],
    ],
)
def test_each_kind(run, iris_model, data_folder, tmp_path, asked):
    out = tmp_path / "picture.svg"
    assert run("plot", iris_model, str(data_folder / "iris.csv"), "-o", str(out), *asked).code == 0
    assert out.stat().st_size > 5000


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["-o", "picture.txt"], "must end in .png, .svg, .pdf"),
        (["-o", "picture.png", "--features", "height"], "no 'height'"),
        (["-o", "picture.png", "--kind", "cards", "--features", "Petal.Length"], "does not go with"),
        (["-o", "picture.png", "--kind", "ellipses", "--features", "Petal.Length"], "shows 2 at a time"),
    ],
)
def test_what_cannot_be_drawn_is_refused(run, iris_model, data_folder, tmp_path, monkeypatch, asked, words):
    monkeypatch.chdir(tmp_path)
    done = run("plot", iris_model, str(data_folder / "iris.csv"), *asked)
    assert done.code == 2
    assert words in done.err
    assert not list(tmp_path.glob("picture*"))


def test_one_feature_is_a_density(run, data_folder, tmp_path):
    model, out, heights = tmp_path / "m.json", tmp_path / "h.svg", str(data_folder / "heights.csv")
    assert run("fit", heights, "-k", "2", "-o", str(model)).code == 0
    assert run("plot", str(model), heights, "-o", str(out)).code == 0
    assert run("plot", str(model), heights, "-o", str(out), "--kind", "ellipses").code == 2
    assert run("plot", str(model), heights, "-o", str(model)).code in (2, 3)
