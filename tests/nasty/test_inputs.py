"""Every input of the registry through Python: refused in words that say what to do, or answered well."""

import re
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
from inputs import INPUTS
from inputs.faces import answer_of, assert_answered, assert_refused, fit_table, heard, holds
from inputs.kinds import FILES, SOURCES, Refused

import gaussmix
from gaussmix import GaussianMixture

ROOT = Path(__file__).parent.parent.parent


def marks(one):
    return [pytest.mark.xfail(reason=one.defect, strict=True)] if one.defect else []


TABLES = [
    pytest.param(one, source, id=f"{one.number}-{source}", marks=marks(one))
    for one in INPUTS
    if one.table is not None
    for source in one.sources
    if holds(one.table(), source)
]
THINGS = [pytest.param(one, id=one.label, marks=marks(one)) for one in INPUTS if one.thing is not None]
IN_FILES = [
    pytest.param(one, how, id=f"{one.label}-{how}", marks=marks(one))
    for one in INPUTS
    if one.file is not None and "python" in one.faces
    for how in ("in memory", "streamed")
    if not (one.heavy and how == "in memory")
]


def attempted(one, fit, where, table=None, labelled=None):
    """Fit, and hold what comes of it against what should."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(one.outcome, Refused):
            with pytest.raises(one.outcome.kind) as error:
                fit()
            assert type(error.value).__module__.startswith("gaussmix"), repr(error.value)
            assert_refused(one.outcome, str(error.value), where)
            return None
        model, notes = fit()
        said = heard(model, caught, notes)
    strange = [str(w.message) for w in caught if not type_of_ours(w.category)]
    assert not strange
    if one.outcome.says is None:
        assert not caught, [str(w.message) for w in caught]
    assert_answered(one.outcome, answer_of(model, labelled, said), table)
    return model


def type_of_ours(category):
    return category.__module__.startswith(("gaussmix", "sklearn.exceptions"))


@pytest.fixture(scope="module")
def from_array():
    """The means of tables as arrays, to be those of all other sources."""
    return {}


@pytest.mark.parametrize(("one", "source"), TABLES)
def test_rows_wherever_they_live(one, source, tmp_path, from_array):
    table = one.table()
    where = "file" if source.startswith(FILES) else "memory"
    found = attempted(
        one, lambda: fit_table(table, source, one.settings, tmp_path), where, table, np.asarray(table.matrix)
    )
    if found is not None:
        means = from_array.setdefault(one.number, found.means_)
        assert np.array_equal(found.means_, means), "not the bits of the array"


@pytest.mark.parametrize("one", THINGS)
def test_things_that_only_python_has(one):
    attempted(one, lambda: (GaussianMixture(**one.settings).fit(one.thing(), **one.rows), ()), "memory", None)


@pytest.mark.parametrize(("one", "how"), IN_FILES)
def test_files(one, how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = one.file(tmp_path)

    def fit():
        rows = gaussmix.rows(path, memory=0 if how == "streamed" else None, **one.rows)
        return GaussianMixture(**one.settings).fit_rows(rows), rows.notes

    attempted(one, fit, "file", None)


def test_the_registry_holds_each_number_once():
    numbers = [one.number for one in INPUTS]
    assert len(set(numbers)) == len(numbers)
    assert all(sum(x is not None for x in (i.table, i.thing, i.file, i.deed)) == 1 for i in INPUTS)
    assert all(set(one.sources) <= set(SOURCES) for one in INPUTS)


def test_every_number_that_was_asked_for_is_there():
    there = {int(re.match(r"\d+", one.number)[0]) for one in INPUTS}
    asked_for = set(range(1, 72))
    # 70 is of templates for names of outputs, of which there are none; what looks like one is a name.
    assert asked_for <= there
    assert len({one for one in there if one > 100}) >= 40


def test_the_table_in_the_docs_is_what_we_do():
    table = runpy.run_path(str(ROOT / "docs" / "nasty_table.py"))
    assert table["PAGE"].read_text(encoding="utf-8") == table["page"]()
