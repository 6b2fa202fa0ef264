"""Files of five axes: a movie at a position of the others, of which no more is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr

from made_lif import LeicaImage, write_lif
from made_nd2 import time_loop, write_nd2, z_loop
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIXELS = np.arange(3 * 4 * 2 * 6 * 7, dtype=np.uint16).reshape(3, 4, 2, 6, 7)
"""T, Z, C, Y, X, as ImageJ orders them."""


def ome_tiff(folder: Path) -> Path:
    path = folder / "m.ome.tif"
    sizes = {"PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5}
    metadata = {"axes": "TZCYX", "Channel": {"Name": ["DAPI", "GFP"]}, **sizes}
    tifffile.imwrite(path, PIXELS, photometric="minisblack", metadata=metadata)
    return path


def imagej_tiff(folder: Path) -> Path:
    path = folder / "m.tif"
    metadata = {"axes": "TZCYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(
        path, PIXELS, imagej=True, resolution=(2.0, 2.0), metadata=metadata
    )
    return path


def ome_zarr(folder: Path) -> Path:
    path = folder / "m.zarr"
    group = zarr.open_group(path, mode="w")
    pixels = PIXELS.transpose(0, 2, 1, 3, 4)
    group.create_array("0", data=pixels, chunks=(1, 1, 1, 6, 7))
    axes = [{"name": name} for name in "tczyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 2.0, 0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
    return path


def numpy_file(folder: Path) -> Path:
    np.save(folder / "m.npy", PIXELS)
    return folder / "m.npy"


def nd2(folder: Path) -> Path:
    pytest.importorskip("nd2")
    frames = PIXELS.transpose(0, 1, 3, 4, 2).reshape(12, 6, 7, 2)
    loops = [time_loop(3, 1.0), z_loop(4, 2.0)]
    return write_nd2(folder / "m.nd2", frames, loops, ("DAPI", "GFP"), 0.5)


def lif(folder: Path) -> Path:
    pytest.importorskip("liffile")
    steps = {"T": 1.0, "Z": 2e-6, "Y": 0.5e-6, "X": 0.5e-6}
    return write_lif(folder / "m.lif", [LeicaImage("a", PIXELS, "TZCYX", steps)])


def czi(folder: Path) -> Path:
    library = pytest.importorskip("pylibCZIrw.czi")
    path = folder / "m.czi"
    with library.create_czi(str(path)) as file:
        for time, depth, channel in np.ndindex(3, 4, 2):
            place = {"T": time, "Z": depth, "C": channel}
            file.write(PIXELS[time, depth, channel][..., None], plane=place)
        file.write_metadata(scale_x=0.5e-6, scale_y=0.5e-6, scale_z=2e-6)
    return path


WRITERS = [
    pytest.param(ome_tiff, {}, id="ome-tiff"),
    pytest.param(imagej_tiff, {}, id="imagej"),
    pytest.param(ome_zarr, {}, id="ome-zarr"),
    pytest.param(nd2, {}, id="nd2"),
    pytest.param(lif, {}, id="lif"),
    pytest.param(czi, {}, id="czi"),
    pytest.param(numpy_file, {"axes": "TZCYX"}, id="npy"),
]


@pytest.mark.parametrize(("write", "more"), WRITERS)
def test_a_movie_at_a_position(
    tmp_path: Path, write: Callable[[Path], Path], more: dict[str, Any]
) -> None:
    path = write(tmp_path)

    through_time = open_movie(path, channel=1, at={"z": 3}, **more)
    through_depth = open_movie(path, channel=0, at={"t": 2}, **more)

    assert (through_time.axes, through_depth.axes) == ("TYX", "ZYX")
    np.testing.assert_array_equal(through_time.data[:], PIXELS[:, 3, 1])
    np.testing.assert_array_equal(through_depth.data[1], PIXELS[2, 1, 0])
    assert through_time.position == {"Z": 3}
    assert (through_time.lengths["T"], through_time.lengths["Z"]) == (3, 4)
    if not more:
        assert through_depth.scale == pytest.approx((2.0, 0.5, 0.5))
        assert through_time.sizes["Z"] == pytest.approx(2.0)


@pytest.mark.parametrize(("write", "more"), WRITERS)
def test_what_a_file_has_not(
    tmp_path: Path, write: Callable[[Path], Path], more: dict[str, Any]
) -> None:
    path = write(tmp_path)

    with pytest.raises(FormatError, match=r"m\..*one of T, Z with --at .*such as z=0"):
        open_movie(path, channel=1, **more)
    with pytest.raises(FormatError, match="choose one from 0 to 3 with --at"):
        open_movie(path, channel=1, at={"z": 4}, **more)
    with pytest.raises(FormatError, match="no axis W"):
        open_movie(path, channel=1, at={"w": 0}, **more)
    with pytest.raises(FormatError, match="2 channels: choose one with --channel"):
        open_movie(path, at={"z": 0}, **more)


def test_axes_that_nobody_names(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="name them with --axes"):
        open_movie(numpy_file(tmp_path), at={"z": 1})


def test_only_chunks_of_the_position_are_read(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path)
    for chunk in (path / "0" / "c").glob("*/*/*/0/0"):
        _, channel, plane = chunk.relative_to(path / "0" / "c").parts[:3]
        if (channel, plane) != ("1", "2"):
            chunk.write_bytes(b"broken")

    source = open_movie(path, channel=1, at={"z": 2})

    np.testing.assert_array_equal(source.data[:], PIXELS[:, 2, 1])
    with pytest.raises(FormatError, match=r"m\.zarr"):
        open_movie(path, channel=1, at={"z": 1}).data[0]
