"""``gaussmix test``: whether there is one more group."""

from typing import Any

import click

from gaussmix.cli.options import (
    COVARIANCES,
    canonical,
    data_options,
    notes_of_warnings,
    print_json,
    rows_from,
)
from gaussmix.cli.progress import exit_if, progress_bar
from gaussmix.cli.select import counts_of
from gaussmix.learning.selection.likelihood_ratio import DEFAULT_REPLICATES, DEFAULT_TEST_LEVEL, ratio_tests
from gaussmix.learning.settings import DEFAULT_SEED, PRIORS, FitSettings
from gaussmix.report.ratio_terminal import ratio_report
from gaussmix.report.words import result_console


@click.command()
@data_options
@click.option(
    "-k",
    "--components",
    "counts",
    default="1:8",
    show_default=True,
    help="Numbers of components to test against one more each: 1:8, or 2.",
)
@click.option(
    "--covariance",
    type=click.Choice(COVARIANCES, case_sensitive=False),
    default="full",
    show_default=True,
    help="Covariance model.",
)
@click.option(
    "--replicates",
    type=int,
    default=DEFAULT_REPLICATES,
    show_default=True,
    help="Tables for each test.",
)
@click.option("--level", type=float, default=DEFAULT_TEST_LEVEL, show_default=True, help="Of each test.")
@click.option("--prior", type=click.Choice(PRIORS), default="weak", show_default=True, help="As in fit.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Of starts and tables.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def test(counts: str, covariance: str, replicates: int, level: float, as_json: bool, **options: Any) -> None:
    """Test K components against K + 1 on DATA, for rising K, until one more is not better than chance.

    Twice the gain in log-likelihood is compared with its gain on tables drawn from the fitted K components
    (McLachlan 1987): its distribution has no formula.
    """
    with notes_of_warnings():
        rows, _ = rows_from(options)
        settings = FitSettings(
            covariance_type=canonical(covariance), prior=options["prior"], seed=options["seed"]
        )
        with progress_bar("tables") as announce:
            tests = ratio_tests(rows, counts_of(counts), settings, replicates, level, announce)
    if as_json:
        print_json(tests.as_json())
    else:
        result_console().print(ratio_report(tests))
    exit_if(tests.interrupted)
