"""The oldest and the newest versions of what gaussmix needs: ``nox -s oldest newest``."""

import re
import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["oldest", "newest"]
nox.options.error_on_missing_interpreters = False
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
# What tests import beside gaussmix; those of pages, clusters and pictures are for CI, on one set of versions.
TESTING = ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6.100", "mpmath>=1.3"]
TESTS = ["tests/oracle", "tests/contract", "tests/estimator", "tests/cli", "tests/nasty", "tests/threads"]
OLDEST_OF_TESTS = ["pandas==2.2.*", "polars==1.9.*"]


def tested(session: nox.Session, *versions: str) -> None:
    """Install gaussmix with these versions, as a user would, and run what does not depend on pictures."""
    session.install(*versions, *TESTING)
    session.install(".")
    # Other versions warn of other things.
    unwarned = ("-o", "filterwarnings=default", "-p", "no:cacheprovider")
    session.run("pytest", "-n", "auto", *unwarned, *TESTS, *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The least version that pyproject.toml allows of each dependency."""
    least = [re.sub(r">=([\d.]+)$", r"==\1.*", dependency) for dependency in PROJECT["dependencies"]]
    tested(session, *least, *OLDEST_OF_TESTS)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def newest(session: nox.Session) -> None:
    """The newest version of each for each Python that is found, and torch with its threads beside them."""
    tested(session, *PROJECT["dependencies"], "pandas", "polars", "torch")
