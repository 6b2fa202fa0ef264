"""The command line: each command parses its options and calls one library function.

Results go to stdout, progress and messages to stderr. The exit code is 0, 1 if
``cache verify`` finds damage or ``batch`` fails on some movies, 2 for an error that the
user can fix, 3 for an error in the program, 130 after Ctrl+C, 129 or 143 after SIGHUP
or SIGTERM, and 141 if whoever reads the output has closed the pipe.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.cli.commands import discard, flush_lines, print_message
from napari_sam_decoder.cli.parser import PROGRAM, build_parser, is_verbose
from napari_sam_decoder.errors import (
    IncompleteFileWarning,
    SamDecoderError,
    first_line,
    one_line,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["main"]

USER_ERROR = 2
INTERNAL_ERROR = 3
INTERRUPTED = 130
PIPE_CLOSED = 141

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name. By default those of the process, which
        is then assumed to run nothing else.

    Returns
    -------
    int
        The exit code.
    """
    if argv is None:
        _tune_process()
    options = build_parser().parse_args(argv)
    level = logging.DEBUG if is_verbose(options) else logging.WARNING
    with _logging_to_stderr(level), _signals_raised():
        try:
            with _warnings_as_lines():
                return _run(options)
        except SamDecoderError as error:
            print_message(f"error: {one_line(error)}")
            _LOG.debug("traceback:", exc_info=True)
            return USER_ERROR
        except KeyboardInterrupt as stop:
            print_message(_stopped(options))
            return stop.exit_code if isinstance(stop, _StoppedError) else INTERRUPTED
        except BrokenPipeError:
            discard(sys.stdout, sys.stderr)
            return PIPE_CLOSED
        except Exception as error:  # noqa: BLE001 - every error is reported
            print_message(
                f"unexpected error: {type(error).__name__}: {first_line(error)}; this "
                "is a bug: please report it with the output of --verbose"
            )
            _LOG.debug("traceback:", exc_info=True)
            return INTERNAL_ERROR


def _run(options: Namespace) -> int:
    code = int(options.run(options))
    flush_lines()
    return code


def _stopped(options: Namespace) -> str:
    """Say what is left of a command that was stopped."""
    kept = list(getattr(options, "kept", ()))
    if getattr(options, "cache", "none") != "none":
        kept.insert(0, "embeddings so far")
    said = getattr(options, "stopped", "stopped: no output was written")
    if not kept:
        return str(said)
    return (
        f"{said}; {' and '.join(kept)} are kept, and the same command continues from "
        "there"
    )


class _StoppedError(KeyboardInterrupt):
    """A signal ends the process: all is undone that Ctrl+C undoes.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise the signals that end a process, so that it can tidy up."""
    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    # Of a process in the background, nohup has SIGHUP ignored.
    ours = [one for one in named if one and signal.getsignal(one) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        ours = []

    def stop(number: int, _: Any) -> None:
        # Some send it twice, which must not end the tidying up.
        for one in ours:
            signal.signal(one, signal.SIG_IGN)
        raise _StoppedError(number)

    for one in ours:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in ours:
            signal.signal(one, signal.SIG_DFL)


@contextmanager
def _logging_to_stderr(level: int) -> Iterator[None]:
    """Show log messages while a command runs, our own from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{PROGRAM}: %(message)s"))
    root = logging.getLogger()
    # Our own errors already say what tifffile logs about corrupt files, and a journal
    # about a full disk.
    levels = {
        "napari_sam_decoder": level,
        "napari_sam_decoder.project": _quieter(level),
        "tifffile": logging.CRITICAL,
        # A worker that is lost is replaced.
        "distributed": logging.CRITICAL,
        "asyncio": logging.CRITICAL,
    }
    before = {name: logging.getLogger(name).level for name in levels}
    _set_levels(levels)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        _set_levels(before)


def _quieter(level: int) -> int:
    return logging.ERROR if level == logging.WARNING else level


def _set_levels(levels: Mapping[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show warnings about incomplete files in one line each."""
    show = warnings.showwarning

    def show_line(message: Any, category: Any, *place: Any, **more: Any) -> None:
        if issubclass(category, IncompleteFileWarning):
            print_message(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("default", IncompleteFileWarning)
        setattr(warnings, "showwarning", show_line)  # noqa: B010 -- of another type
        yield


def _tune_process() -> None:
    """Make a process of our own faster; this affects all libraries in it.

    Variables of the environment that are set already stay as they are.
    """
    # Python would look for garbage among all modules once more before it ends, which
    # takes as long as a fifth of the import of torch.
    atexit.register(gc.freeze)
    # Torch allocates memory at every step, which is a fifth faster with huge pages.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A waiting thread of GNU's OpenMP keeps its core busy for milliseconds. If another
    # process needs that core, they all wait for each other.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # Its messages are about each connection and each worker.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
