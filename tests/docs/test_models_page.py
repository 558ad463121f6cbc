"""What docs/models.md says of the covariance models is so."""

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from gaussmix.model.covariances import axes, covariance_family, shapes, vee
from gaussmix.model.mixture import Mixture
from gaussmix.model.parts import parts_of

ROOT = Path(__file__).parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def builder():
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = builder()


@pytest.fixture
def scatters():
    roots = np.random.default_rng(0).normal(size=(3, 4, 4))
    return roots @ roots.transpose(0, 2, 1) * np.array([1.0, 4.0, 9.0])[:, None, None]


@pytest.mark.parametrize("name", BUILD.MODELS)
def test_m_steps_called_iterated_are_those_with_rounds(name, scatters, monkeypatch):
    whole = BUILD.covariances_of(name, scatters).matrices
    for module in (shapes, axes, vee):
        monkeypatch.setattr(module, "MOST_ROUNDS", 1)
    cut_short = BUILD.covariances_of(name, scatters).matrices
    assert np.array_equal(whole, cut_short) == (name not in BUILD.ITERATED)


@pytest.mark.parametrize("name", BUILD.MODELS)
def test_the_formula_has_an_index_where_the_parts_differ(name, scatters):
    """As ``parts_of`` takes the covariances apart, not as the family puts them together."""
    family = covariance_family(name)
    mixture = Mixture(np.full(3, 1 / 3), np.zeros((3, 4)), family.from_matrices(scatters), family)
    formula = BUILD.MODELS[name][0]
    for symbol, part in zip(("lambda", "A", "D"), parts_of(mixture), strict=True):
        differ = np.abs(part - part[0]).max() > 1e-6
        assert differ == bool(re.search(rf"\b{symbol}_k", formula)), symbol


def test_the_picture_shows_every_model_on_a_ground_of_its_own():
    picture = ET.fromstring(BUILD.models_picture())
    width, height = picture.get("viewBox").split()[2:]
    ground = picture.find(f"{SVG}rect")
    assert (ground.get("width"), ground.get("height")) == (width, height)
    panels = picture.findall(f"{SVG}g")
    names = [panel.find(f"{SVG}text").text for panel in panels]
    assert sorted(names) == sorted(BUILD.MODELS)
    assert all(len(panel.findall(f"{SVG}g/{SVG}ellipse")) == 3 for panel in panels)


def test_ellipses_are_the_covariances():
    """Each panel's radii and angle make the family's covariance again, to the digits that are written."""
    drawn = np.stack([BUILD._matrix(*numbers) for numbers in BUILD.DRAWN])
    for panel in ET.fromstring(BUILD.models_picture()).findall(f"{SVG}g"):
        expected = BUILD.covariances_of(panel.find(f"{SVG}text").text, drawn).matrices
        for group, matrix in zip(panel.findall(f"{SVG}g"), expected, strict=True):
            angle = -float(re.search(r"rotate\((.*)\)", group.get("transform"))[1])
            ellipse = group.find(f"{SVG}ellipse")
            radii = np.array([float(ellipse.get("rx")), float(ellipse.get("ry"))]) / BUILD.UNIT
            np.testing.assert_allclose(BUILD._matrix(*radii, angle), matrix, atol=2e-3)


def test_a_page_without_its_place_is_not_passed_over():
    with pytest.raises(ValueError, match="no place for figures"):
        BUILD.filled("docs/models.md", {"figures": []})


def test_the_best_models_of_the_example_are_those_it_names(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    namespace = {}
    exec(re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1], namespace)
    bic = namespace["bic"]
    assert sorted(bic, key=bic.get)[:2] == [("EEE", 3), ("VVE", 2)]
