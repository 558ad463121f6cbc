"""Reports of ThreadSanitizer count unless they are pyarrow's own."""

import pytest
from races import judged, main

REPORT = """==================
WARNING: ThreadSanitizer: {kind} (pid=7)
  Write of size 8 at 0x7b2c00002150 by thread T13:
    #0 memset ../../sanitizer_common_interceptors.inc:799 (libtsan.so+0x5cbc4)
    #1 first <null> ({first}+0x212b89)

  Previous write of size 8 at 0x7b2c00002150 by main thread:
    #0 second <null> ({second}+0x10)

  Location is heap block of size 64 at 0x7b2c00002150 allocated by main thread:
    #0 operator new(unsigned long) <null> (libtsan.so+0x86c3d)
    #1 third <null> ({third}+0x20)

SUMMARY: ThreadSanitizer: data race in first
==================
"""
ARROW, PARQUET, OURS, PYTHON = "libarrow.so.2600", "libparquet.so.2600", "_native.so", "libpython3.11.so.1.0"


def written(first, second, third, kind="data race"):
    return REPORT.format(first=first, second=second, third=third, kind=kind)


def test_races_among_threads_of_pyarrow_are_its_own():
    text = written(ARROW, ARROW, PYTHON) + written(PARQUET, PYTHON, ARROW) + written(PYTHON, ARROW, PARQUET)
    assert judged([text, written(ARROW, PARQUET, ARROW)]) == (4, [])


@pytest.mark.parametrize(
    "report",
    [
        written(OURS, OURS, PYTHON),
        written(OURS, ARROW, PYTHON),
        written(ARROW, OURS, PYTHON),
        written(ARROW, ARROW, OURS),
        written(PYTHON, PYTHON, PYTHON),
        written(PYTHON, PYTHON, ARROW),
        written(ARROW, ARROW, PYTHON, kind="heap-use-after-free"),
        written("libsparrow.so", PYTHON, PYTHON),
    ],
)
def test_all_others_count(report, tmp_path, capsys):
    (tmp_path / "of.7").write_text(written(ARROW, ARROW, PYTHON) + report)
    (tmp_path / "of.8").write_text("")
    assert main(tmp_path) == 1
    said = capsys.readouterr().out
    assert said.count("WARNING") == 1
    assert said.endswith("ThreadSanitizer: 1 reports; 1 besides of pyarrow's own threads\n")


def test_no_report_is_well(tmp_path, capsys):
    assert main(tmp_path) == 0
    assert "0 reports" in capsys.readouterr().out
