"""Measure what each part of the engine contributes, by leaving it out.

    python benchmarks/ablation.py DATA [DATA ...] --init mask [--objects N] ...
        [--without PART ...] [--with CONSTANT=NUMBER ...] [--folds]

Takes the same data and options as ``tracking.py`` and runs the program on them once for
each part that it can be without. Each run stands in a row of its own, under the name
of the part that was left out. ``--with propagation.track.SMOOTHING=0.3`` adds a run
with another number for a constant of a module.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from contextlib import ExitStack, contextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np
import tracking
from tracking_parts.data import read
from tracking_parts.folds import mean_rows
from tracking_parts.report import Table, means, write_json

from napari_sam_decoder import SamDecoderError, load_sam
from napari_sam_decoder.flow import Flow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.appearance.memory import Memory

ENGINE = "napari_sam_decoder.propagation"


def _still(picture: np.ndarray, earlier: np.ndarray) -> Flow:
    """Leave everything where it was."""
    nothing = np.zeros((3, *picture.shape[1:]), np.float32)
    return Flow(nothing[:2], nothing[2])


def _silent(memory: Any, features: Any, asked: Any = None) -> np.ndarray:
    """Remember nothing."""
    return np.zeros(features.picture.shape[1:], np.float32)


def _by_cells(memory: Memory, features: FrameFeatures, asked: np.ndarray) -> np.ndarray:
    """Let the fitted classifier of the cells speak alone."""
    return memory.cell_scores(features)


def _uncalibrated(scores: np.ndarray, core: np.ndarray, around: np.ndarray) -> Any:
    """Believe all scores alike."""
    return np.clip(4 * scores, -4, 4)


PARTS: dict[str, Mapping[str, Any]] = {
    "nothing": {},
    "flow": {"napari_sam_decoder.flow.optical_flow": _still},
    "cells": {
        "napari_sam_decoder.appearance.memory.Memory.cell_scores": _silent,
        "napari_sam_decoder.appearance.memory.Memory.propagated_scores": _silent,
    },
    "label propagation": {
        "napari_sam_decoder.appearance.memory.Memory.propagated_scores": _by_cells
    },
    "colours": {"napari_sam_decoder.appearance.memory.Memory.pixel_scores": _silent},
    "calibration": {f"{ENGINE}.prior._calibrated": _uncalibrated},
    "averaging": {f"{ENGINE}.decoding.DECODER_SHARE": 1.0},
    "decoder": {f"{ENGINE}.decoding.DECODER_SHARE": 0.0},
    "second opinions": {
        f"{ENGINE}.decoding.is_unambiguous": lambda choice, expectation: True
    },
    "redrawing": {f"{ENGINE}.refiner_trial.LARGEST_SHARE": 0.0},
    "ends": {
        f"{ENGINE}.track.ENDED_BELOW": 0.0,
        f"{ENGINE}.track.FOUND_AGAIN_FROM": -np.inf,
    },
    "recent frames": {f"{ENGINE}.track.REMEMBERED_FROM": 2.0},
}
"""What is replaced to leave a part out. Without the decoder its masks still decide
whether there is an object, but not where its outline runs. ``cell_scores`` is also what
finds a lost object again."""


class Change(NamedTuple):
    """Something in the engine that is otherwise for a run.

    Attributes
    ----------
    name : str
        Of its rows.
    replaced : mapping of str to object
        What stands in for what.
    """

    name: str
    replaced: Mapping[str, Any]

    @classmethod
    def without(cls, part: str) -> Change:
        """Leave a part out."""
        return cls(f"no {part}" if PARTS[part] else "full", PARTS[part])

    @classmethod
    def of_constant(cls, text: str) -> Change:
        """Read another number for a constant, as in "propagation.track.DOUBTING=0.2".

        Raises
        ------
        ArgumentTypeError
            If there is no such constant, or that is no number.
        """
        name, _, number = text.partition("=")
        try:
            value = float(number)
            known = resolve_name(f"napari_sam_decoder.{name}")
        except (ValueError, ImportError, AttributeError):
            known = None
        if not isinstance(known, int | float):
            raise ArgumentTypeError(f"{text!r} is no MODULE.CONSTANT=NUMBER")
        kind = type(known)
        short = f"{name.rpartition('.')[2]}={kind(value):g}"
        return cls(short, {f"napari_sam_decoder.{name}": kind(value)})

    @contextmanager
    def made(self) -> Iterator[None]:
        """Run the engine with it."""
        with ExitStack() as stack:
            for target, replacement in self.replaced.items():
                stack.enter_context(mock.patch(target, replacement))
            yield


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per sequence and part, and the means."""
    options = _parser().parse_args(arguments)
    tracking.apply_threads(options)
    try:
        _report(options)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")


def _report(options: argparse.Namespace) -> None:
    sam = load_sam(decoder=options.decoder, precision=options.precision)
    table = Table(tracking.left_out(options), ())
    print(table.heading(), flush=True)
    rows = []
    for folder in options.data:
        for change in (*map(Change.without, options.without), *options.constants):
            with change.made():
                for row in tracking.measure(read(folder), sam, options):
                    rows.append({**row, "method": change.name})
                    print(table.line(rows[-1]), flush=True)
    for row in mean_rows(rows, means, folds=options.folds):
        print(table.line(row))
    if options.json:
        write_json(options.json, rows)


def _parser() -> argparse.ArgumentParser:
    parser = tracking.parser(__doc__ or "")
    parser.set_defaults(method=["full"])
    parser.add_argument(
        "--without",
        nargs="*",
        choices=PARTS,
        default=list(PARTS),
        metavar="PART",
        help=f"all by default: {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--with",
        dest="constants",
        nargs="+",
        type=Change.of_constant,
        default=[],
        metavar="CONSTANT=NUMBER",
        help="a constant of a module, such as propagation.track.SMOOTHING=0.3",
    )
    return parser


if __name__ == "__main__":
    main()
