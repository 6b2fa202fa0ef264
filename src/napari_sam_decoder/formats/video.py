"""Videos, whose frames are found by their time stamps."""

from __future__ import annotations

import errno
import warnings
from bisect import bisect_right
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_sam_decoder.errors import (
    FormatError,
    IncompleteFileWarning,
    wrap_read_errors,
)
from napari_sam_decoder.formats.extras import import_reader
from napari_sam_decoder.formats.movie_source import (
    FrameArray,
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av import Packet, VideoFrame
    from av.container import InputContainer

__all__ = ["VIDEO_SUFFIXES", "open_video"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm")


_SLACK = 0.5
"""Seconds by which a file may be shorter than declared without a warning."""


class _Key(NamedTuple):
    """Times at which a key frame is shown and decoded; seeking needs the latter."""

    shown: int
    decoded: int


class _Orientation(NamedTuple):
    """How to turn stored pixels upright: swap the axes, then flip them."""

    is_swapped: bool = False
    rows_back: bool = False
    columns_back: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> _Orientation:
        """Read the rotation matrix that phones store.

        It maps a stored pixel (x, y) to (a x + c y, b x + d y) on the screen. Only the
        signs matter here.
        """
        side_data: Any = frame.side_data
        noted = [
            np.frombuffer(bytes(data), "=i4")
            for data in side_data
            if data.type.name == "DISPLAYMATRIX"
        ]
        if not noted:
            return cls()
        a, b, _, c, d = noted[0][:5].tolist()
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, b < 0, c < 0)
        return cls(False, d < 0, a < 0)

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """Turn a (Y, X, 3) image upright."""
        turned = pixels.swapaxes(0, 1) if self.is_swapped else pixels
        turned = turned[::-1] if self.rows_back else turned
        return turned[:, ::-1] if self.columns_back else turned


class VideoFrames:
    """The frames of a video, upright, in the order in which they are shown.

    Finding frames by time and rate fails where the rate varies. The time stamps of all
    packets are therefore listed first, which needs no decoding. A frame is then decoded
    from the key frame before it, or directly if it is the next one.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FormatError
        If there is no video stream, no complete frame or no time stamps.

    Attributes
    ----------
    notice : str
        How the file differs from what it declares; empty if it does not.
    shape : tuple of int
        (T, Y, X, 3).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._container = _open_container(path)
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._times: list[int] = []
        self._keys: list[_Key] = []
        self.notice = self._list_all()
        self._times.sort()
        self._keys.sort(key=_shown)
        if not self._keys:
            raise _truncated_error(path) if self.notice else _no_times_error(path)
        self._next = -1
        self._frames: Iterator[VideoFrame] = iter(())
        first = self._decode_from(self._keys[0], self._times[0])
        if first is None:
            raise _truncated_error(path)
        self._orientation = _Orientation.of(first)
        sides = (first.height, first.width)
        rows, columns = sides[::-1] if self._orientation.is_swapped else sides
        self.shape = (len(self._times), rows, columns, 3)

    def _list_all(self) -> str:
        """List the video packets; return a notice if the file ends early."""
        found, end, last = 0, 0.0, None
        for packet in self._container.demux():
            if not packet.size:
                continue
            end = max(end, _end_of(packet))
            if packet.stream is not self._stream:
                continue
            found += 1
            if last is not None:
                self._list(last)
            last = packet
        # A truncated file ends within a packet.
        is_whole = last is not None and not last.is_corrupt
        if last is not None and is_whole:
            self._list(last)
        held = found if is_whole else max(found - 1, 0)
        if held < self._stream.frames:
            return f"it declares {self._stream.frames} frames but holds {held}"
        declared = _seconds(self._container)
        if found and end + _SLACK < declared:
            return f"it declares {declared:.1f} seconds but ends after {end:.1f}"
        return ""

    def _list(self, packet: Packet) -> None:
        if packet.is_discard:
            return
        if packet.pts is None:
            raise _no_times_error(self._path)
        self._times.append(packet.pts)
        if packet.is_keyframe:
            decoded = packet.pts if packet.dts is None else packet.dts
            self._keys.append(_Key(packet.pts, decoded))

    def read(self, frame: int) -> np.ndarray:
        """Return a frame as (Y, X, 3) uint8; may be called from any thread.

        Raises
        ------
        FormatError
            If it cannot be decoded.
        """
        with self._lock, wrap_read_errors(self._path):
            found = self._find(frame)
            if found is not None:
                return self._orientation.upright(found.to_ndarray(format="rgb24"))
        raise FormatError(
            f"{self._path} ends before its frame {frame}; copy or export it again"
        )

    def _find(self, frame: int) -> VideoFrame | None:
        """Decode up to a frame: from the current position, its key frame or the start.

        Some files seek past the key frame, and some have packets without an image; then
        the next frame is used instead.
        """
        key = self._key_before(frame)
        starts: list[_Key | None] = [key, self._keys[0]]
        if self._is_near(frame, key):
            starts.insert(0, None)
        found = None
        for start in starts:
            found = self._decode_from(start, self._times[frame])
            if found is not None and found.pts == self._times[frame]:
                self._next = frame + 1
                break
        return found

    def _is_near(self, frame: int, key: _Key) -> bool:
        """Whether decoding on is possible and no slower than seeking."""
        is_ahead = 0 <= self._next <= frame
        return is_ahead and key.shown <= self._times[self._next]

    def _key_before(self, frame: int) -> _Key:
        place = bisect_right(self._keys, self._times[frame], key=_shown) - 1
        return self._keys[max(place, 0)]

    def _decode_from(self, start: _Key | None, time: int) -> VideoFrame | None:
        # If decoding fails, the position of the decoder is unknown.
        self._next = -1
        if start is not None:
            self._container.seek(start.decoded, stream=self._stream)
            self._frames = self._container.decode(self._stream)
        for frame in self._frames:
            if frame.pts is not None and frame.pts >= time:
                return frame
        return None


def open_video(path: Path, options: OpenOptions) -> MovieSource:
    """Open a video; its frames are read in colour, one at a time.

    Raises
    ------
    MissingExtraError
        If the library for reading videos is not installed.
    FormatError
        If the file is corrupt or not a video.
    """
    options.series_index([path.stem], path)
    with wrap_read_errors(path):
        frames = VideoFrames(path)
    if frames.notice:
        warnings.warn(
            f"{path}: {frames.notice}; if that is too few, copy or export it again",
            IncompleteFileWarning,
            stacklevel=2,
        )
    stored = StoredArray(FrameArray(frames.shape, np.uint8, frames.read), "TYXS")
    return stored.as_movie(options, path, path.stem)


def _open_container(path: Path) -> InputContainer:
    av = import_reader("av", "video", path)
    try:
        container: InputContainer = av.open(str(path))
    except av.error.OSError as error:
        # Some formats report a truncated header like a failing disk.
        if error.errno != errno.EIO or not path.is_file():
            raise
        raise _truncated_error(path) from error
    if not container.streams:
        raise _truncated_error(path)
    if not container.streams.video:
        raise FormatError(f"{path} holds no video, only sound; check the path")
    return container


def _seconds(container: InputContainer) -> float:
    """Declared duration up to the last time stamp, in seconds; 0 if unknown."""
    if container.duration is None:
        return 0.0
    return float((container.duration + (container.start_time or 0)) / 1e6)


def _end_of(packet: Packet) -> float:
    if packet.pts is None or packet.time_base is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _truncated_error(path: Path) -> FormatError:
    return FormatError(
        f"{path} is truncated: it holds no complete frame; copy or export it again"
    )


def _shown(key: _Key) -> int:
    return key.shown


def _no_times_error(path: Path) -> FormatError:
    return FormatError(
        f"{path} holds no frames with time stamps; convert it with "
        f"`ffmpeg -i {path.name} -c:v libx264 -crf 10 converted.mp4`"
    )
