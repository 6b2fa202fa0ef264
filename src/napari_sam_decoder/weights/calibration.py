"""Ranges of the inputs of layers, which int8 needs, by network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder.model.quantised import InputRange

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RANGES_FILE", "find_ranges", "write_ranges"]

RANGES_FILE = Path(__file__).with_name("mobile_sam.int8.json")


def find_ranges(network: str, path: Path = RANGES_FILE) -> dict[str, InputRange]:
    """Return the ranges for a network.

    Parameters
    ----------
    network : str
        See `Sam.weights`.
    path : Path
        A file that `write_ranges` has written; by default that of the package.

    Returns
    -------
    dict of str to InputRange
        By the name of the layer in the image encoder; empty for any network but that of
        the file.
    """
    content = json.loads(path.read_text())
    if content["network"] != network:
        return {}
    return {name: InputRange(*ends) for name, ends in content["ranges"].items()}


def write_ranges(path: Path, network: str, ranges: Mapping[str, InputRange]) -> None:
    """Write the ranges for a network, as `find_ranges` reads them.

    Parameters
    ----------
    path : Path
        A JSON file, which is replaced if it exists.
    network : str
        See `Sam.weights`.
    ranges : mapping of str to InputRange
        By the name of the layer in the image encoder.
    """
    ends = {
        name: [round(one.low, 4), round(one.high, 4)] for name, one in ranges.items()
    }
    content = {"network": network, "ranges": ends}
    path.write_text(json.dumps(content, indent=1) + "\n")
