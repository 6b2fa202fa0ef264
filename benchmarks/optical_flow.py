"""Compare our optical flow with scikit-image's: time, and masks carried by it.

    python benchmarks/optical_flow.py [DATA ...] [--pairs N]

DATA as for ``tracking.py``; without any, a generated movie. Neighbouring frames are
reduced to 256 pixels along the longer side, as propagation sees them. The true masks of
the earlier frame are carried along by each flow and compared with those of the later
one. ``still`` carries nothing. Times are CPU times on one thread, of methods that take
turns on each pair, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from skimage.registration import optical_flow_ilk, optical_flow_tvl1
from tracking_parts.data import Clip, read

from napari_sam_decoder import Movie
from napari_sam_decoder.appearance.features import low_res_picture
from napari_sam_decoder.flow import optical_flow, warp
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.samples import load_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LONGER_SIDE = 256
OURS = "ours"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--pairs", type=int, default=4, help="of frames, per sequence")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    clips = map(read, options.data) if options.data else [generated()]
    rows = [row for clip in clips for row in measured(clip, options.pairs)]
    report(rows)


def generated() -> Clip:
    """Cells that move and divide, with their truth."""
    sample = load_sample("cells")
    return Clip(sample.name, Movie(sample.frames), sample.truth)


def measured(clip: Clip, pairs: int) -> Iterator[dict[str, tuple[float, float]]]:
    """Yield (seconds, IoU) by method, for pairs of frames spread over a sequence."""
    last = len(clip.movie) - 1
    for earlier in np.unique(np.linspace(0, last - 1, min(pairs, last)).astype(int)):
        masks = [reduced(clip.masks[frame]) for frame in (earlier, earlier + 1)]
        pictures = [
            low_res_picture(clip.movie.rgb(int(frame)), masks[0].shape)
            for frame in (earlier, earlier + 1)
        ]
        ids = np.intersect1d(*masks)
        if (ids > 0).any():
            yield {
                name: timed(method, pictures, masks, ids[ids > 0])
                for name, method in METHODS.items()
            }


def reduced(mask: np.ndarray) -> np.ndarray:
    """Object ids of a frame, on the grid on which propagation compares frames."""
    rows, columns = np.round(np.array(mask.shape) * LONGER_SIDE / max(mask.shape))
    size = int(columns), int(rows)
    picture = Image.fromarray(mask.astype(np.int32))
    return np.asarray(picture.resize(size, Image.Resampling.NEAREST))


def timed(
    method: Callable[[np.ndarray, np.ndarray], np.ndarray],
    pictures: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    ids: np.ndarray,
) -> tuple[float, float]:
    """CPU seconds that a flow takes, and the mean IoU of the masks that it carries."""
    start = process_time()
    displacement = method(pictures[1], pictures[0])
    seconds = process_time() - start
    layers = np.stack([masks[0] == i for i in ids]).astype(np.float32)
    carried = warp(layers, displacement.astype(np.float32)) > 0.5
    ious = [mask_iou(one, masks[1] == i) for one, i in zip(carried, ids, strict=True)]
    return seconds, float(np.mean(ious))


def grey(
    flow: Callable[..., np.ndarray], now: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """Flow by scikit-image, which takes one channel."""
    return np.asarray(flow(now.mean(axis=0), before.mean(axis=0)))


def report(rows: Sequence[dict[str, tuple[float, float]]]) -> None:
    """Print medians over all pairs."""
    print(f"{len(rows)} pairs of frames")
    print(f"{'method':18}{'CPU ms':>8}{'ratio':>8}{'IoU %':>8}{'worst decile':>14}")
    for name in METHODS:
        seconds, ious = np.array([row[name] for row in rows]).T
        ratios = seconds / [row[OURS][0] for row in rows]
        print(
            f"{name:18}{1000 * np.median(seconds):8.1f}{np.median(ratios):8.1f}"
            f"{100 * ious.mean():8.1f}{100 * np.percentile(ious, 10):14.1f}"
        )


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "still": lambda now, before: np.zeros((2, *now.shape[1:])),
    OURS: lambda now, before: optical_flow(now, before).displacement,
    "scikit-image ILK": partial(grey, optical_flow_ilk),
    "scikit-image TV-L1": partial(grey, optical_flow_tvl1),
}


if __name__ == "__main__":
    main()
