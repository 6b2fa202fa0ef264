"""What it costs to round embeddings: bytes on disk, and masks that change.

    python benchmarks/storage.py [PICTURE ...] [--precision NAME]

By default on pictures that come with scikit-image. Each is embedded once and stored in
every way. A grid of clicks is then decoded from the embedding as it was and as it comes
back, with three hypotheses per click. The IoU between the two is given in the median,
and for masks whose predicted IoU is 0.9 or more also in the lowest percentile, and the
least.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import imageio.v3 as imageio
import numpy as np
import skimage.color
import skimage.data

from napari_sam_decoder import load_sam
from napari_sam_decoder.cache import CacheKey, Storage, ZarrStore, array_digest
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.model.values import Embedding, ModelPrompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.model.sam import Sam

PICTURES = "astronaut", "cat", "cell", "coffee", "coins", "immunohistochemistry", "moon"
CLICKS_PER_AXIS = 5
SURE = 0.9


@dataclass(frozen=True, eq=False)
class Masks:
    """All hypotheses of all clicks on a picture.

    Attributes
    ----------
    shown : (N, Y, X) array of bool
    iou_predictions : (N,) array of float
    """

    shown: np.ndarray
    iou_predictions: np.ndarray


def main() -> None:
    """Print a row per way to store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    sam = load_sam(precision=options.precision)
    sizes: dict[Storage, list[float]] = {storage: [] for storage in Storage}
    overlaps: dict[Storage, list[float]] = {storage: [] for storage in Storage}
    sure: list[bool] = []
    for picture in read_pictures(options.pictures):
        embedding = sam.encode(picture)
        wanted = decode_grid(sam, embedding)
        sure += list(wanted.iou_predictions >= SURE)
        for storage in Storage:
            kept, size = store(embedding, storage)
            sizes[storage].append(size / 1e6)
            found = decode_grid(sam, kept)
            overlaps[storage] += map(mask_iou, found.shown, wanted.shown)
    print(f"masks: {len(sure)}, sure: {sum(sure)}")
    columns = "MB a frame", "IoU", "1 %, sure", "least, sure"
    print("{:10}{:>16}{:>9}{:>11}{:>13}".format("storage", *columns))
    for storage in Storage:
        span = f"{min(sizes[storage]):.2f} to {max(sizes[storage]):.2f}"
        iou = np.array(overlaps[storage])
        low, least = np.percentile(iou[sure], [1, 0])
        print(f"{storage:10}{span:>16}{np.median(iou):9.4f}{low:11.4f}{least:13.4f}")


def read_pictures(paths: list[Path]) -> Iterator[np.ndarray]:
    """Yield (Y, X, 3) arrays of uint8."""
    pictures = [imageio.imread(path) for path in paths]
    for picture in pictures or [getattr(skimage.data, name)() for name in PICTURES]:
        yield picture[..., :3] if picture.ndim == 3 else skimage.color.gray2rgb(picture)


def store(embedding: Embedding, storage: Storage) -> tuple[Embedding, int]:
    """Write to a cache and read again; also the bytes of the frame on disk."""
    shape = embedding.features.shape
    key = CacheKey(
        "any", (0, 1), 1, embedding.frame_shape, "uint8", "TYX", shape, storage
    )
    digest = array_digest(np.zeros(1))
    with (
        TemporaryDirectory() as folder,
        closing(ZarrStore.open(Path(folder) / "cache", key)) as cache,
    ):
        features = cache.write(0, digest, embedding.features)
        (chunk,) = (cache.path / "frames").glob("c.*")
        return Embedding(features, embedding.frame_shape), chunk.stat().st_size


def decode_grid(sam: Sam, embedding: Embedding) -> Masks:
    """Decode clicks at even distances, one by one."""
    rows, columns = input_shape(embedding.frame_shape, sam.image_size)
    places = (np.arange(CLICKS_PER_AXIS) + 0.5) / CLICKS_PER_AXIS
    prompts = [
        ModelPrompt(np.array([[x * columns, y * rows]], np.float32), np.array([1]))
        for y in places
        for x in places
    ]
    answer = sam.decode(embedding, prompts)
    logits = answer.low_res_logits[:, 1:].reshape(-1, sam.mask_size, sam.mask_size)
    shown = sam.upscale(logits, embedding.frame_shape) > 0
    return Masks(shown, answer.iou_predictions[:, 1:].ravel())


if __name__ == "__main__":
    main()
