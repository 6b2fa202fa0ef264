"""A folder for work that may be stopped, and goes on when it is asked for again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError

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

        Raises
        ------
        FormatError
            If something else is in the way.
        """
        mark = self.folder / _MARK
        if self.folder.exists() and not mark.is_file():
            raise FormatError(
                f"{self.folder} is in the way: unfinished training is kept there; move "
                "it, or choose another output"
            )
        if self.folder.exists() and mark.read_text(encoding="utf-8") != self.job:
            self.clear()
        if not self.folder.exists():
            self.folder.mkdir()
            mark.write_text(self.job, encoding="utf-8")

    def clear(self) -> None:
        """Delete the folder; it is finished, or of no use."""
        shutil.rmtree(self.folder)
