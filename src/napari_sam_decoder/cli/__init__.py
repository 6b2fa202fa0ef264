"""The command line: each command parses its options and calls one library function.

Results go to stdout, progress and errors to stderr. The exit code is 0, 1 where
``cache verify`` finds damage, 2 for a mistake that the message helps to mend, and 130
after Ctrl+C.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from napari_sam_decoder.cli.commands import complain
from napari_sam_decoder.cli.parser import PROGRAM, build_parser
from napari_sam_decoder.errors import SamDecoderError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

USER_MISTAKE = 2
INTERRUPTED = 130


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
    logging.basicConfig(
        stream=sys.stderr, format=f"{PROGRAM}: %(message)s", level=logging.WARNING
    )
    # It says of damaged files what our own errors say with a remedy.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    if argv is None:
        _tune_own_process()
    options = build_parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (SamDecoderError, OSError) as error:
        lines = (line.strip() for line in str(error).splitlines())
        complain(f"error: {'; '.join(line for line in lines if line)}")
        return USER_MISTAKE
    except KeyboardInterrupt:
        complain(
            "stopped: nothing was written; what was embedded or learned so far is "
            "kept, and the same command goes on"
        )
        return INTERRUPTED


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
