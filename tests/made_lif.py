"""Small LIF files, written as Leica's description of the format has them.

There is no free program that writes them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

__all__ = ["LeicaImage", "write_lif"]

IDS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "M": 10}


@dataclass
class LeicaImage:
    """An image of a file.

    Attributes
    ----------
    name : str
    pixels : array
        As they are stored.
    letters : str
        Of its axes; the last one may be C.
    steps : mapping of str to float
        In metres and seconds.
    dyes, colours : sequence of str
        Names of the channels; of dyes, and of lookup tables.
    """

    name: str
    pixels: np.ndarray
    letters: str
    steps: Mapping[str, float] = field(default_factory=dict)
    dyes: Sequence[str] = ()
    colours: Sequence[str] = ()


def write_lif(path: Path, images: Sequence[LeicaImage]) -> Path:
    root = ElementTree.Element("LMSDataContainerHeader", Version="2")
    folder = ElementTree.SubElement(root, "Element", Name=path.name)
    inside = ElementTree.SubElement(folder, "Children")
    for number, image in enumerate(images):
        _describe(image, f"MemBlock_{number}", inside)
    text = ElementTree.tostring(root, "unicode")
    with path.open("wb") as file:
        file.write(_header(struct.pack("<BI", 0x2A, len(text)), text))
        for number, image in enumerate(images):
            block = f"MemBlock_{number}"
            noted = struct.pack("<BQBI", 0x2A, image.pixels.nbytes, 0x2A, len(block))
            file.write(_header(noted, block) + image.pixels.tobytes())
    return path


def _header(noted: bytes, text: str) -> bytes:
    content = noted + text.encode("utf-16-le")
    return struct.pack("<II", 0x70, len(content)) + content


def _describe(image: LeicaImage, block: str, inside: ElementTree.Element) -> None:
    element = ElementTree.SubElement(inside, "Element", Name=image.name)
    data = ElementTree.SubElement(ElementTree.SubElement(element, "Data"), "Image")
    described = ElementTree.SubElement(data, "ImageDescription")
    strides = dict(zip(image.letters, image.pixels.strides, strict=True))
    lengths = dict(zip(image.letters, image.pixels.shape, strict=True))
    channels = ElementTree.SubElement(described, "Channels")
    for number in range(lengths.get("C", 1)):
        noted = _note(
            channels,
            "ChannelDescription",
            DataType=int(image.pixels.dtype.kind == "f"),
            # Those of one pixel are its red, green and blue.
            ChannelTag=number + 1 if image.letters.endswith("C") else 0,
            Resolution=8 * image.pixels.itemsize,
            NameOfMeasuredQuantity="",
            Min=0.0,
            Max=1.0,
            Unit="",
            LUTName=image.colours[number] if image.colours else "Gray",
            IsLUTInverted=0,
            BytesInc=number * strides.get("C", 0),
            BitInc=0,
        )
        if image.dyes:
            noted = ElementTree.SubElement(noted, "ChannelProperty")
            ElementTree.SubElement(noted, "Key").text = "DyeName"
            ElementTree.SubElement(noted, "Value").text = image.dyes[number]
    dimensions = ElementTree.SubElement(described, "Dimensions")
    for letter in reversed(image.letters.replace("C", "")):
        step = image.steps.get(letter, 0.0)
        _note(
            dimensions,
            "DimensionDescription",
            DimID=IDS[letter],
            NumberOfElements=lengths[letter],
            Origin=0.0,
            Length=step * (lengths[letter] - 1),
            Unit="s" if letter == "T" else "m",
            BytesInc=strides[letter],
            BitInc=0,
        )
    _note(element, "Memory", Size=image.pixels.nbytes, MemoryBlockID=block)


def _note(
    parent: ElementTree.Element, tag: str, **values: object
) -> ElementTree.Element:
    texts = {name: str(value) for name, value in values.items()}
    return ElementTree.SubElement(parent, tag, texts)
