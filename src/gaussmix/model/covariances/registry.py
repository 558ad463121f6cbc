"""The one place that knows which covariance models there are."""

from gaussmix.errors import SettingsError
from gaussmix.model.covariances.contract import CovarianceFamily
from gaussmix.model.covariances.diag import Diag
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.spherical import Spherical
from gaussmix.model.covariances.tied import Tied

FAMILIES: tuple[CovarianceFamily, ...] = (Full(), Tied(), Diag(), Spherical())

_BY_NAME: dict[str, CovarianceFamily] = {
    name: family for family in FAMILIES for name in (family.name, family.mclust_name)
}


def covariance_family(name: object) -> CovarianceFamily:
    """Look a covariance model up by scikit-learn's or mclust's name.

    Raises
    ------
    SettingsError
        If there is no such model; the message lists those there are.
    """
    family = _BY_NAME.get(name) if isinstance(name, str) else None
    if family is None:
        raise SettingsError(f"covariance_type must be one of {', '.join(_BY_NAME)}; got {name!r}")
    return family
