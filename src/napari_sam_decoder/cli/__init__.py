"""The command line: each command parses its options and calls one library function.

Results go to stdout, progress and messages to stderr. The exit code is 0, 1 if
``cache verify`` finds damage or ``batch`` fails on some movies, 2 for an error that the
user can fix, 3 for an error in the program, and 130 after Ctrl+C.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.cli.commands import print_message
from napari_sam_decoder.cli.parser import PROGRAM, build_parser, is_verbose
from napari_sam_decoder.errors import IncompleteFileWarning, SamDecoderError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["main"]

USER_ERROR = 2
INTERNAL_ERROR = 3
INTERRUPTED = 130
STOPPED = (
    "stopped: no output was written; embeddings and training so far are kept, and the "
    "same command continues from there"
)

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
    with _logging_to_stderr(logging.DEBUG if is_verbose(options) else logging.WARNING):
        try:
            with _warnings_as_lines():
                return int(options.run(options))
        except SamDecoderError as error:
            lines = (line.strip() for line in str(error).splitlines())
            print_message(f"error: {'; '.join(line for line in lines if line)}")
            _LOG.debug("traceback:", exc_info=True)
            return USER_ERROR
        except KeyboardInterrupt:
            print_message(getattr(options, "stopped", STOPPED))
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - every error is reported
            print_message(
                f"unexpected error: {type(error).__name__}: {first_line(error)}; this "
                "is a bug: please report it with the output of --verbose"
            )
            _LOG.debug("traceback:", exc_info=True)
            return INTERNAL_ERROR


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
