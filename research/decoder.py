"""Measure how sharp masks are, and how well they are rated, for clicks on true objects.

    python research/decoder.py DATA [DATA ...] [--head NAME ...] [--weights FILE]
        [--drawn FILE] [--unet FILE] [--frames N] [--objects N] [--json FILE]

DATA is as for ``tracking.py``. On so many frames of each, evenly spread, the largest
objects are clicked on at their inmost pixel, and twice more on what is most wrong.
``sam`` is the bundled decoder with bilinear enlargement, ``zoom`` the same with a
second look at each object in a picture of it alone, ``rated`` the same masks as
``sam``, rated anew, ``sharp`` the same drawn sharper with SAM's own ratings, and
``slim`` drawn sharper and rated anew. ``drawn`` is the decoder as the document draws
it, and ``unet`` what it is compared with, see ``decoder_ablation.py``. ``first``,
``second`` and ``third`` are ``sam`` without ratings, the same hypothesis picked always,
and ``single`` is its mask for several prompts, the only one that is offered; ``off``
says nothing of these.

IoU, boundary IoU and boundary F within 1, 2 and 4 pixels are in percent, averaged over
objects, then over sequences: of the mask that is picked after one click, of the best
mask after one click, and after three clicks. As in the program, that is picked which is
rated best, but none of more than 40 % of the picture if there are others. ``right`` is
how often it is the best, ``off`` how far its predicted IoU is off, and ``ms`` the
median from click to mask on an embedded frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from decoder_parts.heads import (
    DrawnHead,
    FixedHead,
    Head,
    SamHead,
    SlimHead,
    ZoomHead,
)
from decoder_parts.sampling import Sampling, ask_all, read
from decoder_parts.summary import mean, print_rows, summarise
from decoder_parts.unet_file import load_unet
from napari_sam_decoder import load_sam
from napari_sam_decoder.weights.trained_decoders import load_decoder

if TYPE_CHECKING:
    from decoder_parts.interview import Answer
    from napari_sam_decoder.model.sam import Sam

Options = argparse.Namespace
HEADS = ("sam", "zoom", "rated", "sharp", "slim", "drawn", "unet")
FIXED = ("single", "first", "second", "third")
"""These are measured only if they are named."""

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
    answers: dict[str, dict[str, list[Answer]]] = {}
    for folder in options.data:
        clip = read(folder)
        asked = ask_all(heads, sam, clip, Sampling(options.frames, options.objects))
        answers[clip.name] = asked
        print(f"\n{clip.name}: {len(next(iter(asked.values())))} objects")
        print_rows({name: summarise(found) for name, found in asked.items()})
    overall = {
        name: mean([summarise(a[name]) for a in answers.values()]) for name in heads
    }
    print(f"\nall: {len(answers)} sequences")
    print_rows(overall)
    if options.json:
        sequences = {
            clip: {name: summarise(found) for name, found in asked.items()}
            for clip, asked in answers.items()
        }
        content = {"all": overall, "sequences": sequences}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def _parse() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--head", choices=HEADS + FIXED, nargs="+", default=None)
    parser.add_argument("--weights", type=Path, help="of the slim decoder")
    parser.add_argument("--drawn", type=Path, help="weights of a decoder as drawn")
    parser.add_argument("--unet", type=Path, help="weights of a U-Net")
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


def _make_heads(sam: Sam, options: Options) -> dict[str, Head]:
    return {name: _make_head(name, sam, options) for name in options.head}


def _make_head(name: str, sam: Sam, options: Options) -> Head:
    if name == "sam":
        return SamHead(sam)
    if name in FIXED:
        return FixedHead(sam, FIXED.index(name))
    if name == "zoom":
        return ZoomHead(sam)
    if name == "drawn":
        return DrawnHead(sam, load_decoder(options.drawn).hires)
    if name == "unet":
        return DrawnHead(sam, load_unet(options.unet))
    heads = load_sam(decoder=options.weights).heads
    if heads.sharpener is None or heads.rater is None:
        sys.exit(f"error: {options.weights} holds no decoder that sharpens and rates")
    if name == "rated":
        return SamHead(sam, heads.rater)
    return SlimHead(sam, heads.sharpener, heads.rater if name == "slim" else None)


if __name__ == "__main__":
    main()
