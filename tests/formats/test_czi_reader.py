"""CZI files, written by Zeiss' own library, which also reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam_decoder import Session
from napari_sam_decoder.errors import FormatError, IncompleteFileWarning
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path

czi = pytest.importorskip("pylibCZIrw.czi")

MOVIE = np.arange(4 * 2 * 8 * 10, dtype=np.uint16).reshape(4, 2, 8, 10)
"""T, C, Y, X."""


def write_czi(path: Path, **noted: Any) -> Path:
    with czi.create_czi(str(path)) as file:
        for time, channels in enumerate(MOVIE):
            for channel, pixels in enumerate(channels):
                place = {"T": time, "C": channel}
                file.write(pixels[..., None], plane=place)
        file.write_metadata(**noted)
    return path


def test_a_movie_of_one_channel(tmp_path: Path) -> None:
    path = write_czi(
        tmp_path / "m.czi",
        channel_names={0: "DAPI", 1: "GFP"},
        scale_x=0.25e-6,
        scale_y=0.25e-6,
    )

    source = open_movie(path, channel="GFP")

    assert (source.axes, source.name, source.unit) == ("TYX", "m", "micrometer")
    assert source.scale == pytest.approx((1.0, 0.25, 0.25))
    assert source.data.dtype == np.uint16
    np.testing.assert_array_equal(source.data[3], MOVIE[3, 1])
    np.testing.assert_array_equal(source.data[1, 2:4, 9:1:-3], MOVIE[1, 1, 2:4, 9:1:-3])
    np.testing.assert_array_equal(source.data[1, -1], MOVIE[1, 1, -1])
    np.testing.assert_array_equal(source.data[1, 3:3], MOVIE[1, 1, 3:3])
    np.testing.assert_array_equal(Session(path, channel=0).movie.raw(2), MOVIE[2, 0])


def test_tiles_are_put_together(tmp_path: Path) -> None:
    with czi.create_czi(str(tmp_path / "m.czi")) as file:
        file.write(MOVIE[0, 0][..., None], location=(-5, 20))
        file.write(MOVIE[1, 0][..., None], location=(5, 20))

    source = open_movie(tmp_path / "m.czi")

    assert source.axes == "YX"
    whole = np.concatenate((MOVIE[0, 0], MOVIE[1, 0]), axis=1)
    np.testing.assert_array_equal(source.data[...], whole)
    np.testing.assert_array_equal(source.data[2:5, 7:13], whole[2:5, 7:13])


def test_colours(tmp_path: Path) -> None:
    colours = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
    with czi.create_czi(str(tmp_path / "m.czi")) as file:
        # As it is stored: blue first.
        file.write(np.ascontiguousarray(colours[..., ::-1]))

    source = open_movie(tmp_path / "m.czi")

    assert (source.axes, source.scale) == ("YXC", None)
    np.testing.assert_array_equal(source.data[...], colours)
    np.testing.assert_array_equal(
        open_movie(tmp_path / "m.czi", channel=2).data[...], colours[..., 2]
    )


def test_channels_of_several_types(tmp_path: Path) -> None:
    with czi.create_czi(str(tmp_path / "m.czi")) as file:
        file.write(MOVIE[0, 0][..., None].astype(np.uint8), plane={"C": 0})
        file.write(MOVIE[0, 1][..., None] + 1000, plane={"C": 1})

    first, second = (open_movie(tmp_path / "m.czi", channel=n) for n in (0, 1))

    assert first.data.dtype == second.data.dtype == np.uint16
    np.testing.assert_array_equal(first.data[...], MOVIE[0, 0])
    np.testing.assert_array_equal(second.data[...], MOVIE[0, 1] + 1000)


def test_scenes_are_chosen_by_number(tmp_path: Path) -> None:
    with czi.create_czi(str(tmp_path / "m.czi")) as file:
        for time in range(3):
            place = {"T": time}
            file.write(MOVIE[time, 0][..., None], plane=place, scene=0)
            file.write(MOVIE[time, 1][:5, :, None], (30, 0), plane=place, scene=1)

    with pytest.raises(FormatError, match=r"m.czi holds 2 images; choose one .*0.*1"):
        open_movie(tmp_path / "m.czi")
    source = open_movie(tmp_path / "m.czi", series=1)

    assert source.data.shape == (3, 5, 10)
    np.testing.assert_array_equal(source.data[:], MOVIE[:3, 1, :5])


def write_times(path: Path, times: dict[tuple[int, int], int]) -> Path:
    """Write planes that are all of one value, by time and channel."""
    with czi.create_czi(str(path)) as file:
        for (time, channel), value in times.items():
            pixels = np.full((8, 10, 1), value, np.uint8)
            file.write(pixels, plane={"T": time, "C": channel})
    return path


def values_of(source: Any) -> list[int]:
    return [int(source.data[frame].max()) for frame in range(len(source.data))]


def test_a_part_of_a_recording_that_was_saved_by_itself(tmp_path: Path) -> None:
    planes = {(time, 2): 10 + time for time in (5, 6, 7)}

    assert values_of(open_movie(write_times(tmp_path / "m.czi", planes))) == [
        15,
        16,
        17,
    ]


def test_recording_that_was_stopped(tmp_path: Path) -> None:
    planes = {(0, 0): 1, (0, 1): 2, (1, 0): 3, (1, 1): 4, (2, 0): 5}
    path = write_times(tmp_path / "m.czi", planes)

    with pytest.warns(
        IncompleteFileWarning, match="of T=3 the last was recorded in par"
    ):
        source = open_movie(path, channel=0)

    assert values_of(source) == [1, 3]


def test_a_channel_that_was_recorded_seldom(tmp_path: Path) -> None:
    planes = {(0, 0): 1, (0, 1): 2, (1, 0): 3, (2, 0): 5}
    path = write_times(tmp_path / "m.czi", planes)

    assert values_of(open_movie(path, channel=0)) == [1, 3, 5]
    seldom = open_movie(path, channel=1).data
    assert int(seldom[0].max()) == 2
    with pytest.raises(FormatError, match="has no pixels at T=1 C=1; use frames and"):
        seldom[1]


@pytest.mark.parametrize("options", ["zstd0:", "zstd1:"])
def test_what_is_compressed(tmp_path: Path, options: str) -> None:
    with czi.create_czi(str(tmp_path / "m.czi"), compression_options=options) as file:
        file.write(MOVIE[0, 0][..., None])

    np.testing.assert_array_equal(open_movie(tmp_path / "m.czi").data[...], MOVIE[0, 0])


def test_a_file_cut_off_anywhere(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "m.czi")
    content = path.read_bytes()
    for size in range(0, len(content), 211):
        path.write_bytes(content[:size])

        with pytest.raises(FormatError, match=r"cannot read .*m.czi, it is corrupt"):
            open_movie(path, channel=0).data[3]
