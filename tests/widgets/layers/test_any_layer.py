"""Arrays of any kind in napari's layers: the right frames and labels, or our own error.

``HYPOTHESIS_PROFILE=thorough`` tries 2,000 of each.
"""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st
from napari.layers import Image, Labels

from arrays_of_any_kind import LAYOUTS, held, values, whole_numbers
from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.project import GuardedLabels, History
from napari_sam_decoder.widgets.layers import MovieView, check_target

ORDERS = st.sampled_from(["<", ">"])
SIDES = st.sampled_from([1, 2, 3, 4, 5, 6])
SHAPES = st.lists(SIDES, min_size=2, max_size=5).map(tuple)
# napari shows no complex numbers, and counts on some arithmetic of them.
DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
# What napari reads by itself; tensors and lists it makes arrays of.
HOLDERS = st.sampled_from(["numpy", "dask", "zarr"])
LABELS_SHAPE = (3, 2, 5, 6)


@given(
    array=values(SHAPES, DTYPES),
    order=ORDERS,
    layout=st.sampled_from(LAYOUTS),
    holder=HOLDERS,
    axis=st.sampled_from([None, None, 0, 1, 2, 7]),
    cut=st.integers(0, 3),
    is_colour=st.booleans(),
)
def test_frames_of_a_layer(array, order, layout, holder, axis, cut, is_colour):
    is_colour = is_colour and array.ndim > 2 and array.shape[-1] in (3, 4)
    data = held(array, order, layout, holder)
    with warnings.catch_warnings():
        # Of limits that are no number; they are set, so that none are looked for.
        warnings.simplefilter("ignore")
        try:
            layer = Image(data, rgb=is_colour, contrast_limits=(0, 1))
        except Exception:  # noqa: BLE001 - what napari itself cannot show
            reject()
    spatial = array.shape[:-1] if is_colour else array.shape
    try:
        view = MovieView.of(layer, axis, (cut,) * len(spatial))
    except SamDecoderError:
        others = [side for place, side in enumerate(spatial) if place != axis]
        is_none = axis is not None and (axis >= len(spatial) or len(spatial) == 2)
        assert is_none or min(others[-2:]) < 2
        return
    movie = Movie(view.frames, axes=view.axes, contrast=(0, 100))
    expected = _plain_frames(array, view.axis, cut, len(spatial))
    assert len(movie) == len(expected)
    for frame, pixels in enumerate(expected):
        raw = movie.raw(frame)
        assert raw.dtype.isnative
        np.testing.assert_array_equal(raw, pixels)
        plain = Movie(pixels, axes=view.axes[-pixels.ndim :], contrast=(0, 100))
        np.testing.assert_array_equal(movie.rgb(frame), plain.rgb(0))


def _plain_frames(array, axis, cut, ndim):
    if axis is None:
        return array[np.newaxis]
    frames = np.moveaxis(array, axis, 0)
    for _ in range(ndim - 3):
        # The first of the other axes is cut, where the slider is or at its end.
        frames = frames.take(min(cut, frames.shape[1] - 1), 1)
    return frames


@given(
    labels=whole_numbers(LABELS_SHAPE),
    new=whole_numbers((5, 6)).map(lambda drawn: np.isin(drawn, drawn.flat[0]) * 5),
    order=ORDERS,
    layout=st.sampled_from(LAYOUTS),
    holder=HOLDERS,
    replace=st.booleans(),
    frame=st.integers(0, 2),
    cut=st.integers(0, 1),
)
def test_labels_of_a_layer(labels, new, order, layout, holder, replace, frame, cut):
    image = Image(np.zeros(LABELS_SHAPE, np.uint8), contrast_limits=(0, 1))
    view = MovieView.of(image, 0, (0, cut, 0, 0))
    layer = Labels(held(labels, order, layout, holder))
    expected = labels.astype(np.int64)
    plane = expected[frame, cut]
    plane[plane == 5] = 0
    wins = (new > 0) & (replace | (plane == 0))
    plane[wins] = 5
    try:
        check_target(view, layer, 5)
    except SamDecoderError:
        assert holder == "dask" or layout in ("read-only", "repeated", "mapped")
        return

    history = History()
    guarded = GuardedLabels(history.document, 1, layer)
    with history.step("Run", "run"):
        guarded.write(view, frame, new.astype(np.uint16), [5], replace=replace)

    np.testing.assert_array_equal(np.asarray(layer.data[...]), expected)
    assert np.dtype(layer.data.dtype).newbyteorder("=") == labels.dtype
    history.undo()
    np.testing.assert_array_equal(np.asarray(layer.data[...]), labels)
    history.redo()
    np.testing.assert_array_equal(np.asarray(layer.data[...]), expected)
