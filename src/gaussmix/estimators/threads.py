"""Methods of an estimator compute on as many threads as its ``n_threads`` says."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from gaussmix.kernels.threads import compute_threads

Method = TypeVar("Method", bound=Callable[..., Any])


def on_threads(method: Method) -> Method:
    """Have a method compute on ``self.n_threads`` threads.

    Raises
    ------
    SettingsError
        When it is called, if that is neither None nor a positive whole number.
    """

    @wraps(method)
    def limited(self: Any, *arguments: Any, **named: Any) -> Any:
        with compute_threads(self.n_threads):
            return method(self, *arguments, **named)

    return cast(Method, limited)
