import json

import numpy as np
import pytest
import yaozarrs
import zarr
from label_movies import LABELS, PROVENANCE, label_movie, written
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

from napari_sam_decoder import FormatError, LabelsError
from napari_sam_decoder.formats import read_label_movie
from napari_sam_decoder.formats.exchange.ome_zarr import (
    is_ome_zarr_labels,
    write_ome_zarr,
)

AXES = {
    "t": v05.TimeAxis(name="t", unit="second"),
    "c": v05.ChannelAxis(name="c"),
    **{name: v05.SpaceAxis(name=name, unit="micrometer") for name in ("z", "y", "x")},
}


def make_image(path, letters, shape, levels=2):
    """Write an image whose levels halve rows and columns."""
    datasets = [
        v05.Dataset(
            path=str(level),
            coordinateTransformations=[
                v05.ScaleTransformation(
                    scale=[0.5 * 2**level if one in "yx" else 1.0 for one in letters]
                ),
                v05.TranslationTransformation(
                    translation=[7.0 if one == "y" else 0.0 for one in letters]
                ),
            ],
        )
        for level in range(levels)
    ]
    multiscale = v05.Multiscale(
        name="cells", axes=[AXES[one] for one in letters], datasets=datasets
    )
    pixels = np.zeros(shape, np.uint8)
    parts = [pixels[..., :: 2**level, :: 2**level] for level in range(levels)]
    write_image(path, v05.Image(multiscales=[multiscale]), parts, writer="zarr")
    return path


@pytest.fixture
def image(tmp_path):
    return make_image(tmp_path / "cells.zarr", "tczyx", (6, 2, 1, 40, 60))


def test_labels_have_the_axes_levels_and_transforms_of_the_image(image):
    path = image / "labels" / "cells"
    assert written(write_ome_zarr, label_movie(), path) == list(range(6))
    yaozarrs.validate_zarr_store(image)
    group = zarr.open_group(path, mode="r")
    multiscale = group.attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["t", "z", "y", "x"]
    assert multiscale["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0, 1.0, 1.0]},
        {"type": "translation", "translation": [0.0, 0.0, 7.0, 0.0]},
    ]
    assert np.array_equal(group["0"][:, 0], LABELS)
    assert np.array_equal(group["1"][:, 0], LABELS[:, 1::2, 1::2])


def test_names_parents_and_provenance_are_kept(image):
    path = image / "labels" / "cells"
    written(write_ome_zarr, label_movie(), path)
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    described = attributes["ome"]["image-label"]
    assert described["source"] == {"image": "../../"}
    assert described["properties"] == [
        {"label-value": 1, "name": "the first"},
        {"label-value": 3, "parent": 2},
        {"label-value": 4, "parent": 2},
    ]
    movie = read_label_movie(path)
    assert np.array_equal(movie.frames[:], LABELS)
    assert movie.provenance == PROVENANCE


def test_several_labels_are_listed_once_each(image):
    for name in ("cells", "nuclei", "cells"):
        written(write_ome_zarr, label_movie(), image / "labels" / name)
    listed = zarr.open_group(image / "labels", mode="r").attrs["ome"]["labels"]
    assert listed == ["cells", "nuclei"]
    assert sorted(one.name for one in (image / "labels").iterdir() if one.is_dir()) == [
        "cells",
        "nuclei",
    ]


def test_an_image_with_consolidated_metadata_shows_them(image):
    zarr.consolidate_metadata(image)
    written(write_ome_zarr, label_movie(), image / "labels" / "cells")
    assert "consolidated_metadata" in json.loads((image / "zarr.json").read_text())
    assert "labels/cells/0" in dict(zarr.open_group(image, mode="r").members(None))


@pytest.mark.parametrize(
    ("letters", "axes", "shape"),
    [
        ("tyx", "TYX", (6, 40, 60)),
        ("czyx", "ZYX", (2, 6, 40, 60)),
        ("tzyx", "ZYX", (1, 6, 40, 60)),
    ],
)
def test_images_of_other_axes_fit(letters, axes, shape, tmp_path):
    image = make_image(tmp_path / "image.zarr", letters, shape, levels=1)
    written(write_ome_zarr, label_movie(axes=axes), image / "labels" / "cells")
    assert np.array_equal(np.squeeze(zarr.open(image / "labels/cells/0")[:]), LABELS)


def test_a_picture_has_labels_of_one_frame(tmp_path):
    image = make_image(tmp_path / "image.zarr", "yx", (40, 60), levels=1)
    written(write_ome_zarr, label_movie(LABELS[:1]), image / "labels" / "cells")
    assert np.array_equal(zarr.open(image / "labels/cells/0")[:], LABELS[0])


def test_labels_of_another_shape_are_refused(image):
    with pytest.raises(LabelsError, match="do not fit"):
        written(write_ome_zarr, label_movie(LABELS[:4]), image / "labels" / "cells")
    assert not (image / "labels").exists()


def test_older_images_are_refused(tmp_path):
    zarr.create_group(tmp_path / "image.zarr", attributes={"multiscales": []})
    path = tmp_path / "image.zarr" / "labels" / "cells"
    with pytest.raises(FormatError, match=r"0\.5.*labels\.zarr"):
        written(write_ome_zarr, label_movie(), path)


def test_stopping_in_between_leaves_the_image_as_it_was(image):
    frames = write_ome_zarr(label_movie(), image / "labels" / "cells")
    next(frames)
    frames.close()
    assert list((image / "labels").iterdir()) == []


def test_the_path_says_that_labels_go_into_an_image(image):
    assert is_ome_zarr_labels(image / "labels" / "cells")
    assert not is_ome_zarr_labels(image / "cells")
    assert not is_ome_zarr_labels(image.parent / "labels" / "cells")
