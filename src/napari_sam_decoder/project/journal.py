"""The journal of a project: a file to which all that happens is written at once."""

from __future__ import annotations

import atexit
import logging
import queue
import re
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.atomic_files import (
    atomic_write,
    hidden_sibling_path,
    sibling_path,
)
from napari_sam_decoder.errors import (
    ClosedError,
    ProjectError,
    first_line,
    os_error_advice,
    wrap_os_errors,
)
from napari_sam_decoder.file_lock import FileLock
from napari_sam_decoder.project.journal_file import JournalFile
from napari_sam_decoder.project.journal_lines import (
    ProjectHeader,
    StoredOp,
    mark_current,
    op_line,
    parse_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "CHECKPOINT",
    "JournalContents",
    "JournalWriter",
    "is_open",
    "read_journal",
]

_LOG = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
"""Kind of the ops that hold the whole state, so that none before is needed."""

_CHECKPOINT_LINE = re.compile(
    rb'^\{"n":\d{1,18},"op":"checkpoint","crc":', re.MULTILINE
)

_SYNC_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_LOCK_TRIES, _LOCK_PAUSE = 5, 0.05


@dataclass(frozen=True)
class JournalContents:
    """What a project file holds.

    Attributes
    ----------
    header : ProjectHeader
    older : tuple of StoredOp
        The ops before the last checkpoint, not parsed; they only tell what can be
        undone.
    recent : tuple of StoredOp
        The last checkpoint, if there is one, and all ops after it, which can be parsed.
    damage : str or None
        What is wrong with the file, and which part of it could not be used.
    last_number : int
        Of the last op; 0 if there is none.
    end : int
        Length in bytes of what was used.
    size : int
        Length of the file. It is more than `end` if its last line is truncated, or if
        lines after a damaged one are not used.
    """

    header: ProjectHeader
    older: tuple[StoredOp, ...]
    recent: tuple[StoredOp, ...]
    damage: str | None
    last_number: int
    end: int
    size: int

    @property
    def ops(self) -> tuple[dict[str, Any], ...]:
        """The recent ops, parsed; very many take much more room than the file."""
        return tuple(stored.decode() for stored in self.recent)


def read_journal(path: Path) -> JournalContents:
    """Read a project file, also while somebody writes it.

    A last line without its line break is ignored. Where a line is damaged, all before
    it is used, or if a checkpoint follows, all from there on.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    JournalContents

    Raises
    ------
    ProjectError
        If the file cannot be read, its first line is damaged, it is no project, or one
        of a newer version.
    """
    with wrap_os_errors(f"cannot open the project {path}", ProjectError):
        data = path.read_bytes()
    begin = data.find(b"\n") + 1
    header = parse_header(data[:begin], path)
    found = _Scan(data, begin)
    start = _first_needed(found)
    return JournalContents(
        header,
        tuple(found.ops[:start]),
        tuple(found.ops[start:]),
        found.damage,
        found.ops[-1].number if found.ops else 0,
        found.ends[-1] if found.ends else begin,
        len(data),
    )


class _Scan:
    """Checks all lines after the header and keeps those that can be used.

    Attributes
    ----------
    ops : list of StoredOp
        Without a gap.
    ends : list of int
        Where the line of each of them ends.
    damage : str or None
    """

    def __init__(self, data: bytes, start: int) -> None:
        self.ops: list[StoredOp] = []
        self.ends: list[int] = []
        self.damage: str | None = None
        self._data = data
        self._line_number = 2
        bad = self._follow(start)
        while bad is not None:
            bad = self._go_on_behind(bad)

    def leave_out(self, index: int, damage: str) -> None:
        """Use only the ops before one that cannot be parsed."""
        self.damage = f"{damage}; what was done from there on is left out"
        del self.ops[index:], self.ends[index:]

    def _follow(self, start: int) -> int | None:
        """Take lines up to a damaged one; return where that begins."""
        while (end := self._data.find(b"\n", start)) >= 0:
            op = StoredOp.parse(self._data[start:end], self._line_number)
            if isinstance(op, StoredOp):
                op = self._in_order(op)
            if isinstance(op, str):
                self._note(op)
                return start
            start = end + 1
            self._line_number += 1
            self.ops.append(op)
            self.ends.append(start)
        return None

    def _in_order(self, op: StoredOp) -> StoredOp | str:
        """A checkpoint needs nothing before it, so that its number may be any."""
        expected = self.ops[-1].number + 1 if self.ops else 1
        is_first_after_damage = not self.ops and self.damage is not None
        if op.number == expected or is_first_after_damage:
            return op
        return f"it has the number {op.number} instead of {expected}"

    def _note(self, damage: str) -> None:
        if self.damage is None:
            self.damage = f"line {self._line_number} is damaged ({damage})"

    def _go_on_behind(self, bad: int) -> int | None:
        """Take lines from the next checkpoint; return where a damaged one begins."""
        found = _CHECKPOINT_LINE.search(self._data, bad + 1)
        if found is None:
            self.damage = f"{self.damage}; what was done from there on is left out"
            return None
        start = found.start()
        self._line_number += self._data.count(b"\n", bad, start)
        ops, ends = self.ops, self.ends
        self.ops, self.ends = [], []
        bad_again = self._follow(start)
        if not self.ops:
            self.ops, self.ends = ops, ends
        elif bad_again is None:
            self.damage = (
                f"{self.damage}; what was done before line {self.ops[0].line_number} "
                "cannot be undone"
            )
        return bad_again


def _first_needed(found: _Scan) -> int:
    """Find the last checkpoint, and leave out what is no JSON from there on."""
    while True:
        kinds = [op.kind for op in found.ops]
        is_last = (at for at in range(len(kinds) - 1, 0, -1) if kinds[at] == CHECKPOINT)
        start = next(is_last, 0)
        wrong = _first_unparsable(found.ops[start:])
        if wrong is None:
            return start
        found.leave_out(start + wrong[0], wrong[1])


def _first_unparsable(ops: Sequence[StoredOp]) -> tuple[int, str] | None:
    for place, op in enumerate(ops):
        try:
            op.decode()
        except ProjectError as error:
            return place, first_line(error)
    return None


def lock_path(path: Path) -> Path:
    """Return the path of the file that is locked while a project is open."""
    return hidden_sibling_path(path, ".lock")


def is_open(path: Path) -> bool:
    """Whether somebody writes to a project, in this process or another one."""
    lock_file = lock_path(path)
    if not lock_file.exists():
        return False
    try:
        lock = FileLock(lock_file)
    except OSError:
        return False
    try:
        return lock.try_exclusive() == "in use"
    finally:
        lock.close()


@contextmanager
def _locked(path: Path) -> Iterator[FileLock]:
    """Lock a project; released again if an error is raised inside."""
    lock = FileLock(lock_path(path))
    try:
        _require_alone(lock, path)
        yield lock
    except BaseException:
        lock.close()
        raise


def _require_alone(lock: FileLock, path: Path) -> None:
    for _ in range(_LOCK_TRIES):
        if lock.try_exclusive() != "in use":
            return
        # Somebody may only be looking whether it is open.
        time.sleep(_LOCK_PAUSE)
    raise ProjectError(
        f"the project {path} is open in another window or process; close it there, or "
        "work on a copy"
    )


def _as_it_is(op: Any) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = op
    return fields


class JournalWriter:
    """Writes ops to a project file, in a thread of its own.

    Made by `create` or `append_to`. The file is locked until `close`. Faults of the
    disk do not reach the caller: ops stay in memory, and are written as soon as that
    works again. It is tried every few seconds, and by `retry`.

    Parameters
    ----------
    path : Path
        Of the file.
    lock : FileLock
        Held; released by `close`.
    file : JournalFile
        Open, behind its last whole line.
    last_number : int
        Of the last op in it.
    encode : callable, optional
        Turns what `write` is given into an op, in the thread of the writer: a
        dictionary that JSON knows, with the kind as "op". What it is given must not
        change any more.
    on_failure : callable, optional
        Called with a `ProjectError` in the thread of the writer when ops cannot be
        written; again only after some have been.
    """

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        file: JournalFile,
        last_number: int = 0,
        *,
        encode: Callable[[Any], Mapping[str, Any]] = _as_it_is,
        on_failure: Callable[[ProjectError], None] | None = None,
    ) -> None:
        self.path = path
        self._lock = lock
        self._file = file
        self._last_number = last_number
        self._encode = encode
        self._on_failure = on_failure
        self._failure: ProjectError | None = None
        self._saved_at: datetime | None = None
        self._to_be_saved = self._saved = last_number
        self._is_closed = False
        self._waiting: deque[Any] = deque()
        self._retry_at = self._sync_at = 0.0
        # Each entry is called in the thread, and says whether more will come.
        self._orders: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        self._order_lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._work, name=f"journal {path.name}", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    @classmethod
    def create(
        cls,
        path: Path,
        header: ProjectHeader,
        *,
        encode: Callable[[Any], Mapping[str, Any]] = _as_it_is,
        on_failure: Callable[[ProjectError], None] | None = None,
    ) -> JournalWriter:
        """Start a new project file.

        Parameters
        ----------
        path : Path
            Its folders are made if they do not exist.
        header : ProjectHeader
            Its first line.
        encode, on_failure
            As for the class.

        Raises
        ------
        ProjectError
            If there is such a file, or it cannot be written.
        """
        path = path.absolute()
        with wrap_os_errors(f"cannot write the project {path}", ProjectError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path) as lock:
                if path.exists():
                    raise ProjectError(f"{path} exists; choose another name")
                line = header.line()
                with atomic_write(path) as partial:
                    partial.write_bytes(line)
                file = JournalFile(path, len(line))
        return cls(path, lock, file, encode=encode, on_failure=on_failure)

    @classmethod
    def append_to(
        cls,
        path: Path,
        *,
        encode: Callable[[Any], Mapping[str, Any]] = _as_it_is,
        on_failure: Callable[[ProjectError], None] | None = None,
    ) -> tuple[JournalWriter, JournalContents]:
        """Go on in a project file.

        A truncated last line is cut off. If lines after a damaged one cannot be used,
        the file is first copied to one whose name ends in ``.damaged``. A file of an
        older version becomes one of this version.

        Parameters
        ----------
        path : Path
            Of the file.
        encode, on_failure
            As for the class.

        Returns
        -------
        JournalWriter
        JournalContents
            What was there, read under the lock.

        Raises
        ------
        ProjectError
            If it is open somewhere else or cannot be written, or as `read_journal`.
        """
        path = path.absolute()
        with wrap_os_errors(f"cannot open the project {path}", ProjectError):
            # A lock would leave its file where there is no project.
            path.stat()
            with _locked(path) as lock:
                contents = read_journal(path)
                if contents.damage is not None and contents.end < contents.size:
                    _keep_damaged(path)
                mark_current(path)
                file = JournalFile(path, contents.end)
        number = contents.last_number
        writer = cls(path, lock, file, number, encode=encode, on_failure=on_failure)
        return writer, contents

    @property
    def is_saved(self) -> bool:
        """Whether the file has all that was written."""
        return self._failure is None and self._saved == self._to_be_saved

    @property
    def last_number(self) -> int:
        """Of the last op, whether it could be written yet or not."""
        return self._to_be_saved

    @property
    def saved_at(self) -> datetime | None:
        """When an op was last written to the file, in UTC; None if none was yet."""
        return self._saved_at

    @property
    def failure(self) -> ProjectError | None:
        """Why ops are not written now; None if they are."""
        return self._failure

    def write(self, op: Any) -> None:
        """Write an op soon; takes microseconds and never fails because of the disk.

        Parameters
        ----------
        op : object
            What ``encode`` takes; it must not change any more.

        Raises
        ------
        ClosedError
            After `close`.
        """
        with self._order_lock:
            if self._is_closed:
                raise self._closed()
            self._to_be_saved += 1
            self._orders.put(lambda: self._take(op))

    def write_checkpoint(self, make: Callable[[Path], Mapping[str, Any]]) -> None:
        """Write an op that is made from the file itself, once all is in it.

        Parameters
        ----------
        make : callable
            Given the path, returns the op; called in the thread. Nothing is written if
            the file does not have all, or is about to be closed.
        """

        def order() -> bool:
            self._save()
            if self._failure is None and not self._is_closed:
                self._append_checkpoint(make)
            return True

        self._order(order)

    def _append_checkpoint(self, make: Callable[[Path], Mapping[str, Any]]) -> None:
        try:
            line = op_line(self._last_number + 1, make(self.path))
        except Exception:  # noqa: BLE001 - whatever it is, saving goes on
            # It only saves time at the next opening; nothing is lost without it.
            _LOG.warning("no checkpoint was written to %s", self.path, exc_info=True)
            return
        with self._order_lock:
            self._to_be_saved += 1
        self._last_number += 1
        self._file.append(line)
        self._save()

    def retry(self) -> None:
        """Try again now to write what could not be written."""
        self._order(self._save)

    def flush(self) -> bool:
        """Wait until all is written, or could not be; return `is_saved`."""
        is_done = threading.Event()

        def save() -> bool:
            self._save()
            is_done.set()
            return True

        if self._order(save):
            is_done.wait()
        return self.is_saved

    def content(self) -> bytes:
        """Return what the file has once all is written, also if that fails now.

        Raises
        ------
        ProjectError
            If some of it cannot be read or encoded.
        ClosedError
            After `close`.
        """
        content: Future[bytes] = Future()

        def make() -> bool:
            try:
                self._encode_waiting()
                content.set_result(self._file.content())
            except Exception as error:  # noqa: BLE001 - told to the caller
                content.set_exception(_as_project_error(error, self.path))
            return True

        if not self._order(make):
            raise self._closed()
        return content.result()

    def close(self) -> None:
        """Write all that waits and release the file; closing again has no effect.

        What cannot be written now is lost; `is_saved` and `failure` tell.
        """
        if self._order(self._finish, is_last=True):
            self._thread.join()
            self._lock.close()
            atexit.unregister(self.close)

    def _closed(self) -> ClosedError:
        return ClosedError(f"the project {self.path} is closed; open it again")

    def _order(self, order: Callable[[], bool], *, is_last: bool = False) -> bool:
        """Have something done in the thread; False after `close`."""
        with self._order_lock:
            if self._is_closed:
                return False
            self._is_closed = is_last
            self._orders.put(order)
        return True

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            try:
                order = self._orders.get(timeout=self._pause())
            except queue.Empty:
                order = self._save
            goes_on = order()

    def _pause(self) -> float | None:
        """How long nothing need be done unless there are orders."""
        if self._failure is not None:
            return max(0.0, self._retry_at - time.monotonic())
        if not self._file.is_synced:
            return max(0.0, self._sync_at - time.monotonic())
        return None

    def _take(self, op: Any) -> bool:
        self._waiting.append(op)
        if self._failure is None or time.monotonic() >= self._retry_at:
            self._save()
        return True

    def _save(self, *, is_last: bool = False) -> bool:
        try:
            try:
                self._encode_waiting()
            finally:
                self._write_lines()
            self._sync(at_once=is_last)
        except Exception as error:  # noqa: BLE001 - saving goes on whatever happens
            self._fail(error)
        else:
            self._failure = None
        return True

    def _finish(self) -> bool:
        self._save(is_last=True)
        self._file.close()
        return False

    def _encode_waiting(self) -> None:
        while self._waiting:
            line = op_line(self._last_number + 1, self._encode(self._waiting[0]))
            self._last_number += 1
            self._waiting.popleft()
            self._file.append(line)

    def _write_lines(self) -> None:
        if not self._file.is_flushed:
            self._file.flush()
            self._saved = self._last_number
            self._saved_at = datetime.now(UTC)

    def _sync(self, *, at_once: bool) -> None:
        """Let the disk take what was written, at most once in a second."""
        now = time.monotonic()
        if not self._file.is_synced and (at_once or now >= self._sync_at):
            self._sync_at = now + _SYNC_SECONDS
            self._file.sync()

    def _fail(self, error: Exception) -> None:
        is_news = self._failure is None
        self._failure = _as_project_error(error, self.path)
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if is_news:
            _LOG.warning("%s", self._failure, exc_info=error)
            self._report(self._failure)

    def _report(self, failure: ProjectError) -> None:
        try:
            if self._on_failure is not None:
                self._on_failure(failure)
        except Exception:  # noqa: BLE001 - it is somebody else's
            # The next ops must be written nevertheless.
            _LOG.exception("a failure could not be reported")


def _as_project_error(error: Exception, path: Path) -> ProjectError:
    if isinstance(error, ProjectError):
        return error
    said = f"changes are not saved to {path} ({first_line(error)})"
    if isinstance(error, OSError):
        remedy = os_error_advice(error) or "check the disk"
    else:
        remedy = "save the labels as a file, and report this as a bug"
    failure = ProjectError(f"{said}; {remedy}")
    failure.__cause__ = error
    return failure


def _keep_damaged(path: Path) -> None:
    """Copy a damaged file before its unusable end is cut off."""
    number = 1
    while (kept := sibling_path(path, f".{number}.damaged")).exists():
        number += 1
    with atomic_write(kept) as partial:
        partial.write_bytes(path.read_bytes())
    _LOG.warning("the damaged project was copied to %s", kept)
