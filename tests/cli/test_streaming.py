"""Rows that are read in blocks, by workers: what a user types and sees."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from shards import ROWS, in_shards

pytestmark = pytest.mark.usefixtures("many_blocks")
FIT = ("-k", 3, "--n-init", 1)


def fitted(run, *arguments):
    """The JSON of a fit, and what was said beside it."""
    done = run("fit", *arguments, "--json")
    assert done.code == 0, done.err
    return done.json, done.err


def without_reading(document):
    return {name: value for name, value in document.items() if name != "reading"}


# The same answer


def test_a_fit_in_blocks_is_the_fit_in_memory(run, tmp_path, plain):
    plain.to_csv(tmp_path / "t.csv", index=False)
    plain.to_parquet(tmp_path / "t.parquet", index=False)
    in_memory, said = fitted(run, tmp_path / "t.csv", *FIT)
    assert "read in blocks" not in said
    assert "reading" not in in_memory
    for name, options in [
        ("t.csv", ("--memory", "0")),
        ("t.csv", ("--memory", "5KB", "--no-spool")),
        ("t.parquet", ("--memory", "1 kB")),
        ("t.parquet", ("--memory", "10GiB")),
        ("t.parquet", ()),
    ]:
        document, said = fitted(run, tmp_path / name, *FIT, *options)
        assert without_reading(document) == in_memory
        streamed = options not in ((), ("--memory", "10GiB"))
        assert ("read in blocks" in said) == streamed
        assert ("reading" in document) == streamed
        if streamed:
            assert document["reading"]["passes"] > document["n_iterations"]
            assert document["reading"]["bytes_read"] > 0
        assert ("temporary file" in said) == (options == ("--memory", "0"))


@pytest.mark.parametrize("memory", ["0", "1GB"])
def test_a_folder_and_a_pattern_are_one_table(run, tmp_path, frame, plain, memory):
    plain.to_csv(tmp_path / "t.csv", index=False)
    expected, _ = fitted(run, tmp_path / "t.csv", *FIT)
    folder = in_shards(tmp_path / "shards", plain)
    for data in (folder, f"{folder}/part-*.parquet"):
        document, _ = fitted(run, data, *FIT, "--memory", memory)
        assert without_reading(document) == expected


@pytest.mark.parametrize("memory", ["0", "1GB"])
def test_row_weights_count_rows(run, tmp_path, frame, table, memory):
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    repeated = pd.DataFrame(np.repeat(table[:, :2], table[:, 2].astype(int), axis=0), columns=["a", "b"])
    repeated.to_parquet(tmp_path / "repeated.parquet", index=False)
    start = ("-k", 3, "--means", "0,0;3,-2;6,-4", "--memory", memory)
    document, _ = fitted(run, tmp_path / "t.parquet", *start, "--row-weights", "w")
    expected, _ = fitted(run, tmp_path / "repeated.parquet", *start)
    assert document["log_likelihood"] == pytest.approx(expected["log_likelihood"], rel=1e-10)
    np.testing.assert_allclose(document["means"], expected["means"], atol=1e-9)
    np.testing.assert_allclose(document["weights"], expected["weights"], rtol=1e-9)
    done = run("fit", tmp_path / "t.parquet", *start, "--row-weights", "z")
    assert (done.code, "no column 'z'" in done.err) == (3, True)


def test_assignments_and_predictions_go_to_parquet_or_csv_in_blocks(run, tmp_path, plain):
    folder, model = in_shards(tmp_path / "shards", plain), tmp_path / "m.json"
    outputs = {}
    for memory in ("0", "1GB"):
        for suffix in ("csv", "parquet"):
            fit_to, predict_to = tmp_path / f"f{memory}.{suffix}", tmp_path / f"p{memory}.{suffix}"
            done = run("fit", folder, *FIT, "--memory", memory, "--assign", fit_to, "-o", model)
            assert done.code == 0, done.err
            done = run("predict", model, folder, "--memory", memory, "-o", predict_to)
            assert done.code == 0, done.err
            read = pd.read_csv if suffix == "csv" else pd.read_parquet
            outputs[memory, suffix] = read(predict_to)
            assert read(fit_to).equals(outputs[memory, suffix])
        assert (tmp_path / "p0.csv").read_bytes() == (tmp_path / f"p{memory}.csv").read_bytes()
    assert pq.read_metadata(tmp_path / "p0.parquet").num_rows == ROWS
    found = outputs["0", "parquet"]
    assert found.equals(outputs["1GB", "parquet"])
    assert found["row"].tolist() == list(range(1, ROWS + 1))
    assert list(found.columns[-2:]) == ["log_density", "unexplained"]
    pd.testing.assert_frame_equal(outputs["0", "csv"], found, check_dtype=False, rtol=1e-14)


def test_a_prediction_to_standard_output_is_that_to_a_file(run, tmp_path, plain):
    plain.to_csv(tmp_path / "t.csv", index=False)
    model = tmp_path / "m.json"
    assert run("fit", tmp_path / "t.csv", *FIT, "-o", model).code == 0
    assert run("predict", model, tmp_path / "t.csv", "--memory", "0", "-o", tmp_path / "p.csv").code == 0
    done = run("predict", model, tmp_path / "t.csv", "--memory", "0")
    assert done.out == (tmp_path / "p.csv").read_text()


def test_rows_left_out_keep_their_numbers(run, tmp_path, plain):
    holed = plain.copy()
    holed.loc[[1, 700], "b"] = np.nan
    holed.to_parquet(tmp_path / "t.parquet", index=False)
    said = {}
    for memory in ("0", "1GB"):
        out = tmp_path / f"{memory}.csv"
        done = run("fit", tmp_path / "t.parquet", *FIT, "--memory", memory, "--drop-missing", "--assign", out)
        assert done.code == 0, done.err
        said[memory] = "2 of 900 rows have missing values and were left out" in done.err
        numbers = pd.read_csv(out)["row"].tolist()
        assert len(numbers) == ROWS - 2
        assert (numbers[:2], numbers[-1]) == ([1, 3], ROWS), memory
    assert all(said.values())
    done = run("fit", tmp_path / "t.parquet", *FIT, "--memory", "0")
    assert done.code == 3
    assert "row 2" in done.err


def test_a_selection_in_blocks_is_the_selection_in_memory(run, tmp_path, frame):
    folder = in_shards(tmp_path / "shards", frame)
    arguments = (folder, "-k", "1:3", "--models", "EII,VVV", "--folds", 2, "--row-weights", "w")
    found = {}
    for memory in ("0", "1GB"):
        done = run("select", *arguments, "--memory", memory, "--json", "-o", tmp_path / "best.json")
        assert done.code == 0, done.err
        found[memory] = done.json, json.loads((tmp_path / "best.json").read_text())
    assert found["0"] == found["1GB"]


def test_dask_workers_read_the_files(run, tmp_path, frame, monkeypatch):
    distributed = pytest.importorskip("distributed")
    folder, model = in_shards(tmp_path / "shards", frame), tmp_path / "m.json"
    expected, _ = fitted(run, folder, *FIT, "--row-weights", "w")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        arguments = (folder, *FIT, "--row-weights", "w", "--dask", cluster.scheduler_address)
        document, _ = fitted(run, *arguments, "-o", model, "--assign", tmp_path / "a.parquet")
        checkpoint = ("--checkpoint", tmp_path / "c")
        first, _ = fitted(run, *arguments, *checkpoint)
        again, _ = fitted(run, *arguments, *checkpoint, "--resume")
        done = run("select", *arguments[:1], "-k", "1,2", "--models", "EII", "--folds", 0, *arguments[-4:])
        assert done.code == 0, done.err
        address = cluster.scheduler_address
        # Workers are in another folder, and are told where files are and not what they are called here.
        monkeypatch.chdir(tmp_path)
        frame.assign(name="x").to_parquet("named.parquet", index=False)
        _, said = fitted(run, "named.parquet", *FIT, "--row-weights", "w", "--dask", address)
        assert "column 'name' is text" in said
        assert "was left out" in said
    assert document["log_likelihood"] == pytest.approx(expected["log_likelihood"], rel=1e-10)
    np.testing.assert_allclose(document["means"], expected["means"], atol=1e-9)
    assert again == first == document
    assert run("predict", model, folder, "-o", tmp_path / "p.parquet").code == 0
    assert pd.read_parquet(tmp_path / "a.parquet").equals(pd.read_parquet(tmp_path / "p.parquet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gaussmix.data.cluster.dask_client.CONNECT", 0.5)
        done = run("fit", folder, *FIT, "--dask", address)
    assert done.code == 4
    assert f"no Dask scheduler answers at {address}" in done.err


# What is refused


def test_inputs_are_not_written_over(run, tmp_path, plain):
    folder = in_shards(tmp_path / "shards", plain)
    shard, model = folder / "part-5.parquet", tmp_path / "m.json"
    assert run("fit", folder, *FIT, "-o", model).code == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    link = tmp_path / "link.parquet"
    link.symlink_to(shard)
    for data in (folder, f"{folder}/*.parquet", shard):
        for output in (shard, link):
            for arguments in (
                ("fit", data, *FIT, "--assign", output),
                ("fit", data, *FIT, "-o", output),
                ("fit", data, *FIT, "--checkpoint", output),
                ("select", data, "-k", "1:2", "-o", output),
                ("predict", model, data, "-o", output),
            ):
                done = run(*arguments)
                assert done.code == 3, arguments
                assert "is the input; choose another name" in done.err, arguments
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


def test_outputs_do_not_land_among_the_shards(run, tmp_path, plain):
    """They would be rows of the next fit."""
    folder = in_shards(tmp_path / "shards", plain)
    for data in (folder, f"{folder}/*.parquet"):
        done = run("fit", data, *FIT, "--assign", folder / "new.parquet")
        assert done.code == 3, data
        assert "choose another" in done.err
        assert not (folder / "new.parquet").exists()
    for data, output in [(folder, "_new.parquet"), (f"{folder}/*.parquet", "new.csv")]:
        assert run("fit", data, *FIT, "--assign", folder / output).code == 0
        (folder / output).unlink()


def test_options_without_a_meaning_are_refused(run, tmp_path, plain):
    plain.to_csv(tmp_path / "t.csv", index=False)
    for arguments, code, words in [
        (("--memory", "much"), 2, "--memory must be a size such as 2GB or 500MB; got 'much'"),
        (("--memory", "-1"), 2, "--memory"),
        (("--resume",), 2, "--resume needs --checkpoint"),
        (("--memory", "0", "--check"), 2, "--check"),
        (("--columns", "a,z", "--memory", "0"), 3, "no column 'z'"),
    ]:
        done = run("fit", tmp_path / "t.csv", *FIT, *arguments)
        assert (done.code, words in done.err) == (code, True), (arguments, done.err)
    for data, words in [
        (tmp_path / "none", "none"),
        (f"{tmp_path}/*.parquet", "no file has a name like that"),
    ]:
        done = run("fit", data, *FIT)
        assert (done.code, words in done.err) == (3, True)
    (tmp_path / "empty").mkdir()
    done = run("fit", tmp_path / "empty", *FIT)
    assert (done.code, "holds no file" in done.err) == (3, True)


def test_a_checkpoint_that_is_there_is_not_written_over(run, tmp_path, plain):
    plain.to_parquet(tmp_path / "t.parquet", index=False)
    arguments = (tmp_path / "t.parquet", *FIT, "--memory", "0", "--checkpoint", tmp_path / "c")
    fitted(run, *arguments)
    before = (tmp_path / "c").read_bytes()
    done = run("fit", *arguments)
    assert done.code == 3
    assert "is there already: resume it, give another name, or delete it" in done.err
    done = run("fit", *arguments, "--resume", "-k", 2)
    assert done.code == 3
    assert "the number of components (-k) was 3 and is 2" in done.err
    plain[1:].to_parquet(tmp_path / "t.parquet", index=False)
    done = run("fit", *arguments, "--resume")
    assert done.code == 3
    assert "the rows are not those that it was begun with" in done.err
    assert (tmp_path / "c").read_bytes() == before
