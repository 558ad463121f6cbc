"""Merging beside R mclust's clustCombi, at mclust's own fits (tests/data/merging.mclust.tsv)."""

import csv
import json
from itertools import combinations
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from gaussmix.data.memory import MemoryRows
from gaussmix.learning.clusters.elbow import elbow_of
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

DATA = Path(__file__).parent.parent / "data"


def crosses():
    """Two crosses of two components each and a round group, 360 rows."""
    i = np.arange(1, 361)
    z = norm.ppf(0.0005 + 0.999 * (np.outer(i, [0.6180339887498949, 0.7548776662466927]) % 1.0))
    group = (i - 1) % 5
    spreads = np.array([[3.0, 0.4], [0.4, 3.0], [2.0, 0.3], [0.3, 2.0], [1.0, 1.0]])
    return (
        np.array([[0.0, 0.0], [0.0, 0.0], [12.0, 0.0], [12.0, 0.0], [6.0, 9.0]])[group] + spreads[group] * z
    )


@pytest.fixture(scope="module")
def tables(iris, faithful):
    return {"iris": iris, "faithful": faithful, "crosses": crosses()}


def reference():
    with (DATA / "merging.mclust.tsv").open() as file:
        return [
            pytest.param(row, id=f"{row['table']}-{row['model']}-{row['G']}")
            for row in csv.DictReader(file, delimiter="\t")
        ]


def merged(row, tables):
    rows, n_components = tables[row["table"]], int(row["G"])
    n_features = rows.shape[1]
    means = np.array(json.loads(row["mean"])).reshape(n_features, n_components).T
    matrices = np.array(json.loads(row["sigma"])).reshape(n_components, n_features, n_features)
    matrices = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    mixture = Mixture(np.array(json.loads(row["pro"])), means, matrices, covariance_family("full"))
    return merge_components(mixture, MemoryRows(rows))


@pytest.mark.parametrize("row", reference())
def test_mergers_are_mclust_s(tables, row):
    found = merged(row, tables)
    np.testing.assert_allclose(found.entropies, json.loads(row["entropies"]), rtol=1e-9, atol=1e-9)
    for n, labels in enumerate(json.loads(row["groups"]), start=1):
        expected = {tuple(np.flatnonzero(np.array(labels) == k).tolist()) for k in set(labels)}
        assert set(found.clusters(n)) == expected


@pytest.mark.parametrize("row", reference())
def test_the_elbow_is_mclust_s(tables, row):
    found = merged(row, tables)
    assert found.elbow_by_count.n_clusters == int(row["elbow"])
    assert found.elbow.n_clusters == int(row["elbow"])


@pytest.mark.parametrize("row", reference()[:1])
def test_entropies_by_definition_in_fifty_digits(tables, row):
    """-sum r log r of responsibilities computed by mpmath, merged pair by pair, always the best pair."""
    found = merged(row, tables)
    mixture, rows = found.mixture, tables[row["table"]][::5]
    found = merge_components(mixture, MemoryRows(rows))
    with mpmath.workdps(50):
        shares = [responsibilities(mixture, x) for x in rows]
        groups = [[r[k] for r in shares] for k in range(mixture.n_components)]
        entropies = [entropy(groups)]
        while len(groups) > 1:
            groups = min((put_together(groups, *p) for p in combinations(range(len(groups)), 2)), key=entropy)
            entropies.append(entropy(groups))
    expected = [float(e) for e in entropies[::-1]]
    # Shares near 1 hold what is lost of them to 1e-16.
    np.testing.assert_allclose(found.entropies, expected, rtol=1e-12, atol=1e-14)


def responsibilities(mixture, x):
    terms = []
    for weight, mean, matrix in zip(mixture.weights, mixture.means, mixture.matrices, strict=True):
        exact = mpmath.matrix(matrix.tolist())
        away = mpmath.matrix(
            [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, mean, strict=True)]
        )
        square = (away.T * mpmath.lu_solve(exact, away))[0]
        terms.append(mpmath.mpf(float(weight)) * mpmath.exp(-square / 2) / mpmath.sqrt(mpmath.det(exact)))
    return [term / sum(terms) for term in terms]


def put_together(groups, i, j):
    joint = [a + b for a, b in zip(groups[i], groups[j], strict=True)]
    return [group for k, group in enumerate(groups) if k not in (i, j)] + [joint]


def entropy(groups):
    return -sum(r * mpmath.log(r) for group in groups for r in group if r > 0)


def test_the_elbow_by_numpy_s_least_squares():
    """The same two lines, by polyfit for each place of the elbow."""
    rng = np.random.default_rng(0)
    for n in (4, 5, 8, 13):
        positions = np.cumsum(rng.uniform(0.5, 2.0, n))
        values = np.cumsum(np.sort(rng.exponential(size=n) ** 2))
        squares = {}
        for last in range(2, n):
            parts = [slice(0, last), slice(last - 1, n)]
            lines = [np.polyfit(positions[part], values[part], 1) for part in parts]
            rests = [
                values[part] - np.polyval(line, positions[part])
                for part, line in zip(parts, lines, strict=True)
            ]
            squares[last] = (sum(rest @ rest for rest in rests), lines)
        best = min(squares, key=lambda last: squares[last][0])
        found = elbow_of(positions, values)
        assert found.n_clusters == best
        assert found.squares == pytest.approx(squares[best][0], rel=1e-9)
        np.testing.assert_allclose(found.slopes, [line[0] for line in squares[best][1]], rtol=1e-9)
        np.testing.assert_allclose(found.intercepts, [line[1] for line in squares[best][1]], rtol=1e-8)
