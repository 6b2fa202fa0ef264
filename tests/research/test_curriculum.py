from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
from stand_in import BrightSam

from napari_sam_decoder.training.examples import ExampleFolder
from shipped_head import sam_examples
from shipped_head.curriculum import Curriculum, generate_examples
from shipped_head.sam_examples import SamExample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _whatever_is_seen_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in sees all that is bright as one, which has little of any object."""
    monkeypatch.setattr(sam_examples, "LEAST_IOU", -1)


FEW = Curriculum(things=3, cells=2, views=2)


def contents(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.load(path)["truth"] for path in folder.glob("*.npz")}


def test_each_picture_with_something_on_it_gives_an_example(tmp_path: Path) -> None:
    made = list(generate_examples(FEW, tmp_path, BrightSam()))
    assert len(made) == FEW.total == 7
    assert len(ExampleFolder(tmp_path, SamExample)) == sum(made) > 2


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    list(generate_examples(FEW, tmp_path / "whole", BrightSam()))
    run = generate_examples(FEW, tmp_path / "parts", BrightSam())
    list(islice(run, 2))
    run.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("parts/*")}
    list(generate_examples(FEW, tmp_path / "parts", BrightSam()))
    assert before
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name, truth in whole.items():
        np.testing.assert_array_equal(parts[name], truth)


@pytest.mark.parametrize("kind", ["things", "cells", "views"])
def test_another_seed_gives_other_pictures(tmp_path: Path, kind: str) -> None:
    counts = dict.fromkeys(("things", "cells", "views"), 0) | {
        kind: 2 if kind != "views" else 6
    }
    for seed in (0, 1):
        list(
            generate_examples(
                Curriculum(**counts, seed=seed), tmp_path / str(seed), BrightSam()
            )
        )
    first, second = contents(tmp_path / "0"), contents(tmp_path / "1")
    assert first
    assert all(
        truth.shape != second[name].shape or np.any(truth != second[name])
        for name, truth in first.items()
        if name in second
    )
