"""Checkpoints: a fit that was stopped goes on where it was, to the same bits as if nothing had happened.

Everything in a fit follows from what passes over the rows have found, and the same task finds the same in
the same rows. So a checkpoint is a list of tasks, by their digests, and of what each has found. A fit that
is resumed goes its way again from the beginning, and what it asks of the rows is answered from the list as
long as it stands there. Nothing has to be known of how fits work, and many may share one checkpoint.
"""

import math
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from gaussmix.computed import cached_property
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, T, Task
from gaussmix.data.checkpoints.digest import NoDigestError, digest
from gaussmix.data.checkpoints.encoding import (
    NotDecodableError,
    NotEncodableError,
    decoded,
    encoded,
    text_and_rest,
    with_text,
)
from gaussmix.data.checkpoints.journal import (
    Journal,
    already_there,
    read_header,
    sound_records,
)
from gaussmix.data.checkpoints.sameness import header_of, refuse_another_fit
from gaussmix.data.rows import RowsSummary
from gaussmix.data.tasks import Extent, Measure
from gaussmix.errors import CheckpointError, DataWarning, SettingsError
from gaussmix.kernels.contract import FloatArray, ScatterKind
from gaussmix.model.statistics import SufficientStatistics


class Checkpointed(BlockedRows):
    """Rows whose passes are written down, or answered from what was written down.

    Parameters
    ----------
    rows : BlockedRows
        The rows themselves. Their attribute ``fingerprint``, a text, tells them from others; without one,
        all their numbers do, which costs a look at them.
    path : str or Path
        Of the checkpoint. One that is there is never overwritten.
    settings : dataclass, mapping or str
        What is asked of the fit: a checkpoint is resumed with the same settings only.
    resume : bool
        Go on with a checkpoint that is there; where none is, begin one.
    exact : bool
        Whether a checkpoint that was made by other arithmetic (another instruction set, another NumPy) is
        refused. A fit that differs in a last digit soon asks for other passes, so that little of such a
        checkpoint is of use; what is used may differ in last digits from what would be found here.

    Raises
    ------
    CheckpointError
        If there is a checkpoint and it is not to be resumed, or is in use, or is not of these rows, these
        settings and this version; or if it cannot be written.
    """

    def __init__(
        self,
        rows: BlockedRows,
        path: str | Path,
        settings: Any = "",
        resume: bool = False,
        *,
        exact: bool = True,
    ) -> None:
        self._rows = rows
        self.may_change = rows.may_change
        self.path = _usable(path)
        self.n_replayed = 0
        """Passes that were answered from the checkpoint."""
        self.n_made = 0
        """Passes that were made."""
        self._lock = threading.Lock()
        self._unused: set[bytes] = set()
        self._recording = True
        if not self.path.exists():
            self._journal = Journal.create(self.path, header_of(rows, settings))
            return
        if not resume:
            raise CheckpointError(already_there(self.path))
        self._journal = Journal.open(self.path)
        try:
            refuse_another_fit(self.path, self._journal.header, header_of(rows, settings), exact)
            if self._journal.damage:
                warnings.warn(
                    f"{self.path}: the checkpoint is {self._journal.damage}; the "
                    f"{len(self._journal.records)} passes before that are used, later ones are made again",
                    DataWarning,
                    stacklevel=2,
                )
            self._journal.cut_damage()
        except BaseException:
            self._journal.close()
            raise
        self._unused.update(self._journal.records)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self._rows.feature_names

    @property
    def notes(self) -> tuple[str, ...]:
        return self._rows.notes

    @property
    def n_recorded(self) -> int:
        """Different passes in the checkpoint."""
        return len(self._journal.records)

    @property
    def n_unused(self) -> int:
        """Passes that were there when the checkpoint was opened, and that nobody has asked for yet."""
        return len(self._unused)

    def blocks(self) -> Iterator[Block]:
        return self._rows.blocks()

    def tiles(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        return self._rows.tiles()

    def given_statistics(
        self, responsibilities: FloatArray, centres: FloatArray, kind: ScatterKind
    ) -> SufficientStatistics:
        """As the rows themselves give them: responsibilities of all rows are no smaller than the rows."""
        return self._rows.given_statistics(responsibilities, centres, kind)

    @cached_property
    def _extent(self) -> Extent:
        held = vars(self._rows)
        if "_extent" not in held:
            # What the rows would find in their first pass: they need not look again.
            held["_extent"] = super()._extent
        else:
            # Rows that are still at hand know already what the checkpoint would tell.
            with self._lock:
                self._unused -= {digest(Measure(products)) for products in (False, True)}
        extent: Extent = held["_extent"]
        return extent

    @cached_property
    def _summary(self) -> RowsSummary:
        # As the rows themselves make it, which may refuse what they cannot use.
        _ = self._extent
        return self._rows.summary

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: as it stands in the checkpoint, or else from a pass."""
        try:
            key = digest(task)
        except NoDigestError:
            key = b""
        if (found := self._replayed(key)) is not None:
            result: T = found
            return result
        begun = time.perf_counter()
        result = self._rows.added_up(task)
        self.n_made += 1
        if key:
            self._record(key, task, result, time.perf_counter() - begun)
        return result

    def close(self) -> None:
        """Bring all to the disk, and let others use the checkpoint; later passes are not written down."""
        with self._lock:
            self._recording = False
            try:
                self._journal.close()
            except OSError as error:
                self._go_on_without(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is None and self._unused:
            warnings.warn(
                f"{self.path}: {len(self._unused)} of the passes in the checkpoint were not asked for "
                "again: the fit went another way, as other settings or other arithmetic lead it. Its answer "
                "is right, but took longer than it would have.",
                DataWarning,
                stacklevel=2,
            )

    def _replayed(self, key: bytes) -> Any:
        """What a pass has found; None if it is not known."""
        with self._lock:
            if key not in self._journal.records or not self._recording:
                return None
            self._unused.discard(key)
            try:
                content = self._journal.read(key)
                found = None if content is None else decoded(bytes(text_and_rest(content)[1]))
            except (OSError, ValueError, NotDecodableError):
                # Unreadable, or of a type that is not known here: the rows still know.
                found = None
            self.n_replayed += found is not None
            return found

    def _record(self, key: bytes, task: object, result: object, seconds: float) -> None:
        facts: dict[str, Any] = {"task": type(task).__name__, "seconds": seconds}
        log_likelihood = getattr(result, "log_likelihood", None)
        if isinstance(log_likelihood, float):
            facts["log_likelihood"] = log_likelihood.hex()
        try:
            content = with_text(facts, encoded(result))
        except NotEncodableError:
            return
        with self._lock:
            if not self._recording:
                return
            try:
                self._journal.append(key, content)
            except OSError as error:
                self._go_on_without(error)

    def _go_on_without(self, error: OSError) -> None:
        self._recording = False
        warnings.warn(
            f"{self.path}: the checkpoint could not be written ({error.strerror}); the fit goes on without "
            f"it, and could be resumed from the {len(self._journal.records)} passes that it holds",
            DataWarning,
            stacklevel=4,
        )


def noted(
    rows: BlockedRows, settings: Any, checkpoint: str | Path | None, resume: bool
) -> AbstractContextManager[BlockedRows]:
    """Rows whose passes a checkpoint keeps, if one is asked for.

    Raises
    ------
    SettingsError
        If a fit is to be resumed from no file.
    CheckpointError
        As `Checkpointed` says.
    """
    if checkpoint is None:
        if resume:
            raise SettingsError("resume=True needs checkpoint=, the file to go on from")
        return nullcontext(rows)
    return Checkpointed(rows, checkpoint, settings, resume)


def _usable(path: Any) -> Path:
    """Where a checkpoint is, or may be.

    Raises
    ------
    CheckpointError
        If no file can have this name, or something else has it.
    """
    if not isinstance(path, str | Path):
        raise CheckpointError(f"checkpoint must be the path of a file; got {path!r}")
    try:
        found = Path(path).resolve()
        is_another_thing = found.exists() and not found.is_file()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{str(path)[:60]!r} cannot be the name of a checkpoint: {said}") from error
    if is_another_thing:
        raise CheckpointError(f"{path}: is no file; give the checkpoint another name")
    return found


@dataclass(frozen=True)
class Description:
    """What a checkpoint holds, for people."""

    n_passes: int
    seconds: float
    """That they took."""
    log_likelihoods: tuple[float, ...]
    """Of all E-steps, in the order in which they were made, those of all starts."""
    n_bytes: int
    version: str
    """Of the gaussmix that wrote it."""
    arithmetic: str
    settings: dict[str, str]
    damage: str
    """What is wrong after the last sound pass; empty if nothing is."""

    def as_json(self) -> dict[str, Any]:
        """All of it, as `gaussmix show --json` prints it."""
        found = {"schema": "gaussmix-checkpoint", "schema_version": 1, **asdict(self)}
        # JSON has no word for what is no number.
        found["log_likelihoods"] = [x if math.isfinite(x) else None for x in self.log_likelihoods]
        found["seconds"] = self.seconds if math.isfinite(self.seconds) else None
        return found


def describe(path: str | Path) -> Description:
    """Look at a checkpoint, also at one that is in use.

    Raises
    ------
    CheckpointError
        If it cannot be opened, or is no checkpoint.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be opened: {error.strerror}") from error
    seconds, log_likelihoods, damage, n_passes = 0.0, [], "", 0
    with file:
        header, first = read_header(file, path)
        try:
            for record in sound_records(file, first):
                if isinstance(record, str):
                    damage = record
                    break
                n_passes += 1
                file.seek(record.first)
                facts, _ = text_and_rest(file.read(record.length))
                seconds += float(facts["seconds"])
                if "log_likelihood" in facts:
                    log_likelihoods.append(float.fromhex(facts["log_likelihood"]))
            said = (header["version"], header["arithmetic"], dict(header["settings"]))
        except (LookupError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is a checkpoint that nobody can read: {error}") from error
        n_bytes = file.seek(0, os.SEEK_END)
    return Description(n_passes, seconds, tuple(log_likelihoods), n_bytes, *said, damage)
