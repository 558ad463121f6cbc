"""What a fit is asked for. A ``FitSettings`` that exists has been checked."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussmix.data.checks import WIDEST
from gaussmix.errors import SettingsError, StartError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily, covariance_family
from gaussmix.model.mixture import Noise
from gaussmix.model.ties import Ties, checked_ties

PRIORS = ("weak", "conjugate", "none")
ACCELERATIONS = ("auto", "none")
INIT_METHODS = (
    "auto",
    "kmeans",
    "k-means++",
    "random",
    "random_from_data",
    "agglomerative",
    "adaptive",
)

LARGEST = 2**63
DEFAULT_TOL = 1e-9
DEFAULT_MAX_ITER = 10_000
DEFAULT_N_INIT = "auto"
DEFAULT_INIT = "auto"
DEFAULT_SEED = 0
DEFAULT_ACCELERATION = "auto"


@dataclass(frozen=True, eq=False)
class GivenStart:
    """What the user said of the first mixture; None where nothing was said.

    Parameters
    ----------
    weights : (K,) array or None
    means : (K, D) array or None
    covariances : array or None
        As the family stores them; or a number, (K,) variances, (K, D) variances by feature, or
        (K, D, D) matrices, brought to the family's own form.
    precisions : array or None
        Inverse covariances, as the family stores them.
    responsibilities : (N, K) array or None
        First responsibilities, one row for each row of the data; what a row leaves of 1 is noise's.
    noise : Noise or None
        What a fitted mixture knows of noise.
    """

    weights: Any = None
    means: Any = None
    covariances: Any = None
    precisions: Any = None
    responsibilities: Any = None
    noise: Noise | None = None

    @property
    def says_something(self) -> bool:
        """Whether any part is given; the order of components is then the user's."""
        parts = (self.weights, self.means, self.covariances, self.precisions, self.responsibilities)
        return any(part is not None for part in parts)


@dataclass(frozen=True, eq=False)
class FitSettings:
    """Everything that decides a fit besides the rows.

    Parameters
    ----------
    n_components : int
        K, at least 1.
    covariance_type : str
        full, tied, diag, spherical, or one of mclust's fourteen names.
    prior : str
        ``weak``, ``conjugate`` or ``none``.
    tol : float
        Largest estimated remaining gain, in nats per unit of row weight; 0 stops at rounding.
    max_iter : int
        Largest number of M-steps; 0 scores the start.
    n_init : int or str
        Starts, of which the best is kept; ``auto`` searches: many cheap starts, few that go on, and
        moves from where the best of them ends.
    init_params : str
        How starts are made: kmeans, k-means++, random, random_from_data, agglomerative, adaptive;
        ``auto`` is a portfolio in a search, and kmeans otherwise.
    reg_covar : float
        Added to the diagonal of every covariance.
    seed : int
        Of everything random.
    given : GivenStart
        Parts of the first mixture.
    noise : bool
        Whether some rows may belong to no component.
    equal_weights : bool
        Whether all components have one weight.
    hold, share : mapping or None
        Parts of components that stay as given, or that several have in common: `Ties`.
    acceleration : str
        ``auto`` takes longer steps than EM's where it can, ``none`` EM's own only.

    Raises
    ------
    SettingsError
        Naming the setting, what it must be, and what it was.
    """

    n_components: int = 1
    covariance_type: str = "full"
    prior: str = "weak"
    tol: float = DEFAULT_TOL
    max_iter: int = DEFAULT_MAX_ITER
    n_init: int | str = DEFAULT_N_INIT
    init_params: str = DEFAULT_INIT
    reg_covar: float = 0.0
    seed: int = DEFAULT_SEED
    given: GivenStart = GivenStart()
    acceleration: str = DEFAULT_ACCELERATION
    noise: bool = False
    equal_weights: bool = False
    hold: Mapping[str, Any] | None = None
    share: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _whole("n_components", self.n_components, 1)
        _whole("max_iter", self.max_iter, 0)
        if not (isinstance(self.n_init, str) and self.n_init == "auto"):
            _whole("n_init", self.n_init, 1)
        _whole("seed", self.seed, 0)
        _not_negative("tol", self.tol)
        _not_negative("reg_covar", self.reg_covar)
        if not isinstance(self.prior, str) or self.prior not in PRIORS:
            raise SettingsError(f"prior must be 'weak', 'conjugate' or None; got {self.prior!r}")
        if self.init_params not in INIT_METHODS:
            raise SettingsError(
                f"init_params must be one of {', '.join(INIT_METHODS)}; got {self.init_params!r}"
            )
        if not isinstance(self.acceleration, str) or self.acceleration not in ACCELERATIONS:
            raise SettingsError(f"acceleration must be 'auto' or None; got {self.acceleration!r}")
        for name in ("noise", "equal_weights"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise SettingsError(f"{name} must be True or False; got {getattr(self, name)!r}")
        self._check_ties()
        # NumPy's numbers become Python's, which files and messages can hold.
        for name in ("n_components", "max_iter", "seed"):
            object.__setattr__(self, name, int(getattr(self, name)))
        if not isinstance(self.n_init, str):
            object.__setattr__(self, "n_init", int(self.n_init))
        for name in ("tol", "reg_covar"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def family(self) -> CovarianceFamily:
        """The covariance model."""
        return covariance_family(self.covariance_type)

    @property
    def ties(self) -> Ties:
        """Which parts of which components are not free."""
        return checked_ties(self.hold, self.share, bool(self.equal_weights), self.n_components, self.family)

    def _check_ties(self) -> None:
        ties = self.ties
        if ties.any and not self.given.says_something:
            raise SettingsError(
                "hold and share name components by their place in the start: give means_init (or another "
                "part of the start)"
            )
        if ties.any and self.prior == "conjugate":
            raise SettingsError("hold and share go with prior='weak' or None; the conjugate prior ties means")


@dataclass(frozen=True, eq=False)
class CheckedStart:
    """A ``GivenStart`` whose parts fit K, D and the family."""

    weights: FloatArray | None
    means: FloatArray | None
    covariances: FloatArray | None
    responsibilities: FloatArray | None

    @property
    def complete(self) -> bool:
        """Whether it is a whole mixture, so that nothing is left to find out from the rows."""
        return not any(part is None for part in (self.weights, self.means, self.covariances))


def checked_start(settings: FitSettings, n_features: int) -> CheckedStart:
    """Check the given start against K, D and the family.

    Raises
    ------
    StartError
        If a part has the wrong shape, is not finite, or is no weight, mean or covariance.
    """
    given, n_components, family = settings.given, settings.n_components, settings.family
    weights = means = covariances = responsibilities = None
    if given.weights is not None:
        weights = _finite("weights", given.weights, (n_components,))
        if (weights < 0.0).any() or abs(weights.sum() - 1.0) > 1e-6:
            raise StartError(f"start weights must not be negative and must add up to 1; got {weights}")
        weights = weights / weights.sum()
    if given.means is not None:
        means = _finite("means", given.means, (n_components, n_features))
        if np.abs(means).max() > WIDEST:
            raise StartError(f"start means must not be larger than {WIDEST:g}, as rows must not")
    if given.covariances is not None and given.precisions is not None:
        raise StartError("give start covariances or start precisions, not both")
    if given.covariances is not None:
        covariances = _family_form(family, given.covariances, n_components, n_features)
    if given.precisions is not None:
        precisions = _finite("precisions", given.precisions, family.shape(n_components, n_features))
        covariances = _positive_definite(family, precisions, "precision")
        covariances = family.from_precisions(precisions)
        if covariances.ndim == 3:
            covariances = family.from_matrices(covariances)
    if covariances is not None:
        _positive_definite(family, covariances, "covariance")
    if given.responsibilities is not None:
        responsibilities = np.asarray(given.responsibilities, dtype=np.float64)
    return CheckedStart(weights, means, covariances, responsibilities)


def responsibilities_of(labels: Any, n_components: int) -> FloatArray:
    """Responsibilities (N, K) of 0 and 1 from labels (N,) of 0 to K - 1, or -1 for noise.

    Raises
    ------
    StartError
        If a label is not a whole number below K.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise StartError("start labels must be whole numbers, one a row")
    if n_components > max(len(array), 1):
        raise StartError(f"n_components={n_components} is more than {len(array)} labels can start")
    if array.size and (array.min() < -1 or array.max() >= n_components):
        raise StartError(f"start labels must lie between 0 and {n_components - 1}, or be -1 for noise")
    # The last row of zeros is for -1.
    responsibilities: FloatArray = np.eye(n_components + 1, n_components)[array]
    return responsibilities


def _positive_definite(family: CovarianceFamily, matrices: FloatArray, what: str) -> FloatArray:
    try:
        family.precision_factors(matrices)
    except ArithmeticError as error:
        raise StartError(f"a start {what} is not positive definite: {error}") from error
    return matrices


def _family_form(family: CovarianceFamily, given: Any, n_components: int, n_features: int) -> FloatArray:
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(f"start covariances must be numbers: {error}") from error
    wanted = family.shape(n_components, n_features)
    if array.shape == wanted and len(wanted) < 3:
        return _finite("covariances", array, wanted)
    identity = np.eye(n_features)
    if array.shape in ((), (1,)):
        matrices = np.broadcast_to(array.reshape(()) * identity, (n_components, n_features, n_features))
    elif array.shape == (n_components,):
        matrices = array[:, None, None] * identity
    elif array.shape == (n_components, n_features):
        matrices = array[:, :, None] * identity
    elif array.shape == (n_components, n_features, n_features):
        matrices = array
    else:
        raise StartError(
            f"start covariances must have shape {wanted}, or (), ({n_components},), "
            f"({n_components}, {n_features}), ({n_components}, {n_features}, {n_features}); got {array.shape}"
        )
    return family.from_matrices(_finite("covariances", matrices, matrices.shape))


def _finite(what: str, given: Any, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(f"start {what} must be numbers: {error}") from error
    if array.shape != shape:
        raise StartError(f"start {what} must have shape {shape}; got {array.shape}")
    if not np.isfinite(array).all():
        raise StartError(f"start {what} must be finite")
    return array


def _whole(name: str, value: Any, least: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not least <= int(value) < LARGEST
    ):
        raise SettingsError(f"{name} must be a whole number, at least {least} and below 2**63; got {value!r}")


def _not_negative(name: str, value: Any) -> None:
    try:
        fits = (
            isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf
        )
    except OverflowError:
        fits = False
    if not fits:
        raise SettingsError(f"{name} must be a finite number, at least 0; got {value!r}")
