"""Try damaged inputs: a right result, or one of our own errors, in time and room."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from entrances import ENTRANCES

from napari_sam_decoder import SamDecoderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from entrances import Entrance

__all__ = ["Finding", "Trials"]

_SECONDS = 20
"""Of a processor, after which an input counts as one that hangs."""
_ROOM = 2**30
"""Bytes that a few kilobytes of input may make us ask for."""


@dataclass(frozen=True)
class Finding:
    """An input that was not met as it should be.

    Attributes
    ----------
    entrance : str
    number : int
        Of the trial, which makes the same input again.
    what : str
        One line.
    trace : str
    """

    entrance: str
    number: int
    what: str
    trace: str


class HangsError(BaseException):
    """It takes too long; no error that anybody would catch."""


class Trials:
    """Damaged inputs of all kinds, by number.

    Parameters
    ----------
    folder : Path
        For files.
    only : str, optional
        A part of the names of the kinds of input to try.
    """

    def __init__(self, folder: Path, only: str = "") -> None:
        self._folder = self._scratch = folder
        self._sound = folder / "sound"
        self.entrances = [
            one
            for one in ENTRANCES
            if only in one.name and (not one.needs or find_spec(one.needs))
        ]

    def use_sound(self, entrance: Entrance) -> None:
        """Use an input without damage."""
        self._copy(entrance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entrance.use(self._scratch)

    def attempt(self, number: int) -> Finding | None:
        """Damage and use an input; None if that was met as it should be."""
        entrance = self.entrances[number % len(self.entrances)]
        self._copy(entrance)
        entrance.damage(self._scratch, Random(number))
        try:
            with warnings.catch_warnings(), _in_time(), _in_room():
                warnings.simplefilter("ignore")
                entrance.use(self._scratch)
        except SamDecoderError as error:
            if not _asked_for_too_much(error):
                return None
            what = f"asks for more memory: {error}"
            return Finding(entrance.name, number, what, traceback.format_exc())
        # Whatever it is, it is what is looked for.
        except (Exception, HangsError) as error:  # noqa: BLE001
            what = f"{type(error).__name__}: {error}"
            return Finding(entrance.name, number, what, traceback.format_exc())
        return None

    def _copy(self, entrance: Entrance) -> None:
        sound = self._sound / entrance.name.replace(" ", "_")
        if not sound.exists():
            sound.mkdir(parents=True)
            entrance.make(sound)
        if self._scratch != self._folder:
            shutil.rmtree(self._scratch.parent, ignore_errors=True)
        # Another one each time: where files are still open they cannot be replaced.
        self._scratch = Path(tempfile.mkdtemp(dir=self._folder)) / "input"
        shutil.copytree(sound, self._scratch)


def _asked_for_too_much(error: BaseException | None) -> bool:
    """Whether numpy would have made an array that the input has no bytes for.

    A file of Python that is asked for too many bytes takes no more room than it has.
    """
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return "Unable to allocate" in str(error)


@contextmanager
def _in_time() -> Iterator[None]:
    if not hasattr(signal, "ITIMER_PROF"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise HangsError(f"more than {_SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _in_room() -> Iterator[None]:
    """Let nobody ask for more memory than there is any reason to."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    room = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
