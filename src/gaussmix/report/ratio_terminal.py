"""Likelihood-ratio tests on a terminal."""

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.learning.selection.likelihood_ratio import RatioTests


def ratio_report(tests: RatioTests) -> RenderableType:
    """What the tests come to, and a line for each."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("components", "2 x gain", "by chance, 95 % below", "p-value", "tables"):
        table.add_column(heading, justify="right")
    for test in tests.tests:
        table.add_row(
            f"{test.n_components} against {test.n_components + 1}",
            f"{test.statistic:.2f}",
            f"{np.quantile(test.replicates, 0.95):.2f}",
            f"{test.p_value:.3g} ± {test.error:.1g}",
            f"{len(test.replicates)}" + (f" ({test.n_failed} failed)" if test.n_failed else ""),
        )
    return Group(Text(tests.conclusion, style="bold"), Text(f"model {tests.covariance}"), Text(""), table)
