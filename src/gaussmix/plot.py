"""Pictures of a fitted mixture, with matplotlib.

Each function takes a fitted ``GaussianMixture`` and the rows to show, draws on ``ax`` (or on a figure of its
own that no window shows: ``ax.figure.savefig("picture.svg")``), and returns the Axes. Components keep their
colours from picture to picture, a palette that colour-blind readers can tell apart. Of more than 5,000 rows a
random sample is drawn, the same each time, and the picture says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gaussmix.errors import SettingsError
from gaussmix.report.cards import cards_of
from gaussmix.report.plots import curves, membership, planes, tree
from gaussmix.report.portrait import Portrait, portrait_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gaussmix.estimators.mixture import GaussianMixture

Drawn = TypeVar("Drawn")

__all__ = [
    "bic",
    "cards",
    "density",
    "ellipses",
    "history",
    "merging",
    "pairs",
    "projection",
    "responsibilities",
    "uncertainty",
]


def density(model: "GaussianMixture", X: Any, feature: str | int = 0, ax: "Axes | None" = None) -> "Axes":
    """Component curves, each times its weight, and their sum over a histogram of one feature, with a rug.

    Parameters
    ----------
    model : GaussianMixture
        Fitted.
    X : array-like of shape (N, D)
        The rows to show.
    feature : str or int
        A column's name, or its place counted from 0. With several features, its marginal density.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        In the feature's units; the density in their inverse.
    """
    return _drawn(curves.draw_density, model, X, feature, ax)


def ellipses(
    model: "GaussianMixture",
    X: Any,
    features: tuple[str | int, str | int] = (0, 1),
    coverage: Sequence[float] = planes.COVERAGE,
    ax: "Axes | None" = None,
) -> "Axes":
    """Rows coloured by their probabilities, and ellipses that hold stated shares of each component.

    Parameters
    ----------
    model : GaussianMixture
        Fitted, with at least two features.
    X : array-like of shape (N, D)
        The rows to show.
    features : two of str or int
        Names or places of the columns along x and y.
    coverage : sequence of float
        Shares of a component's rows, seen along the two features, that its ellipses hold: the radius is
        the square root of chi-squared's quantile with 2 degrees of freedom.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Raises
    ------
    SettingsError
        If there is one feature only, or a coverage is not between 0 and 1.
    """
    _needs_two(model)
    return _drawn(planes.draw_ellipses, model, X, features, coverage, ax)


def pairs(
    model: "GaussianMixture", X: Any, features: Sequence[str | int] | None = None, axes: Any = None
) -> Any:
    """Each pair of features as in ``ellipses``, with densities on the diagonal.

    Parameters
    ----------
    model : GaussianMixture
        Fitted, with at least two features.
    X : array-like of shape (N, D)
        The rows to show.
    features : sequence of str or int, optional
        Names or places of columns; by default the first five.
    axes : array (M, M) of Axes, optional
        Where to draw.

    Returns
    -------
    array of shape (M, M) of matplotlib.axes.Axes
    """
    _needs_two(model)
    return _drawn(planes.draw_pairs, model, X, features, axes)


def projection(
    model: "GaussianMixture",
    X: Any,
    coverage: Sequence[float] = planes.COVERAGE,
    ax: "Axes | None" = None,
) -> "Axes":
    """As ``ellipses``, along the two directions that tell components apart best (Fisher's discriminants).

    Parameters
    ----------
    model : GaussianMixture
        Fitted, with at least two features.
    X : array-like of shape (N, D)
        The rows to show.
    coverage : sequence of float
        As in ``ellipses``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; axes count standard deviations within components and name the largest terms.
    """
    _needs_two(model)
    return _drawn(planes.draw_projection, model, X, coverage, ax)


def history(model: "GaussianMixture", ax: "Axes | None" = None) -> "Axes":
    """The mean log-likelihood after each iteration of the fit (``lower_bounds_``), in nats a row.

    After a search this is its last climb; ``trace=True`` shows the whole way.
    """
    model._mixture()
    if not hasattr(model, "lower_bounds_"):
        raise SettingsError("this model was read from a file, which keeps no history; fit it again")
    return curves.draw_history(model.lower_bounds_, ax)


def responsibilities(model: "GaussianMixture", X: Any, ax: "Axes | None" = None) -> "Axes":
    """A bar for each row of (N, D), shared out between components, the surest rows of each first."""
    return _drawn(membership.draw_responsibilities, model, X, ax)


def uncertainty(model: "GaussianMixture", X: Any, ax: "Axes | None" = None) -> "Axes":
    """1 less the largest responsibility of each row of (N, D), the surest first."""
    return _drawn(membership.draw_uncertainty, model, X, ax)


def cards(model: "GaussianMixture", ax: "Axes | None" = None) -> "Axes":
    """A card for each component: size, means ± standard deviations in units, and what sets it apart."""
    model._mixture()
    return membership.draw_cards(cards_of(model.summary_), ax)


def bic(table: Iterable[Mapping[str, Any]], criterion: str = "bic", ax: "Axes | None" = None) -> "Axes":
    """A criterion against the number of components, a line for each covariance model; the best is ringed.

    Parameters
    ----------
    table : iterable of mappings
        One fit each, with ``n_components``, ``covariance`` and the criterion: ``model.summary_.as_json()``
        is one.
    criterion : str
        ``"bic"``, ``"aic"``, ``"icl"`` (lower is better), or ``"bic_mclust"``, ``"icl_mclust"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If no fit in the table has the criterion.
    """
    return curves.draw_criterion(table, criterion, ax)


def merging(model: "GaussianMixture", X: Any, n_clusters: int | None = None, axes: Any = None) -> Any:
    """The tree of mergers of components, and the entropy with its elbow.

    Parameters
    ----------
    model : GaussianMixture
        Fitted.
    X : array-like of shape (N, D)
        The rows that were fitted.
    n_clusters : int, optional
        As in ``model.merge``.
    axes : array (2,) of Axes, optional
        Where to draw.
    """
    return tree.draw_mergers(model.merge(X, n_clusters=n_clusters), axes)


def _drawn(draw: Callable[..., Drawn], model: "GaussianMixture", X: Any, *given: Any) -> Drawn:
    try:
        return draw(_portrait(model, X), *given)
    except KeyError as error:
        raise SettingsError(str(error.args[0])) from error


def _portrait(model: "GaussianMixture", X: Any) -> Portrait:
    return portrait_of(model._mixture(), model._rows(X, None, reset=False))


def _needs_two(model: "GaussianMixture") -> None:
    if model._mixture().n_features < 2:
        raise SettingsError("this picture needs two features and the model has one; density shows it")
