"""Videos: every frame by its number, in any order."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.errors import FormatError, MissingExtraError
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

    with pytest.raises(FormatError, match=r"sound.mp4 holds no pictures, only sound"):
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
