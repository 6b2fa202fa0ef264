"""Small ND2 files, written as NIS-Elements lays them out (version 3, uncompressed).

There is no free program that writes them. What is here follows what readers expect:
chunks with a name each, a map of them at the end, and notes as typed, named values.
"""

from __future__ import annotations

import struct
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["time_loop", "write_nd2", "xy_loop", "z_loop"]

MAGIC = 0x0ABECEDA
NAME_LENGTH = 4072
MAP_NAME = b"ND2 FILEMAP SIGNATURE NAME 0001!"
MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"


def time_loop(frames: int, seconds: float) -> dict[str, Any]:
    times = {"dStart": 0.0, "dPeriod": 1000 * seconds, "dDuration": 0.0}
    return {"eType": 1, "uLoopPars": {"uiCount": frames, **times}}


def z_loop(planes: int, step: float) -> dict[str, Any]:
    return {"eType": 4, "uLoopPars": {"uiCount": planes, "dZStep": step}}


def xy_loop(names: Sequence[str]) -> dict[str, Any]:
    points = [{"dPosX": 0.0, "dPosY": 0.0, "dPosName": name} for name in names]
    return {"eType": 2, "uLoopPars": {"Points": points}}


def write_nd2(
    path: Path,
    frames: np.ndarray,
    loops: Sequence[dict[str, Any]],
    channels: Sequence[str] = ("",),
    calibration: float = 0.0,
) -> Path:
    """Write frames.

    Parameters
    ----------
    path : Path
    frames : (frames, Y, X, components) array
        In the order of the loops; fewer than these plan, if recording was ended.
    loops : sequence of dict
        From the outermost to the innermost.
    channels : sequence of str
        Their names; a single one of three components is in colour.
    calibration : float
        Side of a pixel in micrometres; 0 if it is not known.
    """
    with path.open("wb") as file:
        file.write(_header(b"ND2 FILE SIGNATURE CHUNK NAME01!", 64))
        file.write(b"Ver3.0".ljust(64, b"\0"))
        places = {}
        for name, content in _chunks(frames, loops, channels, calibration):
            places[name] = (file.tell(), len(content))
            file.write(_header(name.ljust(NAME_LENGTH, b"\0"), len(content)) + content)
        start = file.tell()
        entries = (name + struct.pack("QQ", *place) for name, place in places.items())
        listed = b"".join(entries) + MAP_END + struct.pack("Q", start)
        file.write(_header(MAP_NAME, len(listed)) + listed)
    return path


def _header(name: bytes, size: int) -> bytes:
    return struct.pack("IIQ", MAGIC, len(name), size) + name


def _chunks(
    frames: np.ndarray,
    loops: Sequence[dict[str, Any]],
    channels: Sequence[str],
    calibration: float,
) -> Iterator[tuple[bytes, bytes]]:
    length, rows, columns, components = frames.shape
    bits = 8 * frames.itemsize
    attributes = {
        "uiWidth": columns,
        "uiWidthBytes": columns * components * frames.itemsize,
        "uiHeight": rows,
        "uiComp": components,
        "uiBpcInMemory": bits,
        "uiBpcSignificant": bits,
        "uiSequenceCount": length,
        "eCompression": 2,
    }
    each = components // len(channels)
    probe = {"m_sName": "none"}
    planes = {
        f"a{number}": {
            "sDescription": name,
            "uiCompCount": each,
            "pFluorescentProbe": probe,
        }
        for number, name in enumerate(channels)
    }
    picture = {
        "bCalibrated": calibration > 0,
        "dCalibration": calibration,
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }
    experiment: dict[str, Any] = {}
    for loop in reversed(loops):
        inner = {"ppNextLevelEx": [experiment]} if experiment else {}
        experiment = {**loop, **inner}
    yield b"ImageAttributesLV!", _noted("SLxImageAttributes", attributes)
    yield b"ImageMetadataSeqLV|0!", _noted("SLxPictureMetadata", picture)
    if experiment:
        yield b"ImageMetadataLV!", _noted("SLxExperiment", experiment)
    for number, frame in zip(count(), frames, strict=False):
        pixels = np.ascontiguousarray(frame).tobytes()
        yield f"ImageDataSeq|{number}!".encode(), struct.pack("d", number) + pixels


def _noted(name: str, value: Any) -> bytes:
    """Encode a value with its type and name."""
    if isinstance(value, dict | list):
        named = value.items() if isinstance(value, dict) else [("", v) for v in value]
        content = b"".join(_noted(key, inner) for key, inner in named)
        head = _named(11, name)
        size = len(head) + 12 + len(content)
        return (
            head
            + struct.pack("<IQ", len(value), size)
            + content
            + bytes(8 * len(value))
        )
    if isinstance(value, bool):
        return _named(1, name) + struct.pack("B", value)
    if isinstance(value, int):
        return _named(3, name) + struct.pack("I", value)
    if isinstance(value, float):
        return _named(6, name) + struct.pack("d", value)
    return _named(8, name) + f"{value}\0".encode("utf-16-le")


def _named(kind: int, name: str) -> bytes:
    return struct.pack("BB", kind, len(name) + 1) + f"{name}\0".encode("utf-16-le")
