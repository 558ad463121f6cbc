"""Gaussian mixtures by EM: right where others are quietly wrong, and explained.

``GaussianMixture`` is the estimator; ``select`` finds the number of components and the model, and
``SelectedGaussianMixture`` does so as an estimator; ``bootstrap_test`` tests for one component more;
``compare`` sets two fits side by side; ``rows`` are rows in files or on a cluster; ``load`` reads a saved
model back; ``plot`` draws; ``show_versions`` says what is installed. The command line is ``gaussmix --help``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gaussmix import plot
    from gaussmix.estimators.comparing import compare
    from gaussmix.estimators.loading import load
    from gaussmix.estimators.mixture import GaussianMixture
    from gaussmix.estimators.outofcore import rows
    from gaussmix.estimators.selected import SelectedGaussianMixture
    from gaussmix.estimators.selecting import bootstrap_test, select
    from gaussmix.versions import show_versions

_HOMES = {
    "GaussianMixture": "gaussmix.estimators.mixture",
    "SelectedGaussianMixture": "gaussmix.estimators.selected",
    "bootstrap_test": "gaussmix.estimators.selecting",
    "compare": "gaussmix.estimators.comparing",
    "load": "gaussmix.estimators.loading",
    "rows": "gaussmix.estimators.outofcore",
    "select": "gaussmix.estimators.selecting",
    "show_versions": "gaussmix.versions",
}

__all__ = [
    "GaussianMixture",
    "SelectedGaussianMixture",
    "__version__",
    "bootstrap_test",
    "compare",
    "load",
    "plot",
    "rows",
    "select",
    "show_versions",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes half a second to import: only those who ask for the estimator wait.
    if name == "plot":
        return import_module("gaussmix.plot")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
