"""A twin that crosses the wanted object takes it along, unless it is known."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from napari_sam_decoder import Prompt, Session
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs import (
    CorrectJob,
    MovieOptions,
    SegmentJob,
    correct_file,
    segment_file,
)
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import PromptSet

FRAMES, SIDE, RADIUS, APART = 8, 160, 22, 18
LAST = FRAMES - 1


def twins():
    """Two discs of one texture that cross, and their truth: 1 is wanted, 2 in front."""
    random = np.random.default_rng(0)
    around = np.arange(-RADIUS, RADIUS + 1)
    disc = around[:, np.newaxis] ** 2 + around**2 <= RADIUS**2
    texture = _smooth(random, disc.shape, 2, 170, 30)
    ground = _smooth(random, (SIDE, SIDE), 3, 60, 25)
    movie = np.repeat(ground[np.newaxis], FRAMES, axis=0)
    truth = np.zeros(movie.shape, np.uint16)
    for frame in range(FRAMES):
        way = frame / LAST * (SIDE - 60)
        places = (SIDE // 2 - APART, 30 + way), (SIDE // 2 + APART, SIDE - 30 - way)
        for object_id, (row, column) in enumerate(places, start=1):
            left, top = round(column) - RADIUS, row - RADIUS
            window = (frame, slice(top, top + len(disc)), slice(left, left + len(disc)))
            movie[window][disc] = texture[disc]
            truth[window][disc] = object_id
    movie += random.normal(0, 3, movie.shape)
    return movie.clip(0, 255).astype(np.uint8), truth


def _smooth(random, shape, sigma, mean, reach):
    noise = gaussian_filter(random.normal(0, 1, shape), sigma)
    return mean + reach * noise / np.abs(noise).max()


def click(truth, object_id, frame):
    """Point at the middle of what is seen of an object."""
    middle = np.argwhere(truth[frame] == object_id).mean(axis=0)
    return Prompt(object_id, frame, points=[tuple(middle)])


def fit(labels, truth):
    return [mask_iou(labels[frame] == 1, truth[frame] == 1) for frame in range(FRAMES)]


@pytest.mark.slow
def test_a_twin_that_is_a_background_object_takes_nothing(mobile_sam, tmp_path):
    movie, truth = twins()
    path, output = tmp_path / "movie.tif", tmp_path / "labels.tif"
    tifffile.imwrite(path, movie, photometric="minisblack", metadata={"axes": "TYX"})
    cache = tmp_path / "cache.zarr"
    alone, wanted = np.zeros_like(truth), np.zeros_like(truth)
    prompts = [click(truth, one, 0) for one in (1, 2)]
    with Session(path, model=mobile_sam, cache=cache) as session:
        session.add_prompt(prompts[0])
        for result in session.propagate():
            alone[result.frame] = result.labels
        session.add_prompt(prompts[1])
        session.background = {2}
        for result in session.propagate():
            wanted[result.frame] = result.wanted.labels
    assert min(fit(alone, truth)) < 0.75
    assert min(fit(wanted, truth)) > 0.9
    assert np.mean(fit(wanted, truth)) > np.mean(fit(alone, truth)) + 0.1
    options = MovieOptions(path, cache=cache)
    job = SegmentJob(options, PromptSet(prompts), output, background=(2,))
    segment_file(job, mobile_sam)
    np.testing.assert_array_equal(np.asarray(open_labels(output)[:]), wanted)
    new = PromptSet([click(truth, 1, LAST)])
    correct_file(CorrectJob(options, output, new), mobile_sam)
    corrected = np.asarray(open_labels(output)[:])
    assert set(np.unique(corrected)) == {0, 1}
    assert min(fit(corrected, truth)) > 0.9
