"""The command line: each command parses its options and calls one library function.

Results go to stdout, progress and errors to stderr. The exit code is 0, 1 where
``cache verify`` finds damage, 2 for a mistake that the message helps to mend, 3 for one
of the program itself, and 130 after Ctrl+C.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.cli.commands import complain
from napari_sam_decoder.cli.parser import PROGRAM, build_parser, is_verbose
from napari_sam_decoder.errors import IncompleteFileWarning, SamDecoderError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["main"]

USER_MISTAKE = 2
OWN_MISTAKE = 3
INTERRUPTED = 130

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default, which
        then is taken for ours alone.

    Returns
    -------
    int
        The exit code.
    """
    if argv is None:
        _tune_own_process()
    options = build_parser().parse_args(argv)
    with _logging_to_stderr(logging.DEBUG if is_verbose(options) else logging.WARNING):
        try:
            with _warnings_as_lines():
                return int(options.run(options))
        except SamDecoderError as error:
            lines = (line.strip() for line in str(error).splitlines())
            complain(f"error: {'; '.join(line for line in lines if line)}")
            _LOG.debug("this is where it came up", exc_info=True)
            return USER_MISTAKE
        except KeyboardInterrupt:
            complain(
                "stopped: nothing was written; what was embedded or learned so far is "
                "kept, and the same command goes on"
            )
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whoever typed it is told
            complain(
                f"unexpected error: {type(error).__name__}: {first_line(error)}; this "
                "is no mistake of yours: --verbose shows where it came up, for a report"
            )
            _LOG.debug("this is where it came up", exc_info=True)
            return OWN_MISTAKE


@contextmanager
def _logging_to_stderr(level: int) -> Iterator[None]:
    """Show what is logged while a command runs: our own from a level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{PROGRAM}: %(message)s"))
    root = logging.getLogger()
    # tifffile says of damaged files what our own errors say with a remedy.
    levels = {"napari_sam_decoder": level, "tifffile": logging.CRITICAL}
    before = {name: logging.getLogger(name).level for name in levels}
    _set_levels(levels)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        _set_levels(before)


def _set_levels(levels: Mapping[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Say in one line each what a file lacks, and leave other warnings alone."""
    show = warnings.showwarning

    def show_line(message: Any, category: Any, *place: Any, **more: Any) -> None:
        if issubclass(category, IncompleteFileWarning):
            complain(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("default", IncompleteFileWarning)
        setattr(warnings, "showwarning", show_line)  # noqa: B010 -- of another type
        yield


def _tune_own_process() -> None:
    """Set what torch reads once, when it is loaded, unless the user has set it.

    Only for a process that is ours alone: it counts for all that is loaded into it.
    """
    # Torch asks for fresh memory at every step; in huge pages that is a fifth faster.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A thread of GNU's OpenMP that waits for the others keeps its core busy for
    # milliseconds, by counting; where a second process needs that core, all wait for
    # each other.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
