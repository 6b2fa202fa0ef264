"""zarr arrays and OME-Zarr pictures."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_labels, open_movie

if TYPE_CHECKING:
    from pathlib import Path

MOVIE = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)


def save_array(path: Path, data: np.ndarray = MOVIE, **options: Any) -> None:
    array = zarr.create_array(path, data=data, chunks=(1, *data.shape[1:]), **options)
    assert array.shape == data.shape


def save_ome(path: Path, data: np.ndarray, description: dict[str, Any]) -> None:
    group = zarr.open_group(path, mode="w")
    group.create_array("full", data=data)
    group.create_array("half", data=data[..., ::2, ::2])
    group.attrs.update(description)


def multiscales(axes: str, scale: list[float]) -> dict[str, Any]:
    steps = [{"type": "scale", "scale": scale}]
    return {
        "axes": [{"name": letter.lower(), "type": "space"} for letter in axes],
        "datasets": [
            {"path": "full", "coordinateTransformations": steps},
            {"path": "half", "coordinateTransformations": steps},
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [2.0] * len(axes)}],
    }


class RunsCode:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return type(self.marker).mkdir, (self.marker,)


def save_pickled(path: Path, marker: Path, **metadata: Any) -> None:
    path.mkdir()
    node = {
        "zarr_format": 2,
        "shape": [1, 4, 4],
        "chunks": [1, 4, 4],
        "dtype": "|O",
        "fill_value": "",
        "order": "C",
        "filters": [{"id": "vlen-utf8"}],
        "compressor": None,
        **metadata,
    }
    (path / ".zarray").write_text(json.dumps(node))
    (path / "0.0.0").write_bytes(pickle.dumps(RunsCode(marker)))


@pytest.mark.parametrize(
    "metadata",
    [
        {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
    ],
    ids=["filter", "compressor"],
)
def test_pickled_chunks_are_refused_and_do_not_run(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    marker = tmp_path / "has run"
    save_pickled(tmp_path / "movie.zarr", marker, **metadata)

    with pytest.raises(FormatError, match="refused: its chunks are pickled"):
        open_movie(tmp_path / "movie.zarr")

    assert not marker.exists()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_array(tmp_path: Path, zarr_format: int) -> None:
    save_array(tmp_path / "movie.zarr", zarr_format=zarr_format)

    source = open_movie(tmp_path / "movie.zarr")

    assert (source.axes, source.scale, source.name) == (None, None, "movie")
    assert (source.data.shape, source.data.dtype) == (MOVIE.shape, MOVIE.dtype)
    assert (len(source.data), source.data.ndim) == (3, 3)
    assert repr(source.data) == "ZarrFrames((3, 4, 5), uint16)"
    assert isinstance(source.data[1], np.ndarray)
    np.testing.assert_array_equal(source.data[1], MOVIE[1])


@pytest.mark.parametrize("key", [0, -1, slice(1, 3), (..., 1), (1, slice(2)), ...])
def test_indexing_is_that_of_numpy(tmp_path: Path, key: Any) -> None:
    save_array(tmp_path / "movie.zarr", MOVIE[:, None], attributes={"axes": "TCYX"})

    data = open_movie(tmp_path / "movie.zarr").data

    assert data.shape == MOVIE.shape
    np.testing.assert_array_equal(data[key], MOVIE[key])


@pytest.mark.parametrize("axes", ["ZYX", "zyx", ["z", "y", "x"]])
def test_attribute_axes(tmp_path: Path, axes: Any) -> None:
    save_array(tmp_path / "movie.zarr", attributes={"axes": axes})

    assert open_movie(tmp_path / "movie.zarr").axes == "ZYX"


def test_attribute_axes_of_another_length(tmp_path: Path) -> None:
    save_array(tmp_path / "movie.zarr", attributes={"axes": "YX"})

    with pytest.raises(FormatError, match=r"axes YX of an array of shape \(3, 4, 5\)"):
        open_movie(tmp_path / "movie.zarr")


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("time", "y", "x"), "TYX"),
        (("frame", "row", "col"), "TYX"),
        (("a", "y", "x"), None),
    ],
)
def test_dimension_names(
    tmp_path: Path, names: tuple[str, ...], axes: str | None
) -> None:
    save_array(tmp_path / "movie.zarr", dimension_names=names)

    assert open_movie(tmp_path / "movie.zarr").axes == axes


def test_folder_of_any_name(tmp_path: Path) -> None:
    save_array(tmp_path / "plain")

    assert open_movie(tmp_path / "plain").data.shape == MOVIE.shape


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome(tmp_path: Path, version: str) -> None:
    listed = {"multiscales": [multiscales("TCYX", [1.0, 1.0, 0.5, 0.25])]}
    description = listed if version == "0.4" else {"ome": listed}
    save_ome(tmp_path / "movie.ome.zarr", MOVIE[:, None], description)

    source = open_movie(tmp_path / "movie.ome.zarr")

    assert (source.axes, source.name) == ("TYX", "movie")
    assert source.scale == (2.0, 1.0, 0.5)
    np.testing.assert_array_equal(source.data[2], MOVIE[2])
    (half,) = source.coarser
    np.testing.assert_array_equal(half[2], MOVIE[2, ::2, ::2])


def test_a_level_that_is_missing_is_left_out(tmp_path: Path) -> None:
    listed = multiscales("TYX", [1.0, 1.0, 1.0])
    listed["datasets"].append({"path": "quarter"})
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [listed]})
    assert len(open_movie(tmp_path / "v.zarr").coarser) == 1


def test_ome_axes_as_plain_names(tmp_path: Path) -> None:
    listed = {**multiscales("ZYX", [3.0, 1.0, 1.0]), "axes": ["z", "y", "x"]}
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [listed]})

    assert open_movie(tmp_path / "v.zarr").axes == "ZYX"


def test_ome_channels_are_refused(tmp_path: Path) -> None:
    listed = multiscales("CYX", [1.0, 1.0, 1.0])
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [listed]})

    with pytest.raises(
        FormatError, match=r"v.zarr: the axes CYX \(C=3.*choose one with --channel"
    ):
        open_movie(tmp_path / "v.zarr")


@pytest.mark.parametrize("version", [None, "0.1", "0.2"])
def test_ome_before_axes_had_names(tmp_path: Path, version: str | None) -> None:
    listed: dict[str, Any] = {"datasets": [{"path": "full"}]}
    if version is not None:
        listed["version"] = version
    save_ome(tmp_path / "v.zarr", MOVIE[:, None, None], {"multiscales": [listed]})

    source = open_movie(tmp_path / "v.zarr")

    assert (source.axes, source.scale) == ("TYX", None)
    np.testing.assert_array_equal(source.data[1], MOVIE[1])


def test_ome_that_should_name_its_axes(tmp_path: Path) -> None:
    listed = {"version": "0.4", "datasets": [{"path": "full"}]}
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [listed]})

    with pytest.raises(FormatError, match="does not name its axes; name them with"):
        open_movie(tmp_path / "v.zarr")
    assert open_movie(tmp_path / "v.zarr", axes="ZYX").axes == "ZYX"


def test_ome_axes_by_their_types(tmp_path: Path) -> None:
    kinds = (("lambda", "channel"), ("exposure", "time"), ("y", "space"), ("x", None))
    axes = [{"name": name, "type": kind} for name, kind in kinds]
    listed = {"axes": axes, "datasets": [{"path": "full"}]}
    pixels = np.stack([MOVIE, MOVIE + 1])
    save_ome(tmp_path / "v.zarr", pixels, {"multiscales": [listed]})

    source = open_movie(tmp_path / "v.zarr", channel=1)

    assert source.axes == "TYX"
    np.testing.assert_array_equal(source.data[2], MOVIE[2] + 1)


def test_ome_channel_by_name(tmp_path: Path) -> None:
    listed = multiscales("TCYX", [1.0, 1.0, 0.5, 0.5])
    labels = [{"label": "DAPI"}, {"label": "GFP"}]
    description = {"multiscales": [listed], "omero": {"channels": labels}}
    save_ome(tmp_path / "v.zarr", np.stack([MOVIE, MOVIE + 1], 1), description)

    data = open_movie(tmp_path / "v.zarr", channel="GFP").data

    np.testing.assert_array_equal(data[:], MOVIE + 1)
    np.testing.assert_array_equal(data[1, 2], MOVIE[1, 2] + 1)
    with pytest.raises(FormatError, match=r"0 \(DAPI\), 1 \(GFP\)"):
        open_movie(tmp_path / "v.zarr")


def test_several_pictures_in_a_group(tmp_path: Path) -> None:
    first = {**multiscales("TYX", [1.0] * 3), "name": "whole"}
    second = {**first, "name": "part", "datasets": [{"path": "half"}]}
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [first, second]})

    with pytest.raises(FormatError, match=r"2 images; .*0 \(whole\), 1 \(part\)"):
        open_movie(tmp_path / "v.zarr")
    assert open_movie(tmp_path / "v.zarr", series="part").data.shape == (3, 2, 3)


def test_pictures_that_bio_formats_has_put_into_groups(tmp_path: Path) -> None:
    zarr.open_group(
        tmp_path / "v.zarr", mode="w", attributes={"bioformats2raw.layout": 3}
    )
    for number in range(11):
        listed = {"multiscales": [multiscales("TYX", [1.0] * 3)]}
        save_ome(tmp_path / "v.zarr" / str(number), MOVIE + number, listed)

    with pytest.raises(FormatError, match="11 images; choose one with --series"):
        open_movie(tmp_path / "v.zarr")
    np.testing.assert_array_equal(
        open_movie(tmp_path / "v.zarr", series=10).data[0], MOVIE[0] + 10
    )


@pytest.mark.parametrize(
    "listed",
    [
        {"axes": ["y", "x"]},
        {"axes": ["z", "y", "x"], "datasets": []},
        {"axes": ["z", "y", "x"], "datasets": [{"path": "gone"}]},
        {"axes": [{"type": "space"}] * 3, "datasets": [{"path": "full"}]},
        "text",
    ],
)
def test_ome_of_other_metadata(tmp_path: Path, listed: Any) -> None:
    save_ome(tmp_path / "v.zarr", MOVIE, {"multiscales": [listed]})

    with pytest.raises(FormatError, match=r"metadata of .* are not those of an OME"):
        open_movie(tmp_path / "v.zarr")


@pytest.mark.parametrize("asked", ["TYX", "TZYX"])
def test_axes_that_are_asked_for_win(tmp_path: Path, asked: str) -> None:
    save_array(tmp_path / "m.zarr", MOVIE[:, None], attributes={"axes": "ZCY"})

    source = open_movie(tmp_path / "m.zarr", axes=asked)

    assert (source.axes, source.data.shape) == ("TYX", MOVIE.shape)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_big_endian(tmp_path: Path, zarr_format: int) -> None:
    options: dict[str, Any] = {}
    if zarr_format == 3:
        options["serializer"] = zarr.codecs.BytesCodec(endian="big")
    dtype = MOVIE.dtype if zarr_format == 3 else MOVIE.dtype.newbyteorder(">")
    array = zarr.create_array(
        tmp_path / "m.zarr",
        shape=MOVIE.shape,
        dtype=dtype,
        chunks=(1, 4, 5),
        zarr_format=zarr_format,
        **options,
    )
    array[:] = MOVIE

    np.testing.assert_array_equal(open_movie(tmp_path / "m.zarr").data[1], MOVIE[1])
    labels = open_labels(tmp_path / "m.zarr")
    assert labels.dtype.isnative
    np.testing.assert_array_equal(labels[2], MOVIE[2])


@pytest.mark.parametrize(
    "attributes", [{"multiscales": "none"}, {"ome": "x"}, {"multiscales": []}]
)
def test_other_attributes_are_no_ome(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", attributes=attributes)
    group.create_array("only", data=MOVIE)

    assert open_movie(tmp_path / "g.zarr").axes is None


def test_group_around_one_array(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("only", data=MOVIE, attributes={"axes": "ZYX"})

    source = open_movie(tmp_path / "g.zarr")

    assert source.axes == "ZYX"
    np.testing.assert_array_equal(source.data[0], MOVIE[0])


def test_group_of_several_arrays(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    for number in range(9):
        group.create_array(f"a{number}", data=MOVIE)

    with pytest.raises(
        FormatError, match=r"group of a0, .*a7, \.\.\.; open .*g.zarr/a0"
    ):
        open_movie(tmp_path / "g.zarr")


def test_group_of_groups(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "g.zarr", mode="w").create_group("inner")

    with pytest.raises(FormatError, match=r"group of inner/; open one of these"):
        open_movie(tmp_path / "g.zarr")


def test_empty_group(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "g.zarr", mode="w")

    with pytest.raises(FormatError, match=r"g.zarr holds no arrays; check"):
        open_movie(tmp_path / "g.zarr")


def test_empty_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "g.zarr").mkdir()

    with pytest.raises(FormatError, match=r"cannot read .*g.zarr"):
        open_movie(tmp_path / "g.zarr")


def test_damaged_chunk(tmp_path: Path) -> None:
    save_array(tmp_path / "movie.zarr")
    (tmp_path / "movie.zarr" / "c" / "1" / "0" / "0").write_bytes(b"broken")

    data = open_movie(tmp_path / "movie.zarr").data

    np.testing.assert_array_equal(data[0], MOVIE[0])
    with pytest.raises(FormatError, match=r"cannot read .*movie.zarr"):
        data[1]


def test_a_mistake_of_the_program_is_not_blamed_on_the_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("no key of the file")

    save_array(tmp_path / "movie.zarr")
    monkeypatch.setattr(
        "napari_sam_decoder.formats.movie_source.StoredArray.as_movie", fail
    )

    with pytest.raises(KeyError, match="no key of the file"):
        open_movie(tmp_path / "movie.zarr")
