"""What an input is, what should come of it, and how an answer is judged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from gaussmix.errors import GaussmixError

FILES = ("csv", "parquet", "npy")
# Where rows can come from. Those of files are read into memory, or streamed: in blocks, again on each pass.
SOURCES = (
    "array",
    "data frame",
    "memmap",
    *(f"{kind} {how}" for kind in FILES for how in ("in memory", "streamed")),
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows (N, D) that any source can hold, perhaps with weights (N,)."""

    matrix: Any
    weights: Any = None
    names: tuple[str, ...] | None = None
    """D names; by default x1, x2, ..., which .npy files and arrays have."""
    groups: Any = None
    """(N,), which rows belong together, where that is known."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.names or tuple(f"x{j + 1}" for j in range(self.matrix.shape[1]))


@dataclass(frozen=True, eq=False)
class Answer:
    """A fitted mixture, whoever fitted it."""

    weights: Any
    """(K,)."""
    means: Any
    """(K, D)."""
    covariances: Any
    """(K, D, D)."""
    labels: Any
    """(N,)."""
    log_likelihood: float
    """Of a row, on average."""
    said: tuple[str, ...] = ()
    """Warnings, notes, and how the fit ended."""

    def assert_usable(self) -> None:
        """No NaN, and a mixture."""
        for name in ("weights", "means", "covariances", "log_likelihood"):
            assert np.isfinite(getattr(self, name)).all(), f"{name} are not finite"
        assert (self.weights >= 0.0).all(), "a weight is negative"
        assert abs(self.weights.sum() - 1.0) < 1e-6, "weights do not add up to 1"
        scales = np.sqrt(np.einsum("kdd->kd", self.covariances))
        assert (scales > 0.0).all(), "a variance is 0"
        correlations = self.covariances / scales[:, :, None] / scales[:, None, :]
        assert np.linalg.eigvalsh(correlations).min() > -1e-12, "a covariance is not positive"


Check = Callable[[Answer, Table], None]


@dataclass(frozen=True, eq=False)
class Refused:
    """An error that says what is wrong."""

    kind: type[Exception]
    message: str
    """A regular expression for what Python says of rows in memory."""
    in_files: str | None = None
    """For what is said of rows in files, where that is not the same: rows count from 1 there."""
    on_command_line: str | None = None
    """For what the command line says, where it has other words than Python for files."""
    code: int | None = None
    """The exit code, where the kind of the error does not give it."""
    no_answer: bool = True
    """Whether no answer can be right; if not, another tool may well give one."""
    right: Check | None = None
    """What an answer would have to pass, where one is right."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A mixture, which passes a check."""

    check: Check | None = None
    says: str | None = None
    """A regular expression for a warning, a note or the outcome; None where nothing is to be warned of."""


Outcome = Refused | Fitted


@dataclass(frozen=True, eq=False)
class Input:
    """An input that breaks other tools.

    One of ``table``, ``thing``, ``file`` and ``deed`` is given: rows that every source can hold, an object
    that only Python can hand over, a file, or something that is done.
    """

    number: str
    """As in the list of what was to be tried (1 to 71), or from 101 on; a letter where there are several."""
    name: str
    outcome: Outcome | None = None
    table: Callable[[], Table] | None = None
    thing: Callable[[], Any] | None = None
    file: Callable[[Path], Path | str] | None = None
    """Makes the file in a folder, and returns what names it."""
    deed: Callable[["Bench"], None] | None = None
    told: str = ""
    """What a deed shows, in words."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Parameters of `GaussianMixture`."""
    rows: dict[str, Any] = field(default_factory=dict)
    """Parameters of `gaussmix.rows` for a file, or of ``fit`` for a thing."""
    sources: tuple[str, ...] = SOURCES
    """The sources that a table is tried in."""
    faces: tuple[str, ...] = ("python", "command line")
    heavy: bool = False
    """Whether a file takes so long that each face tries it once: Python streams it, the other does not."""
    defect: str = ""
    """What we do wrong with it as yet; its tests are expected to fail until that is mended."""

    @property
    def label(self) -> str:
        """What tests call it."""
        return f"{self.number} {self.name}"


@dataclass(frozen=True, eq=False)
class Bench:
    """Where deeds are done."""

    folder: Path
    call: Callable[..., Any]
    """Runs the command line; returns ``code``, ``out`` and ``err``."""
    monkeypatch: Any


def refuses(kind: type[Exception], message: str, **more: Any) -> Refused:
    """A refusal, of which gaussmix's own errors are the only good ones."""
    assert issubclass(kind, GaussmixError)
    return Refused(kind, message, **more)


def grouped(answer: Answer, table: Table) -> None:
    """The rows are grouped as they were made."""
    score = adjusted_rand_score(table.groups, answer.labels)
    assert score > 0.999, f"groups are mixed up (adjusted Rand index {score:.3f})"


def nearly_grouped(least: float) -> Check:
    """The rows are grouped about as they were made."""

    def check(answer: Answer, table: Table) -> None:
        score = adjusted_rand_score(table.groups, answer.labels)
        assert score > least, f"groups are mixed up (adjusted Rand index {score:.3f})"

    return check


def moments(rtol: float = 1e-9) -> Check:
    """The one component has the mean and covariance of the rows, computed from differences in 80 bits.

    Of other tools, which add something to variances, a thousandth is asked for: ``check.of_others``.
    """

    def within(rtol: float) -> Check:
        def check(answer: Answer, table: Table) -> None:
            matrix = np.asarray(table.matrix, dtype=np.longdouble)
            weights = (
                np.ones(len(matrix)) if table.weights is None else np.asarray(table.weights, dtype=float)
            )
            shares = (weights / weights.max()).astype(np.longdouble)
            shares /= shares.sum()
            mean = matrix[0] + shares @ (matrix - matrix[0])
            centred = matrix - mean
            covariance = (centred * shares[:, None]).T @ centred
            deviations = np.sqrt(np.diag(covariance))
            off = np.abs((answer.means[0] - mean) / deviations).max()
            assert off < 10 * rtol, f"the mean is off by {off:.2g} standard deviations"
            error = np.abs(answer.covariances[0] - covariance) / np.outer(deviations, deviations)
            assert error.max() < 10 * rtol, f"the covariance is wrong by {error.max():.2g} of its size"

        return check

    check = within(rtol)
    check.of_others = within(1e-3)  # type: ignore[attr-defined]
    return check


def means_near(means: Any, atol: float) -> Check:
    """The means, in order of the first feature."""

    def check(answer: Answer, table: Table) -> None:
        order = np.lexsort(answer.means.T[::-1])
        found = answer.means[order]
        assert np.allclose(found, means, rtol=0.0, atol=atol), f"means are {found.tolist()}"

    return check
