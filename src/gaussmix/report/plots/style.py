"""What all pictures share: colours that colour-blind readers can tell apart, and Axes."""

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.modelfile import replaced_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color universal design" (2008), without yellow, which is lost on white; noise is grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
NOISE_COLOUR = "#999999"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Components named within a picture.
MOST_WITHIN = 6
LINES = ("-", "--", "-.", ":")


def colour(k: int) -> str:
    """Of component k, counted from 0; -1 is noise."""
    return NOISE_COLOUR if k < 0 else COLOURS[k % len(COLOURS)]


def marker(k: int) -> str:
    """Of component k, so that groups differ without colour, too."""
    return "x" if k < 0 else MARKERS[k % len(MARKERS)]


def component_name(k: int) -> str:
    """Of component k, counted from 0, as people count; -1 is noise."""
    return "noise" if k < 0 else f"component {k + 1}"


def line(k: int) -> str:
    """How component k's curve is drawn; another one once the colours are used up."""
    return LINES[(k // len(COLOURS)) % len(LINES)]


def blended(shares: FloatArray) -> FloatArray:
    """Colours (n, 3) of rows with responsibilities (n, K), each between those of its components."""
    from matplotlib.colors import to_rgb

    own = np.array([to_rgb(colour(k)) for k in range(shares.shape[1])])
    noise = np.clip(1.0 - shares.sum(axis=1, keepdims=True), 0.0, 1.0)
    mixed: FloatArray = np.clip(shares @ own + noise * np.array(to_rgb(NOISE_COLOUR)), 0.0, 1.0)
    return mixed


def axes_or_new(ax: "Axes | None") -> "Axes":
    """Those given, or the only ones of a new figure, which no window shows."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, 4.4), layout="constrained").subplots()


def note(ax: "Axes", text: str) -> None:
    """A remark above the picture, at the right."""
    if text:
        ax.set_title(text, loc="right", fontsize="small", color="0.35")


def plain(text: str) -> str:
    r"""A name as it stands: matplotlib would read $ and _ in some of them as mathematics."""
    return text.replace("\\", "\\\\").replace("$", r"\$") if "$" in text else text


def legend(ax: "Axes", n_components: int) -> None:
    """Within the picture, or beside it where there are many components."""
    if n_components <= MOST_WITHIN:
        ax.legend(frameon=False, fontsize="small")
    else:
        ax.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def whole_numbers(ax: "Axes") -> None:
    """Ticks along x at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def save_figure(figure: "Figure", path: str) -> None:
    """Write a figure, whole or not at all, so that the same picture is the same file.

    Without the time of day, and without ids drawn at random.
    """
    import matplotlib as mpl

    ending = path.lower().rpartition(".")[2]
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
    picture = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "gaussmix"}), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which says enough.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure.savefig(picture, format=ending, dpi=150, metadata=undated)
    with replaced_file(path) as file:
        file.write(picture.getvalue())
