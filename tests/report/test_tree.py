"""Pictures of components that merge: which lines and points stand where."""

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.report.plots.tree import draw_entropy, draw_mergers, draw_tree


@pytest.fixture(scope="module")
def mergers(faithful):
    # Numbered so that components which merge do not stand side by side.
    mixture = GaussianMixture(5).fit(faithful)._mixture().permuted(np.array([3, 0, 4, 1, 2]))
    return merge_components(mixture, MemoryRows(faithful))


def lines(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def test_each_merger_is_a_bridge_at_its_height(mergers):
    ax = draw_tree(mergers)
    bridges = lines(ax, "_merger")
    assert [bridge.get_ydata()[1] for bridge in bridges] == pytest.approx(mergers.tree[:, 2])
    assert all(len(set(bridge.get_xdata())) == 2 for bridge in bridges)
    assert len(lines(ax, "_component")) == 5
    named = sorted(label.get_text().split("\n")[0] for label in ax.get_xticklabels())
    assert named == list("12345")
    # The cut goes through as many branches as there are clusters.
    cut = lines(ax, "_cut")[0].get_ydata()[0]
    assert (mergers.tree[:, 2] > cut).sum() == mergers.n_clusters - 1


def test_no_branches_cross(mergers):
    """Components of one cluster stand side by side, at every step."""
    ax = draw_tree(mergers)
    places = [round(float(line.get_xdata()[0])) for line in lines(ax, "_component")]
    for n in range(1, 6):
        for group in mergers.clusters(n):
            assert np.ptp([places[k] for k in group]) == len(group) - 1


def test_entropies_stand_over_the_merged_rows_with_their_elbow(mergers):
    ax = draw_entropy(mergers)
    points = lines(ax, "clusters")[0]
    np.testing.assert_array_equal(points.get_xdata(), mergers.merged_rows)
    np.testing.assert_array_equal(points.get_ydata(), mergers.entropies)
    assert [text.get_text() for text in ax.texts] == list("12345")
    ring = lines(ax, "_chosen")[0]
    assert ring.get_ydata()[0] == mergers.entropies[mergers.n_clusters - 1]
    for part, line in zip(
        (slice(0, mergers.elbow.n_clusters), slice(mergers.elbow.n_clusters - 1, 5)),
        lines(ax, "_line"),
        strict=True,
    ):
        slope, start = np.polyfit(mergers.merged_rows[part], mergers.entropies[part], 1)
        np.testing.assert_allclose(line.get_ydata(), start + slope * line.get_xdata(), rtol=1e-8)


def test_one_component_and_one_cluster_can_be_drawn(faithful):
    model = GaussianMixture(1).fit(faithful)
    assert len(draw_mergers(model.merge(faithful))) == 2
    axes = draw_mergers(GaussianMixture(3).fit(faithful).merge(faithful, n_clusters=1))
    assert "1 cluster" in axes[0].get_title(loc="right")
