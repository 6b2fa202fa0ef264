from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.training.examples import (
    ExampleFolder,
    TrainingExample,
    read_example,
    write_example,
)

if TYPE_CHECKING:
    from pathlib import Path


def make(seed: int = 0) -> TrainingExample:
    rng = np.random.default_rng(seed)
    truth = rng.random((2, 20, 30)) > 0.5
    return TrainingExample(
        features=rng.standard_normal((4, 2, 2)).astype(np.float16),
        shown=np.array([20, 30]),
        truth=np.packbits(truth, axis=-1),
    )


def test_an_example_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_example(make(), tmp_path / "a.npz")
    read = read_example(tmp_path / "a.npz", TrainingExample)
    for field in fields(TrainingExample):
        np.testing.assert_array_equal(
            getattr(read, field.name), getattr(make(), field.name)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_masks_are_unpacked_where_they_are_wanted() -> None:
    truth = np.random.default_rng(0).random((2, 20, 30)) > 0.5
    np.testing.assert_array_equal(make().mask(1), truth[1])
    np.testing.assert_array_equal(make().mask(0, slice(5, 9)), truth[0, 5:9])


def test_a_folder_of_examples_is_read_one_by_one(tmp_path: Path) -> None:
    for seed in range(3):
        write_example(make(seed), tmp_path / f"{seed}.npz")
    (tmp_path / ".left.npz.partial.npz").write_bytes(b"half of a example")
    examples = ExampleFolder(tmp_path, TrainingExample)
    assert len(examples) == 3
    np.testing.assert_array_equal(examples[2].features, make(2).features)
    assert len(examples[:2]) == 2


def test_a_folder_without_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no training examples"):
        ExampleFolder(tmp_path, TrainingExample)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip file", None])
def test_what_is_no_example_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"prepare it again|check the path"):
        read_example(path, TrainingExample)


def test_another_table_is_no_example(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", something=np.zeros(3))
    with pytest.raises(FormatError, match="not a training example"):
        read_example(tmp_path / "a.npz", TrainingExample)
