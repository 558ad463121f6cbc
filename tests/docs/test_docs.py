"""Every example in the documentation is run, and what is generated is up to date."""

import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [code for found, code in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


@pytest.fixture
def beside_the_data(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    (tmp_path / "big").mkdir()
    generator = np.random.default_rng(0)
    for i in range(2):
        shard = generator.normal(size=(2000, 2)) + 5.0 * generator.integers(0, 2, (2000, 1))
        pq.write_table(pa.table({"x": shard[:, 0], "y": shard[:, 1]}), tmp_path / "big" / f"part-{i}.parquet")
    monkeypatch.chdir(tmp_path)


def pages_that_run():
    """Those that start a cluster one after the other: each wants the same port for its dashboard."""
    for page in PAGES:
        if code := "".join(blocks(page, "python")):
            alone = [pytest.mark.xdist_group("dashboard")] if "Client(" in code else []
            yield pytest.param(page, id=page.name, marks=alone)


@pytest.mark.parametrize("page", list(pages_that_run()))
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use", "ignore:unclosed <socket:ResourceWarning")
def test_python_blocks_run(page, beside_the_data):
    namespace = {}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), namespace)
    # Where the port was taken, the sockets that tried for it are collected while that is no error.
    gc.collect()


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "console")], ids=lambda p: p.name)
def test_console_blocks_print_what_they_show(page, beside_the_data):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            done = subprocess.run(
                command, shell=True, capture_output=True, text=True, env=environment, check=False
            )
            assert done.returncode == 0, (command, done.stderr)
            for line in (line for line in shown if line != "..."):
                assert line.strip() in done.stdout, (command, line)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_what_is_generated_is_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/build.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_gallery_shows_what_its_code_draws(beside_the_data):
    """Pixel by pixel but for the edges of letters, which depend on the machine's font renderer."""
    page = ROOT / "docs" / "gallery.md"
    namespace = {}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), namespace)
    shown = re.findall(r"\]\(images/(gallery-\w+\.png)\)", page.read_text())
    assert len(shown) == len(set(shown)) == 10
    for name in shown:
        drawn, kept = (imread(folder / "docs" / "images" / name)[..., :3] for folder in (Path(), ROOT))
        assert drawn.shape == kept.shape
        assert np.mean(np.abs(drawn - kept)) < 0.01, name


def test_pictures_fetch_nothing():
    for picture in (ROOT / "docs" / "images").glob("*.svg"):
        assert not re.search(r"url\([\"']?http|@import|href=", picture.read_text())


def test_docstring_examples_run():
    import doctest

    from gaussmix.estimators import mixture

    assert doctest.testmod(mixture).failed == 0
    assert doctest.testmod(mixture).attempted > 3
