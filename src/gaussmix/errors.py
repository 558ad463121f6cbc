"""Exceptions and warnings. Each message says what is wrong, where, and what to do about it."""


class GaussmixError(Exception):
    """Base of every error that gaussmix raises on purpose."""


class DataError(GaussmixError, ValueError):
    """The rows cannot be used as they are: too few, not finite, out of range."""


class DataKindError(DataError, TypeError):
    """The rows are of a kind that no number can be made of: text, dates, complex, sparse."""


class SettingsError(GaussmixError, ValueError, TypeError):
    """A setting (number of components, tolerance, prior, ...) has no meaning."""


class StartError(SettingsError):
    """The start that was given (means, covariances, weights, labels) is not a mixture for these rows."""


class DegenerateComponentError(GaussmixError, ArithmeticError):
    """A component has no spread left in some direction, so its density is unbounded.

    Parameters
    ----------
    component : int or None
        Index of the component, counted from 0; None for a covariance that all components share.
    reason : str
        What happened to it, as the rest of a sentence that begins with the component's name.
    """

    def __init__(self, component: int | None, reason: str) -> None:
        who = "the shared covariance" if component is None else f"component {component + 1}"
        super().__init__(f"{who} {reason}")
        self.component = component
        self.reason = reason

    def __reduce__(self) -> tuple[type["DegenerateComponentError"], tuple[int | None, str]]:
        # An exception is pickled by its message alone unless told otherwise.
        return (type(self), (self.component, self.reason))


class FitError(GaussmixError, RuntimeError):
    """No start led to a mixture that could be returned."""


class ModelFileError(GaussmixError, ValueError):
    """The file is not a model that this version can read safely."""


class CheckpointError(GaussmixError, ValueError):
    """A checkpoint cannot be written or read, or is not of this fit."""


class ComponentWarning(UserWarning):
    """The fit converged, but a component is empty or rests on too few distinct rows."""


class DataWarning(UserWarning):
    """The rows can be used, but something about them changes what the answer means."""
