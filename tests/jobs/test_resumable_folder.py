from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.jobs.resumable_folder import ResumableFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_done_for_the_same_job_is_kept(tmp_path: Path) -> None:
    work = ResumableFolder(tmp_path / "work", "learn from this")
    work.open()
    (work.folder / "half").write_text("done")
    ResumableFolder(tmp_path / "work", "learn from this").open()
    assert (work.folder / "half").exists()
    work.delete()
    assert not work.folder.exists()


def test_what_was_done_for_another_job_is_not(tmp_path: Path) -> None:
    work = ResumableFolder(tmp_path / "work", "learn from this")
    work.open()
    (work.folder / "half").write_text("done")
    ResumableFolder(tmp_path / "work", "learn from that").open()
    assert not (work.folder / "half").exists()


def test_a_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "precious").write_text("mine")
    with pytest.raises(FormatError, match="in the way"):
        ResumableFolder(tmp_path / "work", "learn from this").open()
    assert (tmp_path / "work" / "precious").exists()


def test_so_does_a_file(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("mine")
    with pytest.raises(FormatError, match="in the way"):
        ResumableFolder(tmp_path / "work", "learn from this").open()
