from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_sam_decoder import Movie, Prompt, Session
from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import LabelSink
from napari_sam_decoder.jobs.inputs import MovieOptions
from napari_sam_decoder.jobs.provenance import record_provenance
from napari_sam_decoder.jobs.training_frames import find_training_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

SHAPE = (5, 12, 16)
MOVIE = Movie(np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8))
EVERY = range(5)


def stack() -> np.ndarray:
    """Object 1 on all frames, 4 on the first three, nothing on the last."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:4, 2:6, 2:6] = 1
    labels[:3, 8:11, 9:14] = 4
    return labels


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Labels of another program."""
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, stack(), photometric="minisblack", metadata={"axes": "TYX"})
    return path


def noted(path: Path, sam: Sam, prompts: Sequence[Prompt]) -> Path:
    """Labels that say what they were made from."""
    with Session(MOVIE, model=sam) as session:
        about = record_provenance(
            session, MovieOptions(path.with_name("movie.tif")), EVERY, prompts
        )
    with LabelSink(path, SHAPE, np.uint8) as sink:
        for frame, labels in enumerate(stack()):
            sink.write(frame, labels)
        sink.finish(about)
    return path


@pytest.mark.parametrize("name", ["labels.tif", "labels.zarr"])
def test_objects_are_known_where_they_were_pointed_at(
    tiny_sam: Sam, tmp_path: Path, name: str
) -> None:
    prompts = [
        Prompt(1, 2, [(3, 3)]),
        Prompt(4, 0, box=(8, 9, 11, 14)),
        Prompt(1, 0, mask=stack()[0] == 1),
        Prompt(4, 3, [(9, 10)], [False]),
    ]
    known = find_training_frames(
        noted(tmp_path / name, tiny_sam, prompts), MOVIE, EVERY
    )
    # On frame 3 object 4 was taken away.
    assert known.objects == {0: (1, 4), 2: (1,)}
    assert known.masks == 3
    assert str(known) == "frames 0, 2, 2 objects, 3 outlines"
    found = known.read(2)
    np.testing.assert_array_equal(found.picture, MOVIE.rgb(2))
    np.testing.assert_array_equal(found.labels, stack()[2] * (stack()[2] == 1))


def test_all_objects_are_known_on_fixed_frames(plain: Path) -> None:
    known = find_training_frames(plain, MOVIE, EVERY, (3, 1, 3))
    assert known.objects == {1: (1, 4), 3: (1,)}


def test_only_the_asked_frames_count(tiny_sam: Sam, tmp_path: Path) -> None:
    prompts = [Prompt(1, 0, [(3, 3)]), Prompt(4, 2, [(9, 10)])]
    path = noted(tmp_path / "labels.tif", tiny_sam, prompts)
    assert find_training_frames(path, MOVIE, range(1, 5)).objects == {2: (4,)}


def test_the_digest_tells_outlines_apart(plain: Path) -> None:
    first, same = (find_training_frames(plain, MOVIE, EVERY, (1, 2)) for _ in range(2))
    other = find_training_frames(plain, MOVIE, EVERY, (1,))
    assert first.digest() == same.digest() != other.digest()


def test_labels_of_another_movie_are_refused(plain: Path) -> None:
    longer = Movie(np.zeros((6, 12, 16), np.uint8))
    with pytest.raises(LabelsError, match=r"shape \(5, 12, 16\).*\(6, 12, 16\)"):
        find_training_frames(plain, longer, range(6), (1,))


@pytest.mark.parametrize("frame", [5, 0])
def test_a_frame_that_is_not_there_is_refused(plain: Path, frame: int) -> None:
    with pytest.raises(OptionError, match=f"frame {frame} is not among the frames 1:5"):
        find_training_frames(plain, MOVIE, range(1, 5), (2, frame))


def test_a_frame_without_objects_is_refused(plain: Path) -> None:
    with pytest.raises(LabelsError, match="no object on frame 4"):
        find_training_frames(plain, MOVIE, EVERY, (1, 4))


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_labels_that_say_nothing_need_fixed_frames(
    plain: Path, tmp_path: Path, suffix: str
) -> None:
    np.save(tmp_path / "plain.npy", stack())
    with pytest.raises(LabelsError, match="--fixed 3,17,40"):
        find_training_frames(plain.with_suffix(suffix), MOVIE, EVERY)
