"""The one place that knows which covariance models there are."""

from gaussmix.errors import SettingsError
from gaussmix.model.covariances.contract import CovarianceFamily
from gaussmix.model.covariances.diag import Diag
from gaussmix.model.covariances.eei import EEI
from gaussmix.model.covariances.eev import EEV
from gaussmix.model.covariances.eii import EII
from gaussmix.model.covariances.eve import EVE
from gaussmix.model.covariances.evi import EVI
from gaussmix.model.covariances.evv import EVV
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.spherical import Spherical
from gaussmix.model.covariances.tied import Tied
from gaussmix.model.covariances.vee import VEE
from gaussmix.model.covariances.vei import VEI
from gaussmix.model.covariances.vev import VEV
from gaussmix.model.covariances.vve import VVE
from gaussmix.model.covariances.written import Written

# scikit-learn's four, with covariances of scikit-learn's shapes.
_SCIKIT_LEARN: tuple[CovarianceFamily, ...] = (Full(), Tied(), Diag(), Spherical())
# mclust's fourteen, with a covariance (D, D) written out for each component.
_MCLUST: tuple[CovarianceFamily, ...] = (
    Written(EII(), "EII"),
    Written(Spherical(), "VII"),
    Written(EEI(), "EEI"),
    Written(VEI(), "VEI"),
    Written(EVI(), "EVI"),
    Written(Diag(), "VVI"),
    Written(Tied(), "EEE"),
    VEE(),
    EVE(),
    VVE(),
    EEV(),
    VEV(),
    EVV(),
    Written(Full(), "VVV"),
)
FAMILIES: tuple[CovarianceFamily, ...] = (*_SCIKIT_LEARN, *_MCLUST)
# In one dimension there is volume only, equal or varying.
ONE_DIMENSION = {"E": "EII", "V": "VII"}

_BY_NAME: dict[str, CovarianceFamily] = {family.name: family for family in FAMILIES}


def covariance_family(name: object) -> CovarianceFamily:
    """Look a covariance model up by scikit-learn's or mclust's name.

    Raises
    ------
    SettingsError
        If there is no such model; the message lists those there are.
    """
    family = _BY_NAME.get(ONE_DIMENSION.get(name, name)) if isinstance(name, str) else None
    if family is None:
        known = ", ".join([*_BY_NAME, *ONE_DIMENSION])
        raise SettingsError(f"covariance_type must be one of {known}; got {name!r}")
    return family


def free_cousin(family: CovarianceFamily) -> CovarianceFamily:
    """The model in which nothing is equal that components of this one could also have apart."""
    if family.sees_correlation:
        return Full()
    return Diag() if family.sees_shape else Spherical()
