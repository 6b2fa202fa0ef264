"""A folder for work that may be stopped, and goes on when it is asked for again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import (
    make_partial_folder,
    remove_stale_partials,
    replace_folder,
)
from napari_sam_decoder.errors import FormatError, wrap_write_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UnfinishedWork"]

_MARK = "job.txt"


@dataclass(frozen=True)
class UnfinishedWork:
    """What a job has done so far, until it is finished.

    Attributes
    ----------
    folder : Path
        Belongs to the job alone.
    job : str
        All that the result depends on. What was done for another job is of no use.
    """

    folder: Path
    job: str

    def take_up(self) -> None:
        """Make the folder, or keep what is in it if that was done for the same job.

        It is there with its mark or not at all, whenever this process ends.

        Raises
        ------
        FormatError
            If something else is in the way, or the disk cannot be written.
        """
        if self.folder.parent.is_dir():
            remove_stale_partials(self.folder)
        noted = self._noted()
        if noted is None and not _is_free(self.folder):
            raise FormatError(
                f"{self.folder} is in the way: unfinished training is kept there; move "
                "it, or choose another output"
            )
        if noted != self.job.encode():
            self._begin()

    def clear(self) -> None:
        """Delete the folder; it is finished."""
        trash = make_partial_folder(self.folder)
        with wrap_write_errors(self.folder):
            self.folder.rename(trash / "finished")
        shutil.rmtree(trash, ignore_errors=True)

    def _noted(self) -> bytes | None:
        """For which job the folder is; None if that is not said."""
        mark = self.folder / _MARK
        return mark.read_bytes() if mark.is_file() else None

    def _begin(self) -> None:
        partial = make_partial_folder(self.folder)
        made = partial / "begun"
        with wrap_write_errors(self.folder):
            made.mkdir()
            (made / _MARK).write_bytes(self.job.encode())
            replace_folder(made, self.folder)
        shutil.rmtree(partial, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    """Whether nothing is there, or a folder that a process was killed in making."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
