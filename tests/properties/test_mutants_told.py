"""Lines behind what is told that could be changed without any test noticing: see tests/mutation/README.md."""

import re

import numpy as np
import pytest

from gaussmix.data.memory import MemoryRows
from gaussmix.learning.belief.goodness_words import GoodnessOfFit, MisfitTest
from gaussmix.learning.clusters.compared import Side
from gaussmix.learning.clusters.comparison import compare_mixtures
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.model.overlap import overlap_of

FULL, SPHERES = covariance_family("full"), covariance_family("spherical")


def told(**changed):
    found = {
        "tests": (MisfitTest("radial", 4.0, 0.01, 0.003), MisfitTest("shape", 2.0, 0.3, 0.01)),
        "p_value": 0.02,
        "component_p_values": np.array([0.01, 0.5]),
        "outside": 0.05,
        "far_out": 0.001,
        "leaning": (),
        "n_rows": 10_000,
        "n_tested": 10_000,
        "n_replicates": 99,
        "n_failed": 0,
        "steps": {},
        "copies": 0.0,
        "refit_gain": 0.0,
        "outdated": False,
    }
    return GoodnessOfFit(**found | changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"far_out": 0.25}, "tails are heavy: 25.0% of rows lie outside the components' 99.9% ellipsoids"),
        ({"outside": 0.0343}, "they end bluntly: 3.4% of rows lie outside the components' 95% ellipsoids"),
        ({"copies": 0.25}, "25.0% of the rows are exact copies of others"),
    ],
)
def test_shares_of_rows_are_told_in_percent(changed, said):
    assert said in told(**changed).sentence


def test_shares_outside_are_in_json_by_their_names():
    found = told(outside=0.06, far_out=0.002).as_json()
    assert (found["outside_95_percent"], found["outside_99.9_percent"]) == (0.06, 0.002)
    untold = told(tests=(), p_value=None, why_not="there are too few").as_json()
    assert (untold["outside_95_percent"], untold["outside_99.9_percent"]) == (None, None)


def test_overlap_is_told_in_percent_both_ways():
    mixture = Mixture([0.3, 0.7], [[0.0], [2.0]], [1.0, 1.0], SPHERES)
    overlap = overlap_of(mixture)
    shares = [float(share) for share in re.findall(r"([\d.]+)%", overlap.sentence)]
    most = overlap.table[0]
    assert shares == pytest.approx(
        [100.0 * most["first_as_second"], 100.0 * most["second_as_first"]], rel=2e-3
    )


@pytest.mark.parametrize("noisy", [0, 1])
def test_noise_on_one_side_is_a_place_of_its_own(noisy):
    rows = np.array([0.0, 0.5, 20.0, 50.0, 60.0])[:, None]
    noise = Noise(0.25, np.array([0.0]), np.array([[100.0]]))
    means, ones = [[0.0], [20.0]], np.ones((2, 1, 1))
    plain, with_noise = (
        Mixture([0.5, 0.5], means, ones, FULL),
        Mixture([0.375, 0.375], means, ones, FULL, noise),
    )
    sides = [with_noise, plain] if noisy == 0 else [plain, with_noise]
    found = compare_mixtures(*(Side(mixture, None) for mixture in sides), MemoryRows(rows))
    table = found.agreement.table if noisy == 0 else found.agreement.table.T
    assert table.tolist() == [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]
    assert found.largest_difference == 0.25
    alike = compare_mixtures(Side(with_noise, None), Side(with_noise, None), MemoryRows(rows))
    assert alike.largest_difference == 0.0
