"""``n_threads``: honoured, checked, and without effect on results."""

import numpy as np
import pytest

from gaussmix import GaussianMixture, show_versions
from gaussmix.errors import SettingsError
from gaussmix.kernels import threads

ROWS = np.random.default_rng(0).normal(size=(5000, 3))


def test_results_do_not_depend_on_it():
    one, three = (GaussianMixture(2, n_threads=n).fit(ROWS) for n in (1, 3))
    assert np.array_equal(one.means_, three.means_)
    assert np.array_equal(one.predict_proba(ROWS), three.predict_proba(ROWS))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_it_is_a_positive_whole_number(wrong):
    with pytest.raises(SettingsError, match="n_threads"):
        GaussianMixture(2, n_threads=wrong).fit(ROWS)


def test_it_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", "5")
    assert threads.thread_count() == 5
    with threads.compute_threads(np.int64(3)):
        assert threads.thread_count() == 3
    assert threads.thread_count() == 5


@pytest.mark.parametrize("many", [10**3, 2**31, 10**30])
def test_more_than_there_is_work_for_is_no_error(many):
    assert GaussianMixture(2, n_threads=many).fit(ROWS).converged_


def test_show_versions_names_the_kernel_and_the_threads(capsys):
    show_versions()
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert "kernel" in lines
    assert int(lines["threads"]) >= 1
    assert lines["numpy"] == np.__version__
