from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import zarr
from napari.layers import Layer

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import LabelSink
from napari_sam_decoder.samples import SampleMovie
from napari_sam_decoder.widgets import contributions
from napari_sam_decoder.widgets.contributions import get_labels_reader

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
        {"node_type": "array", "attributes": {"axes": "TCYX", "provenance": {}}},
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
