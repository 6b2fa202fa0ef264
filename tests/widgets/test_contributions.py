from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import zarr
from napari.layers import Labels, Layer

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import LabelSink, open_labels, read_provenance
from napari_sam_decoder.samples import SampleMovie
from napari_sam_decoder.widgets import contributions
from napari_sam_decoder.widgets.contributions import get_labels_reader, write_labels

PROVENANCE = {"software": "napari-sam-decoder", "prompts": [{"object_id": 3}]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "moving cells.zarr"
    with LabelSink(path, (3, 8, 9), "uint16") as sink:
        sink.write(1, np.full((8, 9), 3, np.uint16))
        sink.finish(PROVENANCE)
    return path


def read_layer(path):
    ((data, attributes, kind),) = get_labels_reader(str(path))(str(path))
    return data, attributes, kind


def test_labels_come_back_as_labels_that_can_be_painted_on(path):
    data, attributes, kind = read_layer(path)
    assert kind == "labels"
    assert isinstance(data, np.ndarray)
    assert data.flags.writeable
    assert data.dtype == np.uint16
    assert data[:, 0, 0].tolist() == [0, 3, 0]
    assert attributes["name"] == "moving cells"
    assert attributes["metadata"] == {"provenance": PROVENANCE}


def test_napari_shows_them_as_a_labels_layer(path):
    layer = Layer.create(*read_layer(path))
    assert type(layer).__name__ == "Labels"
    assert layer.scale.tolist() == [1, 1, 1]


def test_a_noted_scale_becomes_the_scale_of_the_layer(path):
    zarr.open(path).attrs["scale"] = [2, 0.5, 0.5]
    _, attributes, _ = read_layer(path)
    assert attributes["scale"] == [2, 0.5, 0.5]


def test_damaged_labels_say_so(path):
    (path / "c.1.0.0").write_bytes(b"no zstd")
    with pytest.raises(FormatError, match="moving cells"):
        read_layer(path)


@pytest.mark.parametrize(
    "node",
    [
        {"node_type": "array", "attributes": {"axes": "TYX"}},
        {"node_type": "array", "attributes": {"provenance": {}}},
        {"node_type": "array", "attributes": {"axes": "TYX", "provenance": "hearsay"}},
        {"node_type": "array", "attributes": {"axes": "XYT", "provenance": {}}},
        {"node_type": "array"},
        {"node_type": "group", "attributes": {"axes": "TYX", "provenance": {}}},
        {"attributes": {"axes": "TYX", "provenance": {}}},
        {"attributes": ["axes", "provenance"]},
        ["node_type"],
    ],
)
def test_a_zarr_folder_of_somebody_else_is_left_to_others(tmp_path, node):
    folder = tmp_path / "other.zarr"
    folder.mkdir()
    (folder / "zarr.json").write_text(json.dumps(node))
    assert get_labels_reader(str(folder)) is None


def test_what_is_no_zarr_folder_is_left_to_others(tmp_path, path):
    (tmp_path / "file.zarr").write_text("{}")
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_bytes(b"\xff{")
    renamed = path.rename(tmp_path / "labels.other")
    for other in ("file.zarr", "empty.zarr", "broken.zarr", "absent.zarr"):
        assert get_labels_reader(str(tmp_path / other)) is None
    assert get_labels_reader(str(renamed)) is None


def test_a_stack_of_paths_is_left_to_others(path):
    assert get_labels_reader([str(path)]) is None


def test_refusing_a_path_imports_neither_torch_nor_zarr(tmp_path):
    script = (
        "import sys\n"
        "from napari_sam_decoder.widgets.contributions import get_labels_reader\n"
        "assert get_labels_reader(sys.argv[1]) is None\n"
        "print(sorted({'torch', 'zarr', 'napari'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "movie.zarr")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.fixture
def loaded(monkeypatch):
    """Tiny movies instead of the real ones, which take seconds to generate."""

    def load(name):
        colours = (3,) if name == "pictures" else ()
        return SampleMovie(
            name=name,
            frames=np.zeros((2, 4, 5, *colours), np.uint8),
            truth=np.zeros((2, 4, 5), np.uint16),
            clicks=(),
            description=f"What {name} shows.",
            credit=f"Who made {name}.",
        )

    monkeypatch.setattr(contributions, "load_sample", load)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("make", "name", "is_rgb"),
    [
        (contributions.make_cells, "cells", False),
        (contributions.make_pictures, "pictures", True),
    ],
)
def test_a_sample_is_one_image_with_its_credit(make, name, is_rgb):
    ((data, attributes, kind),) = make()
    layer = Layer.create(data, attributes, kind)
    assert type(layer).__name__ == "Image"
    assert layer.name == name
    assert layer.rgb is is_rgb
    assert layer.ndim == 3
    assert layer.metadata["credit"] == f"Who made {name}."
    assert layer.metadata["description"] == f"What {name} shows."


def files_in(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def layer():
    """A volume with a large id, as a dock or a reader leaves it."""
    data = np.zeros((3, 8, 9), np.int64)
    data[1, 2:5] = 70000
    return Labels(
        data,
        scale=(2, 0.5, 0.25),
        translate=(1, 0, -3),
        axis_labels=("z", "y", "x"),
        metadata={"provenance": PROVENANCE, "more": object()},
    )


def test_a_layer_is_saved_as_segment_writes_labels(path, tmp_path):
    saved = tmp_path / "saved.zarr"
    data, attributes, _ = read_layer(path)
    layer = Labels(data.astype(int), metadata=attributes["metadata"])
    assert write_labels(str(saved), *layer.as_layer_data_tuple()[:2]) == [str(saved)]
    zarr.open(path).attrs.update(scale=[1.0] * 3, translate=[0.0] * 3)
    written, expected = files_in(saved), files_in(path)
    texts = [found.pop(type(path)("zarr.json")) for found in (written, expected)]
    assert json.loads(texts[0]) == json.loads(texts[1])
    assert written == expected
    np.testing.assert_array_equal(open_labels(saved)[:], data)


def test_a_layer_keeps_its_place_and_its_ids(layer, tmp_path):
    path = tmp_path / "saved.zarr"
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    again = Layer.create(*read_layer(path))
    assert again.data.dtype == np.uint32
    np.testing.assert_array_equal(again.data, layer.data)
    np.testing.assert_array_equal(again.scale, layer.scale)
    np.testing.assert_array_equal(again.translate, layer.translate)
    assert again.axis_labels == ("z", "y", "x")
    assert again.metadata == {"provenance": PROVENANCE}
    assert read_provenance(path) == PROVENANCE


def test_a_single_frame_becomes_a_movie_of_one(tmp_path):
    path = tmp_path / "frame.zarr"
    layer = Labels(np.ones((8, 9), np.uint8), scale=(0.5, 0.25))
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    data, attributes, _ = read_layer(path)
    assert (data.shape, data.dtype) == ((1, 8, 9), np.uint16)
    assert attributes["scale"] == [1, 0.5, 0.25]
    assert attributes["metadata"] == {"provenance": {}}


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("t", "z", "y", "x"), "TZYX"),
        (("z", "t", "y", "x"), "ZTYX"),
        (None, "TZYX"),
        (("t", "c", "z", "y", "x"), "TCZYX"),
    ],
)
def test_labels_of_more_axes_come_back(tmp_path, names, axes):
    path = tmp_path / "more.zarr"
    data = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 8, 9)[-len(axes) :])
    layer = Labels(data, axis_labels=names, scale=range(1, len(axes) + 1))
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    assert zarr.open(path).attrs["axes"] == axes
    found, attributes, _ = read_layer(path)
    np.testing.assert_array_equal(found, data)
    assert attributes["axis_labels"] == tuple(axes.lower())
    assert attributes["scale"] == list(range(1, len(axes) + 1))


def test_the_largest_level_is_saved(tmp_path):
    path = tmp_path / "levels.zarr"
    levels = [np.ones((2, 8, 8), np.uint8), np.ones((2, 4, 4), np.uint8)]
    layer = Labels(levels, multiscale=True)
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    assert read_layer(path)[0].shape == (2, 8, 8)


@pytest.mark.parametrize("name", ["notes.txt", "zarr.json"])
def test_the_folder_of_somebody_else_is_not_replaced(layer, tmp_path, name):
    folder = tmp_path / "other.zarr"
    folder.mkdir()
    (folder / name).write_text('{"node_type": "array", "attributes": {}}')
    before = files_in(folder)
    with pytest.raises(
        FormatError, match=r"other\.zarr exists and is not.*another name"
    ):
        write_labels(str(folder), *layer.as_layer_data_tuple()[:2])
    assert files_in(tmp_path) == {
        type(folder)("other.zarr") / name: before[type(folder)(name)]
    }


def test_labels_of_ours_are_replaced_as_a_whole(layer, path):
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    np.testing.assert_array_equal(read_layer(path)[0], layer.data)


class Unreadable:
    """Labels whose last frame cannot be read after it has been looked through."""

    shape, ndim, dtype = (3, 8, 9), 3, np.dtype(np.uint16)

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 3

    def __getitem__(self, frame):
        self.reads += 1
        if self.reads > 5:
            raise OSError("unplugged")
        return np.full((8, 9), 7, np.uint16)


def test_what_cannot_be_saved_leaves_the_file_as_it_was(path):
    before = files_in(path.parent)
    with pytest.raises(OSError, match="unplugged"):
        write_labels(str(path), Unreadable(), {})
    for data, message in {
        "axes": (np.zeros((2,) * 6, int), r"save up to 5 axes.*ends in \.tif"),
        "ids": (np.full((2, 8, 9), -1), "hold -1, which is not an object id"),
        "size": (np.full((2, 8, 9), 2**32), "choose a smaller"),
    }.values():
        with pytest.raises(LabelsError, match=message):
            write_labels(str(path), data, {})
    assert files_in(path.parent) == before
