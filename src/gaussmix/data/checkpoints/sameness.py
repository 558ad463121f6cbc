"""Whether a checkpoint is of the same fit: of these rows, settings, version and arithmetic."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from gaussmix import __version__, kernels
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import block_rows
from gaussmix.data.checkpoints.digest import NoDigestError, described, fingerprint_of
from gaussmix.errors import CheckpointError


@cache
def arithmetic() -> str:
    """What the last bits of sums depend on besides the rows: kernel, NumPy, and the processor BLAS is for."""
    # BLAS of other packages, such as PyTorch's, has no part in it.
    blas = {info.get("architecture") for info in threadpool_info() if info["internal_api"] == "openblas"}
    return ", ".join([kernels.KERNEL_NAME, f"NumPy {np.__version__}", *sorted(map(str, blas))])


def header_of(rows: BlockedRows, settings: Any) -> dict[str, Any]:
    """What tells a fit from others. Rows without a fingerprint are looked at.

    Raises
    ------
    CheckpointError
        If the settings are of a kind that no digest is known for.
    """
    try:
        settings = described(settings)
    except NoDigestError as error:
        raise CheckpointError(f"the settings cannot be kept in a checkpoint: {error}") from error
    return {
        "version": __version__,
        "rows": fingerprint_of(rows),
        "block_rows": block_rows(len(rows.feature_names)),
        "settings": settings,
        "arithmetic": arithmetic(),
    }


def refuse_another_fit(path: Path, found: dict[str, Any], wanted: dict[str, Any], exact: bool) -> None:
    """Refuse to resume a checkpoint of another fit, and say all that differs.

    Raises
    ------
    CheckpointError
    """
    differences = []
    if found.get("version") != wanted["version"]:
        differences.append(f"it is of gaussmix {found.get('version')}, and this is {wanted['version']}")
    if found.get("rows") != wanted["rows"]:
        differences.append("the rows are not those that it was begun with")
    elif found.get("block_rows") != wanted["block_rows"]:
        differences.append("the rows are cut into other blocks")
    before, now = found.get("settings"), wanted["settings"]
    if not isinstance(before, dict):
        before = {}
    differences += [
        f"{name} was {_short(before.get(name))} and is {_short(now.get(name))}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if exact and found.get("arithmetic") != wanted["arithmetic"]:
        differences.append(
            f"it was computed with {found.get('arithmetic')}, and here is {wanted['arithmetic']} "
            "(exact=False goes on with the passes that still fit, which are few)"
        )
    if differences:
        raise CheckpointError(
            f"{path} is the checkpoint of another fit: {'; '.join(differences)}. Go back to what it was "
            "begun with, or begin anew under another name."
        )


def _short(words: str | None) -> str:
    if words is None:
        return "not there"
    return "another one" if words.startswith("sha256 ") else words
