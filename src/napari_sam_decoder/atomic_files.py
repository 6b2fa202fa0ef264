"""Files and folders that appear whole or not at all, and their names until then."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from napari_sam_decoder.errors import wrap_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "atomic_write",
    "hidden_sibling_path",
    "make_partial_folder",
    "remove_stale_partials",
    "replace_folder",
    "restore_interrupted",
    "sibling_path",
]


# File systems take names of 255 bytes.
_LONGEST = 180
_KEPT = 100


def sibling_path(path: Path, ending: str) -> Path:
    """Name what stands beside a file and is called like it.

    Of a long name only the beginning is kept, with a digest of the whole, so that there
    is room for 50 bytes more.

    Parameters
    ----------
    path : Path
        Of the file.
    ending : str
        What is appended to its name.
    """
    return path.with_name(f"{_shortened(path)}{ending}")


def hidden_sibling_path(path: Path, ending: str) -> Path:
    """Name what stands beside a file as `sibling_path` does, but out of sight."""
    return path.with_name(f".{_shortened(path)}{ending}")


@contextmanager
def atomic_write(path: Path, ending: str = ".partial") -> Iterator[Path]:
    """Write a file that appears whole or not at all.

    Parameters
    ----------
    path : Path
        Takes what was written, if nothing is raised inside.
    ending : str, default ".partial"
        Of the file that is written.

    Yields
    ------
    Path
        To write to; nothing is left there in the end.
    """
    partial = hidden_sibling_path(path, ending)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _shortened(path: Path) -> str:
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return path.name
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[:_KEPT].decode(errors='ignore')}-{digest}"


_LOG = logging.getLogger(__name__)
REPLACED = "replaced"
ENDING = ".partial-"

# On Windows, what asks whether a process is there elsewhere ends it.
CAN_ASK = os.name != "nt"


def make_partial_folder(target: Path) -> Path:
    """Make the folder, named after this process on this machine.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    ending = f"{ENDING}{os.getpid()}-{_machine()}-{uuid4().hex[:8]}"
    partial = hidden_sibling_path(target, ending)
    with wrap_write_errors(target):
        partial.mkdir()
    return partial


def replace_folder(made: Path, target: Path) -> None:
    """Put a folder in the place of another, which is deleted.

    No system call does so in one step for folders. In between, the old one lies in the
    hidden folder, from where `remove_stale_partials` restores it if this process dies
    before the next line.

    Parameters
    ----------
    made : Path
        Inside a folder from `make_partial_folder`.
    target : Path
        May be absent.

    Raises
    ------
    OSError
        If either cannot be moved. The target then is as it was before.
    """
    aside = made.parent / REPLACED
    if not target.exists():
        made.rename(target)
        return
    target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def remove_stale_partials(target: Path) -> None:
    """Remove what killed processes of this machine left behind for this target.

    A process on another machine that shares the disk may be alive, so its folders
    stay, as do all of them where a process cannot be asked without harm (Windows).
    """
    if not CAN_ASK:
        return
    for stale in _dead_siblings(target):
        replaced = stale / REPLACED
        with suppress(OSError):
            if replaced.exists() and not target.exists():
                replaced.rename(target)
        _LOG.info("a killed process has left %s behind", stale)
        if target.exists() or not replaced.exists():
            shutil.rmtree(stale, ignore_errors=True)


def restore_interrupted(target: Path) -> None:
    """Put a folder back that a process was killed in replacing.

    Parameters
    ----------
    target : Path
        About to be read; nothing is done if it is there.
    """
    # A name that is too long cannot be looked at, and was never written.
    with suppress(OSError):
        if not target.exists() and target.parent.is_dir():
            remove_stale_partials(target)


def _dead_siblings(target: Path) -> Iterator[Path]:
    prefix = re.escape(hidden_sibling_path(target, ENDING).name)
    pattern = re.compile(rf"{prefix}(\d+)-{_machine()}-[0-9a-f]+")
    for name in os.listdir(target.parent):
        match = pattern.fullmatch(name)
        if match and not _is_alive(int(match[1])):
            yield target.parent / name


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
