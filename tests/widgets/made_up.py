"""Movies, results and previews made up for the tests of this folder."""

from __future__ import annotations

import numpy as np

from napari_sam_decoder.frames import PlacedMask
from napari_sam_decoder.propagation import (
    FrameResult,
    Hypothesis,
    ObjectResult,
    Preview,
    Verdict,
)

SHAPE = (4, 12, 14)


def view_of(shape=SHAPE, axis=None, world_point=()):
    """See a black image as a movie."""
    from napari.layers import Image

    from napari_sam_decoder.widgets.layers import MovieView

    return MovieView.of(Image(np.zeros(shape, np.uint8)), axis, world_point)


def target_of(layer, view, **options):
    """Let results go to a layer, with a history of its own that its keys undo."""
    from napari_sam_decoder.project import History
    from napari_sam_decoder.widgets.target_layer import TargetLayer, UndoKeys

    history = History()
    keys = UndoKeys(history.undo, history.redo)
    target = TargetLayer(layer, view, history, 1, keys, **options)
    target.history = history
    return target


def result_on(frame, object_id=1, verdict=Verdict.SURE, shape=SHAPE[1:]):
    """Say that one object fills a whole frame."""
    labels = np.full(shape, object_id, np.uint16)
    return FrameResult(frame, labels, {object_id: ObjectResult(object_id, verdict)})


def found_by(search):
    """Take all steps of a search and return what it has found."""
    *_, found = search
    return found


def preview_of(prompt, number=1, shape=SHAPE[1:], together=()):
    """Offer masks of one, two and three rows, and choose one; 0 has four rows."""
    from napari_sam_decoder.widgets.model_cache import ShownPreview

    rows = np.broadcast_to(np.arange(shape[0])[:, None], shape)
    offers = [
        Hypothesis(
            place, PlacedMask.of(rows < height), shape, 0.95, score=0.9 - 0.1 * place
        )
        for place, height in enumerate((4, 1, 2, 3))
    ]
    pictures = tuple(np.full((96, 96, 3), 80 * place, np.uint8) for place in range(3))
    preview = Preview(prompt, tuple(offers[1:]), offers[number])
    return ShownPreview(preview, pictures, frozenset([prompt, *together]))


def bench_with(sam, monkeypatch):
    """Make a workbench that loads a given network, and keeps nothing on disk."""
    from napari.components import ViewerModel

    from napari_sam_decoder.widgets.movie_state import ModelOptions
    from napari_sam_decoder.widgets.workbench import Workbench

    monkeypatch.setattr(
        "napari_sam_decoder.weights.registry.load_sam", lambda *_, **__: sam
    )
    bench = Workbench(ViewerModel())
    bench.configure(ModelOptions(cache=None))
    return bench


def show_movie(bench, shape=(4, 32, 40)):
    """Let a workbench work on noise, from its first frame on."""
    noise = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    layer = bench.viewer.add_image(noise, name="noise")
    bench.choose_movie(layer)
    bench.viewer.dims.set_point(0, 0)
    return layer
