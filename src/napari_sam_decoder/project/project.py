"""A project: what was done on a movie, in memory and in a file."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import ProjectError, wrap_os_errors
from napari_sam_decoder.project.array_labels import ArrayLabels
from napari_sam_decoder.project.encoding import encode_operation
from napari_sam_decoder.project.history import History
from napari_sam_decoder.project.journal import JournalWriter, read_journal
from napari_sam_decoder.project.journal_lines import op_line
from napari_sam_decoder.project.location import require_replaceable
from napari_sam_decoder.project.replay import make_checkpoint, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    import numpy as np

    from napari_sam_decoder.project.history import Operation
    from napari_sam_decoder.project.journal import JournalContents
    from napari_sam_decoder.project.journal_lines import ProjectHeader

__all__ = ["Project"]

_FIRST_CHECKPOINT = 8 * 2**20
"""Bytes of operations after which a checkpoint saves time at the next opening."""
_CHECKPOINT_GROWTH = 1.3


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Do not look for garbage among very many values that all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Project:
    """The history of a movie, kept in a file from `start` on or since `open`.

    Parameters
    ----------
    history : History, optional
        A new one by default.

    Attributes
    ----------
    history : History
        Everything that was done.
    path : Path or None
        Of the file.
    header : ProjectHeader or None
        The first line of the file.
    damage : str or None
        Which part of the file could not be used when it was opened.
    """

    def __init__(self, history: History | None = None) -> None:
        self.history = History() if history is None else history
        self.path: Path | None = None
        self.header: ProjectHeader | None = None
        self.damage: str | None = None
        self._writer: JournalWriter | None = None
        self._waiting: list[tuple[Operation, str]] = []
        self._is_read_only = False
        self._failure: ProjectError | None = None
        self._last_number = 0
        self._since_checkpoint = 0
        self._next_checkpoint: float = _FIRST_CHECKPOINT
        self.history.subscribe(self._on_operation)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_failure: Callable[[ProjectError], None] | None = None,
        is_read_only: bool = False,
    ) -> tuple[Project, dict[int, np.ndarray]]:
        """Open a project to go on with it.

        Parameters
        ----------
        path : Path
            Of its file.
        on_failure : callable, optional
            Called in another thread when something cannot be saved.
        is_read_only : bool, default False
            Whether to leave the file as it is, so that nothing more is saved.

        Returns
        -------
        Project
        dict of int to array
            Its labels, by the number of the target.

        Raises
        ------
        ProjectError
            If it cannot be read or is open somewhere else.
        """
        writer = None
        if is_read_only:
            contents = read_journal(path)
        else:
            writer, contents = JournalWriter.append_to(
                path, encode=_encode, on_failure=on_failure
            )
        try:
            history = History()
            with _garbage_kept():
                stores = replay(contents, history, ArrayLabels)
        except BaseException:
            if writer is not None:
                writer.close()
            raise
        project = cls(history)
        project.path, project.header = path, contents.header
        project.damage, project._writer = contents.damage, writer
        project._is_read_only = is_read_only
        project._since_checkpoint = contents.end - sum(
            len(stored.raw) for stored in contents.older
        )
        return project, {number: store.data for number, store in stores.items()}

    def start(
        self,
        path: Path,
        header: ProjectHeader,
        *,
        on_failure: Callable[[ProjectError], None] | None = None,
    ) -> None:
        """Keep everything in a file from now on, with all that was done so far.

        Parameters
        ----------
        path : Path
            Of a file that does not exist yet.
        header : ProjectHeader
            Its first line.
        on_failure : callable, optional
            Called in another thread when something cannot be saved.

        Raises
        ------
        ProjectError
            If it cannot be written.
        """
        self._writer = JournalWriter.create(
            path, header, encode=_encode, on_failure=on_failure
        )
        self.path, self.header = path, header
        self._write_waiting()

    @property
    def is_kept(self) -> bool:
        """Whether there is a file that is being written."""
        return self._writer is not None

    @property
    def is_saved(self) -> bool:
        """Whether the file has all that was done."""
        return self._writer is not None and self._writer.is_saved

    @property
    def saved_at(self) -> datetime | None:
        """When it was last written, in UTC; None if that was not done here."""
        return None if self._writer is None else self._writer.saved_at

    @property
    def failure(self) -> ProjectError | None:
        """Why it is not saved just now, or could not be gone on with; else None."""
        return self._failure if self._writer is None else self._writer.failure

    def retry(self) -> None:
        """Try again now to save what could not be saved."""
        if self._writer is not None:
            self._writer.retry()

    def flush(self) -> bool:
        """Wait until all is saved, or could not be; return `is_saved`."""
        return self._writer is not None and self._writer.flush()

    def close(self) -> None:
        """Save what waits, and release the file until `reopen`.

        What cannot be saved now is lost; `failure` tells.
        """
        if self._writer is not None:
            self._writer.close()
            self._last_number = self._writer.last_number
            self._failure = self._writer.failure
            self._writer = None

    def reopen(
        self, *, on_failure: Callable[[ProjectError], None] | None = None
    ) -> None:
        """Go on writing to the file after `close`, with what was done meanwhile.

        Parameters
        ----------
        on_failure : callable, optional
            Called in another thread when something cannot be saved.

        Raises
        ------
        ProjectError
            If the file cannot be written, is open somewhere else, was changed there, or
            lacks what could not be saved before it was closed.
        """
        if self.path is None or self._writer is not None or self._is_read_only:
            return
        try:
            writer, contents = JournalWriter.append_to(
                self.path, encode=_encode, on_failure=on_failure
            )
            try:
                self._require_whole(contents)
            except ProjectError:
                writer.close()
                raise
        except ProjectError as error:
            self._failure = error
            raise
        self._writer, self._failure = writer, None
        self._write_waiting()

    def _require_whole(self, contents: JournalContents) -> None:
        """Refuse a file that does not end where it was closed."""
        if contents.last_number == self._last_number:
            return
        if self._failure is not None and contents.last_number < self._last_number:
            raise ProjectError(
                f"what was done last is not in the project {self.path}, since it could "
                "not be saved before that was closed; save the labels as a file, and "
                "open the project again to go on with what it has"
            ) from self._failure
        raise ProjectError(
            f"the project {self.path} was changed somewhere else meanwhile; open "
            "it again to see that"
        )

    def copy_to(self, path: Path, *, overwrite: bool = False) -> None:
        """Copy all that was done to another file, also what could not be saved.

        Parameters
        ----------
        path : Path
            Of the copy, which appears whole or not at all.
        overwrite : bool, default False
            Whether a file of that name may be replaced.

        Raises
        ------
        ProjectError
            If there is no file yet, some of what was done cannot be read any more, or
            the copy cannot be written, exists, or is open somewhere.
        """
        require_replaceable(path, self.path, overwrite=overwrite)
        content = self._written()
        with (
            wrap_os_errors(f"cannot write the project {path}", ProjectError),
            atomic_write(path) as partial,
            partial.open("wb") as copy,
        ):
            copy.write(content)
            for number, timed in enumerate(self._waiting, self._last_number + 1):
                copy.write(op_line(number, _encode(timed)))

    def _written(self) -> bytes:
        """Return what is in the file, or would be if that could be written."""
        if self._writer is not None:
            return self._writer.content()
        if self.path is None:
            raise ProjectError("the project has no file yet; do something first")
        contents = read_journal(self.path)
        if not self._is_read_only:
            self._require_whole(contents)
        with wrap_os_errors(f"cannot read the project {self.path}", ProjectError):
            return self.path.read_bytes()[: contents.end]

    def branch_off(
        self,
        path: Path,
        header: ProjectHeader,
        *,
        on_failure: Callable[[ProjectError], None] | None = None,
    ) -> None:
        """Go on in another file, which gets all that was done; the old one stays.

        Parameters
        ----------
        path : Path
            Of a file that does not exist yet.
        header : ProjectHeader
            Its first line.
        on_failure : callable, optional
            Called in another thread when something cannot be saved.

        Raises
        ------
        ProjectError
            If it cannot be written; then the old one is closed, see `reopen`.
        """
        if self.path is None:
            self.start(path, header, on_failure=on_failure)
            return
        content = self._written()
        self.close()
        with (
            wrap_os_errors(f"cannot write the project {path}", ProjectError),
            atomic_write(path) as partial,
            partial.open("wb") as new,
        ):
            new.write(header.line())
            new.write(memoryview(content)[content.index(b"\n") + 1 :])
        self.path, self.header = path, header
        self.reopen(on_failure=on_failure)

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for timed in waiting:
            self._write(timed)

    def _on_operation(self, operation: Operation) -> None:
        timed = operation, datetime.now(UTC).isoformat(timespec="seconds")
        if self._writer is not None:
            self._write(timed)
        elif not self._is_read_only:
            self._waiting.append(timed)

    def _write(self, timed: tuple[Operation, str]) -> None:
        if self._writer is None:
            return
        self._writer.write(timed)
        self._since_checkpoint += timed[0].size
        if self._since_checkpoint >= self._next_checkpoint:
            # Further each time, so that checkpoints take a fixed share of a file.
            self._next_checkpoint *= _CHECKPOINT_GROWTH
            self._since_checkpoint = 0
            self._writer.write_checkpoint(make_checkpoint)


def _encode(timed: tuple[Operation, str]) -> dict[str, Any]:
    operation, time = timed
    encoded = encode_operation(operation)
    return {"op": encoded.pop("op"), "time": time, **encoded}
