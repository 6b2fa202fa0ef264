"""A folder that keeps the work of an interrupted job until the job is run again."""

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

__all__ = ["ResumableFolder"]

_MARK = "job.txt"


@dataclass(frozen=True)
class ResumableFolder:
    """The work of a job so far, until the job is finished.

    Attributes
    ----------
    folder : Path
        For this job only.
    job : str
        Everything that the result depends on. The work of another job is discarded.
    """

    folder: Path
    job: str

    def open(self) -> None:
        """Make the folder, or keep its contents if they belong to the same job.

        Even if the process is killed, the folder has its mark or does not exist.

        Raises
        ------
        FormatError
            If something else has its name, or the disk cannot be written.
        """
        if self.folder.parent.is_dir():
            remove_stale_partials(self.folder)
        noted = self._noted()
        if noted is None and not _is_free(self.folder):
            raise FormatError(
                f"{self.folder} is in the way: unfinished training would be kept "
                "there; move it, or choose another output"
            )
        if noted != self.job.encode():
            self._start_over()

    def delete(self) -> None:
        """Delete the folder, since the job is finished."""
        trash = make_partial_folder(self.folder)
        with wrap_write_errors(self.folder):
            self.folder.rename(trash / "finished")
        shutil.rmtree(trash, ignore_errors=True)

    def _noted(self) -> bytes | None:
        """The job that the folder belongs to; None if it has no mark."""
        mark = self.folder / _MARK
        return mark.read_bytes() if mark.is_file() else None

    def _start_over(self) -> None:
        partial = make_partial_folder(self.folder)
        made = partial / "begun"
        with wrap_write_errors(self.folder):
            made.mkdir()
            (made / _MARK).write_bytes(self.job.encode())
            replace_folder(made, self.folder)
        shutil.rmtree(partial, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    """Whether nothing is there but an empty folder, as a killed process leaves it."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
