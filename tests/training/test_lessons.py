from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.training.lessons import (
    Lesson,
    Lessons,
    read_lesson,
    write_lesson,
)

if TYPE_CHECKING:
    from pathlib import Path


def make(seed: int = 0) -> Lesson:
    rng = np.random.default_rng(seed)
    truth = rng.random((2, 20, 30)) > 0.5
    return Lesson(
        features=rng.standard_normal((4, 2, 2)).astype(np.float16),
        picture=rng.integers(0, 256, (10, 15, 3)).astype(np.uint8),
        shown=np.array([20, 30]),
        truth=np.packbits(truth, axis=-1),
        logits=rng.standard_normal((1, 8, 8)).astype(np.float16),
        objects=np.array([1]),
        tokens=rng.standard_normal((2, 5, 256)).astype(np.float16),
        ious=rng.random((2, 3)).astype(np.float32),
    )


def test_a_lesson_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_lesson(make(), tmp_path / "a.npz")
    read = read_lesson(tmp_path / "a.npz")
    for field in fields(Lesson):
        np.testing.assert_array_equal(
            getattr(read, field.name), getattr(make(), field.name)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_masks_are_unpacked_where_they_are_wanted() -> None:
    truth = np.random.default_rng(0).random((2, 20, 30)) > 0.5
    np.testing.assert_array_equal(make().mask(1), truth[1])
    np.testing.assert_array_equal(make().mask(0, slice(5, 9)), truth[0, 5:9])


def test_a_folder_of_lessons_is_read_one_by_one(tmp_path: Path) -> None:
    for seed in range(3):
        write_lesson(make(seed), tmp_path / f"{seed}.npz")
    (tmp_path / ".left.npz.partial.npz").write_bytes(b"half of a lesson")
    lessons = Lessons(tmp_path)
    assert len(lessons) == 3
    np.testing.assert_array_equal(lessons[2].picture, make(2).picture)
    assert len(lessons[:2]) == 2


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no lessons"):
        Lessons(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip file", None])
def test_what_is_no_lesson_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"prepare it again|check the path"):
        read_lesson(path)


def test_another_table_is_no_lesson(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", something=np.zeros(3))
    with pytest.raises(FormatError, match="not a lesson"):
        read_lesson(tmp_path / "a.npz")
