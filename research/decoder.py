"""Measure how sharp masks are, and how well they are rated, for clicks on true objects.

    python research/decoder.py DATA [DATA ...] [--head NAME ...] [--weights FILE]
        [--drawn FILE] [--unet FILE] [--frames N] [--objects N] [--json FILE]

DATA is as for ``benchmarks/tracking.py``. The largest objects on evenly spread frames
are clicked on at their inmost pixel, and twice more on the largest error. The heads:

- ``sam``: the bundled decoder, with bilinear enlargement;
- ``zoom``: the same, each mask segmented again in an enlarged view of its object;
- ``rated``: the masks of ``sam``, rated by the head of FILE;
- ``sharp``: the masks of ``sam``, sharpened by the head of FILE, with SAM's ratings;
- ``slim``: sharpened and rated by the head of FILE;
- ``drawn``, ``unet``: the design document's decoder and a U-Net, as trained by
  ``decoder_ablation.py``;
- ``first``, ``second``, ``third``: always that hypothesis of ``sam``;
- ``single``: always its mask for several prompts. ``off`` is meaningless for these.

IoU, boundary IoU and boundary F within 1, 2 and 4 pixels are in percent, averaged over
objects, then over sequences: of the chosen mask after one click, of the best mask then,
and after three clicks. The mask with the best rating is chosen, but none of
more than 40 % of the picture if there are others. ``right`` is how often that is the
best mask, ``off`` the mean error of its predicted IoU, and ``ms`` the median time from
click to mask on an embedded frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from decoder_parts.compared_heads import (
    ComparedHead,
    FixedHead,
    SamHead,
    SharpHead,
    WholeMaskHead,
    ZoomHead,
)
from decoder_parts.decoder_files import load_document, load_unet
from decoder_parts.sampling import Sampling, read, score_all
from decoder_parts.summary import mean, print_rows, summarise
from napari_sam_decoder import load_sam

if TYPE_CHECKING:
    from decoder_parts.click_scores import ClickScores
    from napari_sam_decoder.model.sam import Sam

Options = argparse.Namespace
HEADS = ("sam", "zoom", "rated", "sharp", "slim", "drawn", "unet")
FIXED = ("single", "first", "second", "third")
"""These are measured only on request."""

NEEDED = {
    **dict.fromkeys(("rated", "sharp", "slim"), "weights"),
    "drawn": "drawn",
    "unet": "unet",
}
"""The option that names the file of a decoder."""


def main() -> None:
    """Print a table per sequence and one of all."""
    options = _parse()
    sam = load_sam()
    heads = _make_heads(sam, options)
    scores: dict[str, dict[str, list[ClickScores]]] = {}
    for folder in options.data:
        clip = read(folder)
        found = score_all(heads, sam, clip, Sampling(options.frames, options.objects))
        scores[clip.name] = found
        print(f"\n{clip.name}: {len(next(iter(found.values())))} objects")
        print_rows({name: summarise(own) for name, own in found.items()})
    overall = {
        name: mean([summarise(a[name]) for a in scores.values()]) for name in heads
    }
    print(f"\nall: {len(scores)} sequences")
    print_rows(overall)
    if options.json:
        sequences = {
            clip: {name: summarise(own) for name, own in found.items()}
            for clip, found in scores.items()
        }
        content = {"all": overall, "sequences": sequences}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def _parse() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--head", choices=HEADS + FIXED, nargs="+", default=None)
    parser.add_argument("--weights", type=Path, help="file of a trained head")
    parser.add_argument("--drawn", type=Path, help="file of the document's decoder")
    parser.add_argument("--unet", type=Path, help="file of a U-Net")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    given = {name for name in HEADS + FIXED if _is_given(options, name)}
    if options.head is None:
        options.head = [name for name in HEADS if name in given]
    for name in options.head:
        if name not in given:
            parser.error(f"the decoder {name} needs --{NEEDED[name]}")
    return options


def _is_given(options: Options, name: str) -> bool:
    return name not in NEEDED or getattr(options, NEEDED[name]) is not None


def _make_heads(sam: Sam, options: Options) -> dict[str, ComparedHead]:
    return {name: _make_head(name, sam, options) for name in options.head}


def _make_head(name: str, sam: Sam, options: Options) -> ComparedHead:
    if name == "sam":
        return SamHead(sam)
    if name in FIXED:
        return FixedHead(sam, FIXED.index(name))
    if name == "zoom":
        return ZoomHead(sam)
    if name == "drawn":
        return WholeMaskHead(sam, load_document(options.drawn))
    if name == "unet":
        return WholeMaskHead(sam, load_unet(options.unet))
    heads = load_sam(decoder=options.weights).heads
    if heads.sharpener is None or heads.rater is None:
        sys.exit(f"error: {options.weights} holds no head that rates and sharpens")
    if name == "rated":
        return SamHead(sam, heads.rater)
    return SharpHead(sam, heads.sharpener, heads.rater if name == "slim" else None)


if __name__ == "__main__":
    main()
