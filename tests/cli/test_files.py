"""Tables as people write them, and as nobody should: read right, or refused by name."""

import datetime as dt
import os
import stat
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gaussmix.data.files.tables import read_table
from gaussmix.errors import DataError

ROWS = [[1.5, 20.0], [2.5, 30.25], [-3.0, 4e1]]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "b"]),
        ("1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "x2"]),
        ("a;b\n1,5;20\n2,5;30,25\n-3;4e1\n", ["a", "b"]),
        ("a\tb\n1.5\t20\n2.5\t30.25\n-3\t4e1", ["a", "b"]),
        ("a|b\n1.5|20\n2.5|30.25\n-3|4e1\n", ["a", "b"]),
        ("a b\n1.5 20\n2.5 30.25\n-3 4e1\n", ["a", "b"]),
        ("a,b\r\n1.5,20\r\n2.5,30.25\r\n-3,4e1", ["a", "b"]),
        (b"\xef\xbb\xbfa,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "b"]),
        ("a,b\n1.5,20\n2.5,30.25\n-3,4e1\n".encode("utf-16"), ["a", "b"]),
        ('"a","b"\n"1.5","20"\n"2.5","30.25"\n"-3","4e1"\n', ["a", "b"]),
        ('"two\nlines",b\n1.5,20\n2.5,30.25\n-3,4e1\n', ["two\nlines", "b"]),
        ("größe,b\n1.5,20\n2.5,30.25\n-3,4e1\n".encode("latin-1"), ["größe", "b"]),
        ("📏,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["📏", "b"]),
        ("a,a\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "a_2"]),
        (",b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "b"]),
        ("a, b\n1.5, 20\n2.5, 30.25\n-3, 4e1\n", ["a", "b"]),
        ("a,name,b\n1.5,x,20\n2.5,y,30.25\n-3,z,4e1\n", ["a", "b"]),
    ],
)
def test_csv_as_people_write_it(csv, content, names):
    table = read_table(str(csv(content)))
    assert list(table.feature_names) == names
    assert table.matrix.tolist() == ROWS


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("height cm\n5.1\n6.2\n", [[5.1], [6.2]]),
        ("x\n1,5\n2,5\n", [[1.5], [2.5]]),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", [[5.1, 3.5], [4.9, 3.0]]),
        ("when,x\n01.03.2024,1\n02.03.2024,2\n", [[1.0], [2.0]]),
    ],
    ids=["words in a header", "one column with decimal commas", "labels without a header", "dotted dates"],
)
def test_csv_whose_dialect_is_easily_mistaken(csv, content, rows):
    assert read_table(str(csv(content))).matrix.tolist() == rows


def test_guesses_are_said(csv):
    assert "decimal comma" in read_table(str(csv("a;b\n1,5;2\n2,5;3\n"))).notes[0]
    assert "Latin-1" in read_table(str(csv("größe,b\n1.5,20\n".encode("latin-1")))).notes[0]


def test_integers_beyond_floats_are_said(csv):
    table = read_table(str(csv("id,x\n9007199254740993,1\n9007199254740995,2\n")))
    assert "'id' holds integers beyond 2^53" in table.notes[0]


def test_row_numbers_survive_rows_left_out(run, csv, tmp_path):
    path = csv("a,b\n1,2\n,3\n4,5\n9,1\n")
    out = tmp_path / "out.csv"
    assert run("fit", path, "-k", 1, "--drop-missing", "--assign", out).code == 0
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:]] == ["1", "3", "4"]


def test_output_to_a_pipe_leaves_the_pipe(run, csv, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run("fit", csv("a\n1\n2\n4\n"), "-k", 1, "--assign", pipe).code == 0
    reader.join(timeout=10)
    assert read[0].startswith(b'"row","label"')
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_data_from_a_pipe_are_those_of_the_file(run, data_folder, tmp_path):
    """As a shell gives it to a command for <(...)."""
    model, pipe, faithful_csv = tmp_path / "m.json", tmp_path / "pipe", data_folder / "faithful.csv"
    assert run("fit", faithful_csv, "-k", 2, "-o", model).code == 0
    os.mkfifo(pipe)
    for words in [
        ("fit", pipe, "-k", 2),
        ("predict", model, pipe),
        ("select", pipe, "-k", "1,2", "--folds", 0),
    ]:
        writer = threading.Thread(target=lambda: pipe.write_bytes(faithful_csv.read_bytes()))
        writer.start()
        found = run(*words)
        writer.join(timeout=10)
        assert found.code == 0, found.err
        assert found.out == run(*(faithful_csv if word == pipe else word for word in words)).out


def test_two_outputs_in_one_file_are_refused(run, csv, tmp_path):
    found = run("fit", csv("a\n1\n2\n4\n"), "-k", 1, "-o", tmp_path / "m", "--assign", tmp_path / "m")
    assert found.code == 2
    assert not (tmp_path / "m").exists()


def test_a_folder_that_is_not_there_is_found_before_the_fit(run, csv, tmp_path):
    found = run("fit", csv("a\n1\n2\n4\n"), "-k", 1, "-o", tmp_path / "no" / "m.json")
    assert found.code == 3
    assert "the folder does not exist" in found.err


def test_what_was_left_out_or_renamed_is_said(csv):
    table = read_table(str(csv("a,a,name,when\n1,2,x,2020-01-01\n3,4,y,2020-01-02\n")))
    notes = " ".join(table.notes)
    assert "'a', is called 'a_2'" in notes
    assert "'name' is text, and was left out" in notes
    assert "'when' holds dates" in notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "no row of data"),
        ("a,b\n1,2\n3\n4,5\n", "line 3 has 1 cells where the first has 2: '3'"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 cells where the first has 2: '3,4,5'"),
        (b"a,b\n1,2\n\x00,4\n", "NUL bytes"),
        ("a,b\nx,y\nz,w\n", "no column holds numbers"),
        ("a,b\n1,2\n3,-\n5,6\n7,8\n", r"column 'b' is numbers but for some cells: row 2 holds '-'"),
        ('a,b\n1,"1,234"\n3,4\n5,6\n', r"row 1 holds '1,234'"),
        ("x\n1\n\n3\n", "row 2, column 'x' is missing"),
        ("pay\tb\n1,537\t78\n1,460\t84\n802\t35\n", "thousands separator"),
        ("x" * 300_000 + "\n1\n2\n", "field larger than field limit"),
        ("a,b\n,2\n1,\n", "row 1, column 'a' is missing"),
        ("a,b\n1,2\n3,NA\n", "row 2, column 'b' is missing"),
        ("a,b\n1,2\n3,\n", "row 2, column 'b' is missing"),
        ("a,b\n1,2\n3,1e400\n", "column 'b' is inf"),
        ('"a" "b"\n"1" 1.5 2.5\n"2" 3.5 4.5\n', "set apart by blanks"),
        ("a    b\n1.5  2\n10   3\n", "set apart by blanks"),
    ],
)
def test_csv_that_cannot_be_used_is_refused_by_name(csv, content, message):
    path = str(csv(content))
    with pytest.raises(DataError, match=message) as caught:
        read_table(path)
    assert path in str(caught.value)


def test_a_column_without_values_is_left_out_with_a_note(csv):
    table = read_table(str(csv("a,b\n1,\n3,\n")))
    assert table.feature_names == ("a",)
    assert table.notes == ("column 'b' is missing in every row, and was left out",)


def test_text_far_down_a_column_of_numbers_is_named(csv):
    lines = ["a,b"] + [f"{i},{i}.5" for i in range(300_000)] + ["oops,1"]
    with pytest.raises(DataError, match="row 300001 holds 'oops'"):
        read_table(str(csv("\n".join(lines))))


def test_rows_with_missing_values_may_be_left_out(csv):
    table = read_table(str(csv("a,b\n1,2\n,3\n4,5\n")), drop_missing=True)
    assert table.matrix.tolist() == [[1.0, 2.0], [4.0, 5.0]]
    assert "1 of 3 rows have missing values" in table.notes[0]


def test_a_chosen_column_that_is_no_number_is_an_error(csv):
    path = str(csv("a,name\n1,x\n2,y\n"))
    with pytest.raises(DataError, match="column 'name' is text"):
        read_table(path, ["a", "name"])


def test_parquet_types(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "single": pa.array([1.5, 2.5], pa.float32()),
            "whole": pa.array([1, 2], pa.int64()),
            "flag": pa.array([True, False]),
            "name": pa.array(["a", "b"]).dictionary_encode(),
            "when": pa.array([dt.date(2020, 1, 1)] * 2),
            "nested": pa.array([[1], [2]]),
        }
    )
    pq.write_table(table, path)
    found = read_table(str(path))
    assert found.feature_names == ("single", "whole", "flag")
    assert found.matrix.tolist() == [[1.5, 1.0, 1.0], [2.5, 2.0, 0.0]]
    assert read_table(str(path), ["single"]).matrix.dtype == np.float32


def test_truncated_files_are_errors(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.arange(1000.0)}), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read"):
        read_table(str(path))
    import gzip

    squeezed = tmp_path / "t.csv.gz"
    squeezed.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20])
    with pytest.raises(DataError):
        read_table(str(squeezed))


def test_an_npy_file_with_objects_is_refused_unread(tmp_path):
    path = tmp_path / "t.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(str(path))


def test_a_file_whose_name_begins_with_a_dash(run, tmp_path, monkeypatch):
    (tmp_path / "-x.csv").write_text("a\n1\n2\n3\n")
    monkeypatch.chdir(tmp_path)
    assert run("fit", "-k", 1, "--", "-x.csv").code == 0


def test_hostile_names_are_inert_on_the_terminal(run, csv):
    path = csv("\x1b[31mred\x1b[0m,[bold]b[/m],=cmd()\n1,2,3\n2,3,5\n3,5,4\n4,4,1\n")
    found = run("fit", path, "-k", 1)
    assert found.code == 0
    assert "\x1b" not in found.out + found.err
    assert "[bold]b[/m]" in found.out
    assert "[bold]b[/m]" in run("explain", path, "-k", 1, "--prior", "weak").out
    long = csv("x" * 100_000 + ",b\n1,2\n2,3\n3,5\n", "long.csv")
    assert max(map(len, run("fit", long, "-k", 1).out.splitlines())) < 200


def test_the_index_of_a_pandas_frame_is_no_measurement(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 1.0, 3.0, 5.0]})
    path = str(tmp_path / "i.parquet")
    frame[frame.a != 2.0].to_parquet(path)
    table = read_table(path)
    assert table.feature_names == ("a", "b")
    assert "index of a pandas frame" in table.notes[0]


def test_rows_are_named_by_their_number_in_the_file(run, csv):
    rows = np.random.default_rng(0).normal(size=100)
    rows[60] = 50.0
    text = "x\n" + "\n".join("" if i % 3 == 1 and i < 60 else str(x) for i, x in enumerate(rows)) + "\n"
    found = run("fit", csv(text), "-k", 1, "--drop-missing", "--json")
    assert found.json["unexplained_rows"] == [61]
    explained = run("explain", csv(text), "-k", 2, "--drop-missing", "--all-rows", "--json").json
    assert [row["row"] for row in explained["steps"][0]["rows"]][:3] == [1, 3, 4]


def test_gzip_that_is_none(csv):
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_table(str(csv(b"\x1f\x8bgarbage garbage")))


def test_small_decimal_commas_are_no_thousands(csv):
    assert read_table(str(csv("a;b\n0,512;0,731\n0,25;0,5\n"))).matrix.tolist() == [
        [0.512, 0.731],
        [0.25, 0.5],
    ]


@pytest.mark.parametrize("word", ["NA", "na", "n/a", "None", "null", "NaN", "nan", "<NA>"])
def test_missing_values_in_any_spelling(csv, word):
    assert len(read_table(str(csv(f"a,b\n1,2\n{word},3\n4,5\n")), drop_missing=True).matrix) == 2
