"""Model files: versioned JSON with a checksum, whose floats read back bit for bit. Never pickle."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gaussmix.errors import DegenerateComponentError, ModelFileError, SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.modelfacts import checked_facts

FORMAT, VERSION = "gaussmix-model", 1
# Larger than any mixture a person could use, small enough to parse without harm.
LARGEST_FILE = 256 * 1024 * 1024
# Bytes that are read at a time.
PIECE = 1 << 20
LARGEST_SIZE = 1_000_000


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a model file holds.

    Parameters
    ----------
    mixture : Mixture
    feature_names : tuple of str
        D names.
    facts : dict
        What was known when it was saved: rows, log-likelihood, outcome, seed and so on. JSON values.
    """

    mixture: Mixture
    feature_names: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def save_model(saved: SavedModel, path: str | Path) -> None:
    """Write a model file; an existing one is replaced whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then as it was.
    """
    mixture = saved.mixture
    content = {
        "covariance": mixture.family.name,
        "n_components": mixture.n_components,
        "n_features": mixture.n_features,
        "feature_names": list(saved.feature_names),
        "weights": mixture.weights.tolist(),
        "means": mixture.means.tolist(),
        "covariances": mixture.covariances.tolist(),
        "facts": saved.facts,
    }
    if mixture.noise is not None:
        noise = mixture.noise
        content["noise"] = {
            "weight": noise.weight,
            "corner": noise.corner.tolist(),
            "edges": noise.edges.tolist(),
        }
    if mixture.n_given:
        content["n_given"] = mixture.n_given
    document = {"format": FORMAT, "version": VERSION, "checksum": _checksum(content), "model": content}
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    with replaced_file(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def replaced_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing so that a reader sees the old content or the new, never a part."""
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        # A pipe or a device takes what it is given; replacing it would take it away.
        with target.open("wb") as file:
            yield file
        return
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    with _naming(path):
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        raw = _NamedFile(handle, "wb")
        raw.becomes = path
        with BufferedWriter(raw) as file:
            yield file
            file.flush()
            with _naming(path):
                os.fsync(handle)
        with _naming(path):
            # mkstemp is private; the result is as open as the old file was, or as any new file is.
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _NamedFile(FileIO):
    """A file under a passing name, whose errors have the name that it will get."""

    becomes: str | Path

    def write(self, data: Any) -> int:
        with _naming(self.becomes):
            return super().write(data)

    def close(self) -> None:
        with _naming(self.becomes):
            super().close()


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def load_model(path: str | Path) -> SavedModel:
    """Read a model file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelFileError
        If it is too large, not JSON, of another format or version, damaged, or no mixture. Nothing
        in the file is ever run.
    OSError
        If it cannot be opened.
    """
    raw = _bytes(path)
    if raw[:1] == b"\x80" or raw[:2] == b"PK":
        raise ModelFileError(f"{path}: a pickle or archive, which gaussmix never reads; models are JSON")
    content = _content(path, raw)
    try:
        return _model(content)
    except (SettingsError, DegenerateComponentError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: not a usable mixture: {error}") from error


def _bytes(path: str | Path) -> bytes:
    """All of a file or pipe, for which memory is asked as it comes."""
    pieces, n_bytes = [], 0
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            pieces.append(piece)
            n_bytes += len(piece)
            if n_bytes > LARGEST_FILE:
                raise ModelFileError(f"{path}: larger than {LARGEST_FILE} bytes, which no model is")
    return b"".join(pieces)


def _content(path: str | Path, raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a model file, for it is not JSON ({error})") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFileError(f"{path}: not a model file: it does not say that its format is {FORMAT!r}")
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise ModelFileError(f"{path}: model file version {version!r}; this gaussmix reads version {VERSION}")
    content = document.get("model")
    if not isinstance(content, dict) or not _sealed(content, document.get("checksum")):
        raise ModelFileError(f"{path}: the checksum does not match: the file was damaged or edited")
    return content


def _model(content: dict[str, Any]) -> SavedModel:
    n_components, n_features = (_size(content[name]) for name in ("n_components", "n_features"))
    family = covariance_family(content["covariance"])
    names = content["feature_names"]
    if not isinstance(names, list) or len(names) != n_features or not all(isinstance(n, str) for n in names):
        raise ModelFileError(f"feature_names must be {n_features} strings")
    facts = checked_facts(content["facts"], n_components)
    mixture = Mixture(
        _numbers("weights", content["weights"], (n_components,)),
        _numbers("means", content["means"], (n_components, n_features)),
        _numbers("covariances", content["covariances"], family.shape(n_components, n_features)),
        family,
        _noise(content.get("noise"), n_features),
        _given(content.get("n_given", 0)),
    )
    total = mixture.weights.sum() + (0.0 if mixture.noise is None else mixture.noise.weight)
    if (mixture.weights < 0.0).any() or abs(total - 1.0) > 1e-6:
        raise ModelFileError("weights must not be negative and must add up to 1")
    if not np.isfinite(mixture.precision_factors).all():
        raise ModelFileError("a covariance has no finite inverse")
    matrices = mixture.matrices
    if not np.array_equal(matrices, matrices.transpose(0, 2, 1)):
        raise ModelFileError("a covariance is not symmetric")
    return SavedModel(mixture, tuple(names), facts)


def _noise(content: Any, n_features: int) -> Noise | None:
    if content is None:
        return None
    weight = float(_numbers("noise weight", [content["weight"]], (1,))[0])
    corner = _numbers("noise corner", content["corner"], (n_features,))
    noise = Noise(weight, corner, _numbers("noise edges", content["edges"], (n_features, n_features)))
    if not 0.0 <= weight <= 1.0 or not np.isfinite(corner).all() or not np.isfinite(noise.log_volume):
        raise ModelFileError("noise needs a weight from 0 to 1 and a box with a volume")
    return noise


def _given(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_SIZE:
        raise ModelFileError(f"n_given must be a whole number from 0 to {LARGEST_SIZE}; got {value!r}")
    return value


def _size(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_SIZE:
        raise ModelFileError(f"a size must be a whole number from 1 to {LARGEST_SIZE}; got {value!r}")
    return value


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> FloatArray:
    """Nested lists as an array, after their lengths have been compared with the shape they must have."""
    _check_nesting(name, values, shape)
    return np.array(values, dtype=np.float64).reshape(shape)


def _check_nesting(name: str, values: Any, shape: tuple[int, ...]) -> None:
    if not shape:
        if type(values) not in (int, float) or not abs(values) <= sys.float_info.max:
            raise ModelFileError(f"{name} holds {values!r:.40}, which is not a finite number")
        return
    if not isinstance(values, list) or len(values) != shape[0]:
        raise ModelFileError(f"{name} does not have the shape that the sizes in the file ask for")
    for value in values:
        _check_nesting(name, value, shape[1:])


def _sealed(content: dict[str, Any], checksum: Any) -> bool:
    try:
        return bool(checksum == _checksum(content))
    except ValueError:
        # A number beyond the floats' range: no checksum was ever taken of such a file.
        return False


def _checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number a model can hold")


def _umask() -> int:
    # It can only be read by setting it, and other threads may make files meanwhile: private ones.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
