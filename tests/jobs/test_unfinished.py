from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.jobs.unfinished import UnfinishedWork

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_done_for_the_same_job_is_kept(tmp_path: Path) -> None:
    work = UnfinishedWork(tmp_path / "work", "learn from this")
    work.take_up()
    (work.folder / "half").write_text("done")
    UnfinishedWork(tmp_path / "work", "learn from this").take_up()
    assert (work.folder / "half").exists()
    work.clear()
    assert not work.folder.exists()


def test_what_was_done_for_another_job_is_not(tmp_path: Path) -> None:
    work = UnfinishedWork(tmp_path / "work", "learn from this")
    work.take_up()
    (work.folder / "half").write_text("done")
    UnfinishedWork(tmp_path / "work", "learn from that").take_up()
    assert not (work.folder / "half").exists()


def test_a_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "precious").write_text("mine")
    with pytest.raises(FormatError, match="in the way"):
        UnfinishedWork(tmp_path / "work", "learn from this").take_up()
    assert (tmp_path / "work" / "precious").exists()


def test_so_does_a_file(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("mine")
    with pytest.raises(FormatError, match="in the way"):
        UnfinishedWork(tmp_path / "work", "learn from this").take_up()
