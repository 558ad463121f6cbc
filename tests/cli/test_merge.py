"""``gaussmix merge``: the tree in words, clusters as a file, a picture, and refusals that say what to do."""

import csv as csv_format

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import is_valid_linkage

from gaussmix import GaussianMixture


@pytest.fixture(scope="module")
def crosses(tmp_path_factory):
    """A table with two crosses and a round group, and the file of a model of five components."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(5, 90, 2))
    spreads = np.array([[3.0, 0.4], [0.4, 3.0], [2.0, 0.3], [0.3, 2.0], [1.0, 1.0]])
    centres = np.array([[0.0, 0.0], [0.0, 0.0], [12.0, 0.0], [12.0, 0.0], [6.0, 9.0]])
    frame = pd.DataFrame(
        (centres[:, None] + spreads[:, None] * z).reshape(-1, 2), columns=["width", "height"]
    )
    folder = tmp_path_factory.mktemp("crosses")
    frame.to_csv(folder / "table.csv", index=False)
    GaussianMixture(5).fit(frame).save(folder / "model.json")
    return folder / "model.json", folder / "table.csv"


def test_the_tree_and_the_entropies_are_printed(run, crosses):
    done = run("merge", *crosses)
    assert done.code == 0
    assert done.out.startswith("5 components make 3 clusters: there the entropy has its elbow")
    lines = done.out.splitlines()
    assert sum(line.lstrip("│├└─ ").startswith("component ") for line in lines) >= 4
    assert sum(line.lstrip("│├└─ ").startswith("cluster ") for line in lines) == 3
    # One row for each number of clusters, from 5 to 1.
    first = next(i for i, line in enumerate(lines) if line.startswith("clusters"))
    assert [line.split()[0] for line in lines[first + 1 : first + 6]] == list("54321")


def test_json_holds_all_of_it(run, crosses):
    found = run("merge", *crosses, "--json").json
    assert found["n_clusters"] == found["elbow"]["n_clusters"] == 3
    assert sorted(k for cluster in found["clusters"] for k in cluster["components"]) == [1, 2, 3, 4, 5]
    assert sum(cluster["weight"] for cluster in found["clusters"]) == pytest.approx(1.0)
    assert np.diff(found["entropies"]).min() >= 0.0
    assert is_valid_linkage(np.array(found["tree"]))
    assert found["row_weight"] == 450
    model = GaussianMixture(5).fit(pd.read_csv(crosses[1]))
    assert found["entropies"] == pytest.approx(
        model.merge(pd.read_csv(crosses[1])).entropies.tolist(), rel=1e-6
    )


def test_each_row_s_cluster_is_written(run, crosses, tmp_path):
    out = tmp_path / "clusters.csv"
    assert run("merge", *crosses, "--clusters", "2", "--assign", out).code == 0
    with out.open() as file:
        rows = list(csv_format.DictReader(file))
    assert list(rows[0]) == ["row", "label", "probability_1", "probability_2"]
    assert [int(row["row"]) for row in rows] == list(range(1, 451))
    shares = np.array([[float(row["probability_1"]), float(row["probability_2"])] for row in rows])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert [int(row["label"]) for row in rows] == (shares.argmax(axis=1) + 1).tolist()


def test_rows_keep_the_numbers_of_their_file(run, crosses, csv, tmp_path):
    lines = crosses[1].read_text().splitlines()
    lines[2] = ",1.0"
    out = tmp_path / "clusters.csv"
    gaps = csv("\n".join(lines) + "\n")
    assert run("merge", crosses[0], gaps, "--drop-missing", "--assign", out).code == 0
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:4]] == ["1", "3", "4"]


def test_noise_is_named_and_keeps_its_column(run, crosses, tmp_path):
    frame = pd.read_csv(crosses[1])
    scattered = np.random.default_rng(1).uniform(-12.0, 25.0, size=(60, 2))
    frame = pd.concat([frame, pd.DataFrame(scattered, columns=frame.columns)])
    table, model, out = tmp_path / "noisy.csv", tmp_path / "noisy.json", tmp_path / "clusters.csv"
    frame.to_csv(table, index=False)
    GaussianMixture(5, noise=True, n_init=5).fit(frame).save(model)
    done = run("merge", model, table, "--assign", out)
    assert done.code == 0
    assert "which is never merged" in done.out
    header, *lines = out.read_text().splitlines()
    assert header.split(",")[-1] == '"probability_noise"'
    assert any(line.split(",")[1] == "0" for line in lines)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_tree_is_a_picture(run, crosses, tmp_path, ending, start):
    out = tmp_path / f"tree.{ending}"
    assert run("merge", *crosses, "-o", out).code == 0
    assert out.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (["--clusters", "6"], 2, "from 1 to 5"),
        (["--clusters", "0"], 2, "from 1 to 5"),
        (["-o", "tree.txt"], 2, "must end in .png, .svg, .pdf"),
        (["-o", "same.png", "--assign", "same.png"], 2, "the same file"),
        (["--assign", "nowhere/clusters.csv"], 3, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused(run, crosses, tmp_path, monkeypatch, asked, code, words):
    monkeypatch.chdir(tmp_path)
    done = run("merge", *crosses, *asked)
    assert done.code == code
    assert words in done.err
    assert not list(tmp_path.iterdir())


def test_neither_the_model_nor_the_table_is_written_over(run, crosses):
    for path in crosses:
        before = path.read_bytes()
        assert run("merge", *crosses, "--assign", path).code == 3
        assert path.read_bytes() == before


def test_one_component_is_one_cluster(run, crosses, tmp_path):
    model = tmp_path / "one.json"
    GaussianMixture(1).fit(pd.read_csv(crosses[1])).save(model)
    done = run("merge", model, crosses[1], "-o", tmp_path / "tree.svg")
    assert done.code == 0
    assert "nothing to merge" in done.out
