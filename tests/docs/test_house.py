"""The house keeps its promises about itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "gaussmix"
FLOORS = ["cli", "estimators", "report", "modelfile", "learning", "data", "model", "kernels"]
MODULES = sorted(SOURCE.rglob("*.py"))


def floor_of(dotted):
    names = dotted.split(".")
    return {"modelfacts": "modelfile"}.get(names[1], names[1]) if len(names) > 1 else None


def test_the_page_is_one_page():
    assert len((SOURCE / "learning" / "em.py").read_text().splitlines()) <= 120


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_file_is_too_long(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path):
    own = floor_of(".".join(["gaussmix", *path.relative_to(SOURCE).with_suffix("").parts]))
    if own not in FLOORS:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("gaussmix.") and floor_of(name) in FLOORS:
                assert FLOORS.index(floor_of(name)) >= FLOORS.index(own), f"{path.name} imports {name}"


def test_the_lint_rule_catches_an_import_that_points_up(tmp_path):
    """Break the house on purpose: ruff must object in every form an import can take."""
    import shutil

    shutil.copytree(SOURCE, tmp_path / "src" / "gaussmix")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    victim = tmp_path / "src" / "gaussmix" / "kernels" / "reference.py"
    for line in (
        "from gaussmix.learning import em",
        "import gaussmix.data.memory",
        "from gaussmix import model",
        "from gaussmix.model.mixture import Mixture",
    ):
        victim.write_text(f"{line}\n")
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--no-cache", str(victim)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "TID251" in done.stdout, line


def test_help_does_not_import_numpy():
    code = "import sys; from gaussmix.cli.main import cli; cli(['--help'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", code + "; assert 'numpy' not in sys.modules"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
