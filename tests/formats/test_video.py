"""Videos: every frame by its number, in any order."""

from __future__ import annotations

import struct
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam_decoder.errors import (
    FormatError,
    IncompleteFileWarning,
    MissingExtraError,
)
from napari_sam_decoder.formats import open_movie
from napari_sam_decoder.formats.video import VideoFrames

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 20
STEP = 10
av = pytest.importorskip("av")


def write_video(path: Path, codec: str, gaps: bool = False) -> Path:
    """Write frames of grey value 10 times their number, a key frame in eight."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 8
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(FRAMES):
            grey = np.full((48, 64, 3), STEP * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.time_base = Fraction(1, 10)
            frame.pts = number + (3 * (number // 4) if gaps else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def number_of(frame: np.ndarray) -> int:
    return round(float(frame.mean()) / STEP)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("movie.mp4", "mpeg4"),
        ("movie.mp4", "libx264"),
        ("movie.m4v", "mpeg4"),
        ("movie.avi", "mjpeg"),
        ("movie.avi", "mpeg4"),
        ("movie.mov", "mpeg4"),
        ("movie.mkv", "libx264"),
        ("movie.webm", "libvpx-vp9"),
    ],
)
def test_frames_in_any_order(tmp_path: Path, name: str, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")
    source = open_movie(write_video(tmp_path / name, codec))
    order = [*range(FRAMES), 0, 19, 7, 8, 8, 9, 15, 3, 18]

    assert (source.axes, source.name) == ("TYXC", "movie")
    assert (source.data.shape, source.data.dtype) == ((FRAMES, 48, 64, 3), np.uint8)
    assert [number_of(source.data[frame]) for frame in order] == order


def test_frames_at_irregular_times(tmp_path: Path) -> None:
    data = open_movie(write_video(tmp_path / "m.mkv", "mpeg4", gaps=True)).data

    assert data.shape[0] == FRAMES
    assert [number_of(data[frame]) for frame in (12, 4, 5, 19)] == [12, 4, 5, 19]


def test_frames_in_order_need_no_seeking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = VideoFrames(write_video(tmp_path / "m.mp4", "mpeg4"))
    frames.read(0)

    def no_seeking(*args: object, **options: object) -> None:
        pytest.fail("looked for a frame that comes next anyway")

    class Container:
        seek = staticmethod(no_seeking)

    monkeypatch.setattr(frames, "_container", Container())

    assert [number_of(frames.read(frame)) for frame in range(1, 8)] == [*range(1, 8)]


def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "m.mp4", "mpeg4")
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(
        MissingExtraError, match=r'pip install "napari-sam-decoder\[video\]"'
    ):
        open_movie(path)


def test_broken_file(tmp_path: Path) -> None:
    (tmp_path / "m.mp4").write_bytes(b"no video")

    with pytest.raises(FormatError, match=r"cannot read .*m.mp4"):
        open_movie(tmp_path / "m.mp4")


def test_truncated_file_ends_early(tmp_path: Path) -> None:
    path = write_video(tmp_path / "m.avi", "mjpeg")
    frames = VideoFrames(path)
    frames._times.append(10**9)

    with pytest.raises(FormatError, match="ends before its frame 20; copy or export"):
        frames.read(FRAMES)

    assert number_of(frames.read(4)) == 4


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    with pytest.raises(FormatError, match=r"sound.mp4 holds no video, only sound"):
        open_movie(path)


def test_video_without_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "m.mp4", "mpeg4")
    monkeypatch.setattr(VideoFrames, "_list", lambda frames, packet: None)

    with pytest.raises(FormatError, match=r"no frames with time.*ffmpeg -i m.mp4"):
        open_movie(path)


def test_frames_without_times(tmp_path: Path) -> None:
    path = tmp_path / "raw.mp4"
    with av.open(str(path), "w", format="h264") as container:
        if "libx264" not in av.codecs_available:
            pytest.skip("this build of av has no libx264")
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            grey = np.zeros((48, 64, 3), np.uint8)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24"))
            )
        container.mux(stream.encode())

    with pytest.raises(FormatError, match=r"no frames with time stamps.*ffmpeg"):
        open_movie(path)


@pytest.fixture
def corner() -> np.ndarray:
    """A picture that is unlike itself whichever way it is turned."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:48] = 255, 120
    return picture


def write_pictures(path: Path, pictures: list[np.ndarray], **options: str) -> Path:
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("matrix", "held"),
    [
        ((1, 0, 0, 1), lambda upright: upright),
        ((0, 1, -1, 0), lambda upright: np.rot90(upright, 1)),
        ((-1, 0, 0, -1), lambda upright: np.rot90(upright, 2)),
        ((0, -1, 1, 0), lambda upright: np.rot90(upright, 3)),
        ((-1, 0, 0, 1), lambda upright: upright[:, ::-1]),
        ((1, 0, 0, -1), lambda upright: upright[::-1]),
        ((0, 1, 1, 0), lambda upright: upright.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda upright: upright.swapaxes(0, 1)[::-1, ::-1]),
    ],
)
def test_pictures_are_upright(
    tmp_path: Path, corner: np.ndarray, matrix: tuple[int, ...], held: Any
) -> None:
    path = write_pictures(tmp_path / "m.mp4", [held(corner)] * 3)
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 44
    a, b, c, d = (number << 16 for number in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)

    data = open_movie(path).data

    assert data.shape == (3, 48, 64, 3)
    for frame in (2, 0):
        np.testing.assert_allclose(data[frame].astype(int), corner, atol=60)
    assert abs(data[1].astype(int) - corner).mean() < 5


@pytest.mark.parametrize(
    ("name", "said"),
    [("m.mp4", "declares 20 frames but"), ("m.mkv", "declares 2.0 seconds but")],
)
def test_a_video_that_ends_early_says_so(tmp_path: Path, name: str, said: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    options = {"movflags": "faststart"} if name == "m.mp4" else {}
    path = write_pictures(tmp_path / name, list(noise), **options)
    whole = open_movie(path).data
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    with pytest.warns(IncompleteFileWarning, match=said):
        data = open_movie(path).data

    assert 5 < len(data) < 15
    for frame in (len(data) - 1, 0):
        np.testing.assert_array_equal(data[frame], whole[frame])


def test_a_video_without_a_whole_frame(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
    path = write_pictures(tmp_path / "m.mp4", list(noise), movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: content.find(b"mdat") + 100])

    with pytest.raises(FormatError, match="is truncated: it holds no complete frame"):
        open_movie(path)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4"])
def test_a_video_cut_off_within_its_header(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
    whole = write_pictures(tmp_path / f"whole{suffix}", list(noise)).read_bytes()
    for size in range(0, 700, 20):
        path = tmp_path / f"{size}{suffix}"
        path.write_bytes(whole[:size])

        with pytest.raises(FormatError, match=r"truncated|no frames with time stamps"):
            open_movie(path)


def test_one_colour_of_a_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "m.avi", "mjpeg")

    data = open_movie(path, channel=0).data

    assert data.shape == (FRAMES, 48, 64)
    assert abs(int(data[7].mean()) - 7 * STEP) < 5
