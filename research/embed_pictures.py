"""Embed the pictures that the networks of interactive segmentation learn from.

    python research/embed_pictures.py FOLDER --nuclei DSB2018

DSB2018 holds ``NAME.png`` and ``NAME_labels.png`` of the 2018 Data Science Bowl; names
that begin with 0, 1 or 2 are held out. Pictures that FOLDER has already are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from interactive_parts.pictures import (
    Kind,
    NucleusPictures,
    embed_pictures,
    synthetic_kinds,
)
from napari_sam_decoder import load_sam

HELD_OUT = 60


def main() -> None:
    """Embed, or continue."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nuclei", type=Path, required=True)
    options = parser.parse_args()
    taught = NucleusPictures.of_folder(options.nuclei, held_out=False)
    held_out = NucleusPictures.of_folder(options.nuclei, held_out=True)
    kinds = {
        "dsb": Kind(len(taught), taught.at_some_scale),
        "dsbtest": Kind(min(HELD_OUT, len(held_out)), held_out.whole),
        **synthetic_kinds(),
    }
    total = sum(kind.count for kind in kinds.values())
    paths = embed_pictures(kinds, options.folder, load_sam(decoder="sam"))
    for _ in tqdm(paths, total=total):
        pass


if __name__ == "__main__":
    main()
