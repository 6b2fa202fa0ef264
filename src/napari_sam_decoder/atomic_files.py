"""Files and folders that are written whole or not at all, beside their target."""

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
    """Return the path of a sibling whose name is that of a file plus an ending.

    A long name is shortened to its beginning and a digest of the whole, so that there
    is room for 50 bytes more.

    Parameters
    ----------
    path : Path
        The file.
    ending : str
        Appended to its name.
    """
    return path.with_name(f"{_shortened(path)}{ending}")


def hidden_sibling_path(path: Path, ending: str) -> Path:
    """Return the path of a hidden sibling; otherwise as `sibling_path`."""
    return path.with_name(f".{_shortened(path)}{ending}")


@contextmanager
def atomic_write(path: Path, ending: str = ".partial") -> Iterator[Path]:
    """Write a file that appears whole or not at all.

    Parameters
    ----------
    path : Path
        Replaced by what was written, unless an error is raised inside.
    ending : str, default ".partial"
        Of the temporary file.

    Yields
    ------
    Path
        The temporary file to write to; it is gone afterwards.
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

# `os.kill(process, 0)` asks whether a process is alive, but on Windows ends it.
CAN_PROBE = os.name != "nt"


def make_partial_folder(target: Path) -> Path:
    """Create a hidden folder beside a target, named after this process and machine.

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
    """Replace a folder by another one and delete it.

    No system call does so in one step. In between, the old folder lies in the hidden
    one, from where `remove_stale_partials` restores it if this process dies.

    Parameters
    ----------
    made : Path
        Inside a folder from `make_partial_folder`.
    target : Path
        May be absent.

    Raises
    ------
    OSError
        If either cannot be moved. The target is then unchanged.
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


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Write a folder that appears whole or not at all.

    Parameters
    ----------
    target : Path
        Replaced by what was written, unless an error is raised inside.

    Yields
    ------
    Path
        Where to make the folder, in a hidden one that is gone afterwards.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    remove_stale_partials(target)
    partial = make_partial_folder(target)
    try:
        with wrap_write_errors(target):
            yield partial / "made"
            replace_folder(partial / "made", target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_stale_partials(target: Path) -> None:
    """Remove what killed processes of this machine left behind beside a target.

    Folders of other machines that share the disk stay, since their processes may be
    alive. On Windows all stay, since a process cannot be probed there.
    """
    if not CAN_PROBE:
        return
    for stale in _dead_siblings(target):
        replaced = stale / REPLACED
        with suppress(OSError):
            if replaced.exists() and not target.exists():
                replaced.rename(target)
        _LOG.info("a killed process left %s behind", stale)
        if target.exists() or not replaced.exists():
            shutil.rmtree(stale, ignore_errors=True)


def restore_interrupted(target: Path) -> None:
    """Restore a folder whose replacement was interrupted by a kill.

    Parameters
    ----------
    target : Path
        About to be read; nothing is done if it exists.
    """
    # A name that is too long raises, and was never written.
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
