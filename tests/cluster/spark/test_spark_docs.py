"""What the documentation shows of Spark runs."""

import re
from pathlib import Path

import pytest

# PySpark 4 says so wherever it meets pandas 3, of which it needs nothing here that changed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.xdist_group("spark"),
]

ROOT = Path(__file__).parent.parent.parent.parent


def test_the_example_runs(vectors, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    namespace = {"df": vectors.select("features")}
    # As many components as there are groups: of eight it would say that they are too many.
    assert "k=8" in code
    exec(compile(code.replace("k=8", "k=3, nInit=1"), "scale.md", "exec"), namespace)
    assert (tmp_path / "model.json").exists()
