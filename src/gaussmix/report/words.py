"""Numbers and names as people read them."""

import unicodedata

from rich.console import Console

NAME_WIDTH = 24
# Columns where output goes to a file or a pipe, which have no width of their own.
PIPE_WIDTH = 160


def result_console() -> Console:
    """Standard output, wide enough for tables where it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def number(value: float, digits: int = 5) -> str:
    """A number with a fixed count of significant digits, without a needless exponent."""
    return f"{value:#.{digits}g}".rstrip(".") if value else "0"


def significant(values: list[float], digits: int = 5) -> list[str]:
    """Numbers with as many decimals as the largest needs for ``digits`` significant ones."""
    largest = max((abs(v) for v in values), default=0.0)
    if largest == 0.0 or not 1e-4 <= largest < 1e9:
        return [number(v, digits) for v in values]
    decimals = max(0, digits - len(str(int(largest)))) if largest >= 1.0 else digits
    return [f"{v:.{decimals}f}" for v in values]


def clean(text: str, width: int = NAME_WIDTH) -> str:
    """A name that is safe on a terminal: no control characters or escapes, and not too long."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    visible = " ".join(visible.split()) or "?"
    return visible if len(visible) <= width else visible[: width - 1] + "…"


def sentence_safe(text: str) -> str:
    """A message with line breaks and control characters taken out."""
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)


def as_options(text: str) -> str:
    """A message with the names of the command line's options instead of Python's parameters."""
    for parameter, option in _OPTIONS.items():
        text = text.replace(parameter, option)
    return text


_OPTIONS = {
    "prior='weak'": "--prior weak",
    "covariance 'diag'": "--covariance diag",
    "covariance_types must": "--models must",
    "covariance_type": "--covariance",
    "n_samples=": "",
    "n_components=": "",
    "n_components": "the number of components (-k)",
    "max_iter=0": "--max-iter 0",
    "max_iter": "--max-iter",
    "n_init": "--n-init",
    "init_params": "--init",
    "tol must": "--tol must",
    "n_clusters must": "--clusters must",
    "n_replicates must": "--replicates must",
    "method='bootstrap'": "--standard-errors bootstrap",
    "parsimony must": "--parsimony must",
    "level must": "--level must",
    "n_folds must": "--folds must",
    "n_repeats must": "--repeats must",
    "seed must": "--seed must",
}


def percent(share: float) -> str:
    """A share as a percentage that does not round a doubt away."""
    if share >= 0.9995 and share < 1.0:
        return ">99.9%"
    if 0.0 < share < 0.0005:
        return "<0.1%"
    return f"{100.0 * share:.1f}%"


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
