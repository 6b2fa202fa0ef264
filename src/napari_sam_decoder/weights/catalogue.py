"""The public checkpoints and decoders as tables, and where their files belong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import CheckpointError, DownloadError
from napari_sam_decoder.model.values import OWN_DECODER
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUTO_DECODER",
    "DECODERS",
    "MODELS",
    "RATED_DECODER",
    "DecoderRow",
    "ModelRow",
    "find_row",
    "local_path",
    "manual_download",
    "require_downloadable",
    "require_here",
]

_APACHE = "Apache-2.0"
_BIOIMAGE = "https://uk1s3.embassy.ebi.ac.uk/public-datasets/bioimage.io"
_META = "https://dl.fbaipublicfiles.com/segment_anything"
_DEFAULT_FILE = "model.pth"
_PACKAGED = Path(__file__).parent


@dataclass(frozen=True)
class ModelRow:
    """One public checkpoint.

    Attributes
    ----------
    name : str
        What users call it.
    architecture : str
        A key of `ARCHITECTURES`.
    description : str
        What it is for, in one sentence.
    licence : str, optional
        SPDX identifier; None where it is not known for certain.
    record : str, optional
        Page of its publisher that tells the licence, where that is not known.
    url : str, optional
        Address of its file; None if there is no stable one.
    hash : str, optional
        ``algorithm:hexadecimal`` of its file.
    bytes : int, optional
        Size of its file.
    packaged : str, optional
        Name of its file in this package; None if it is not included.
    """

    name: str
    architecture: str
    description: str
    licence: str | None = None
    record: str | None = None
    url: str | None = None
    hash: str | None = None
    bytes: int | None = None
    packaged: str | None = None

    @property
    def is_bundled(self) -> bool:
        """Whether the weights come with this package."""
        return self.packaged is not None

    @property
    def is_downloadable(self) -> bool:
        """Whether `download` fetches it: address and hash are known."""
        return None not in (self.url, self.hash)

    @property
    def is_here(self) -> bool:
        """Whether its file is on this machine."""
        return local_path(self).is_file()

    @property
    def note(self) -> str:
        """Where it is, or how to get it, in a few words."""
        if self.is_bundled:
            return "bundled"
        if self.is_here:
            return "here"
        if self.is_downloadable:
            return "downloadable"
        return "by path only: no stable address"

    @property
    def size(self) -> str:
        """Size of its file in megabytes, estimated where it is not known."""
        if self.bytes is not None:
            return _megabytes(self.bytes)
        return f"about {_megabytes(_USUAL_BYTES[self.architecture])}"

    @property
    def terms(self) -> str:
        """Its licence, or where that can be read."""
        if self.licence is not None:
            return self.licence
        return f"licence unknown, see {self.record or 'its publisher'}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


_USUAL_BYTES = {
    "vit_t": 40_728_226,
    "vit_b": 375_042_383,
    "vit_l": 1_249_524_607,
    "vit_h": 2_564_550_879,
}
"""Of the files of SAM and MobileSAM: others hold as many numbers."""


_LIGHT = "lm", "Cells and nuclei in light microscopy"
_ELECTRONS = "em_organelles", "Mitochondria and nuclei in electron microscopy"


def _micro_sam(size: str, data: tuple[str, str], record: str, digest: str) -> ModelRow:
    """Return the row of a generalist of micro-sam, from its record of a version."""
    architecture, (name, objects) = f"vit_{size[0]}", data
    return ModelRow(
        name=f"micro_sam_{architecture}_{name}",
        architecture=architecture,
        description=f"{objects}; micro-sam, {size} size.",
        record=f"https://bioimage.io/#/?id={record.partition('/')[0]}",
        url=f"{_BIOIMAGE}/{record}/files/{architecture}.pt",
        hash=f"xxh128:{digest}",
    )


_ROWS = (
    ModelRow(
        name="mobile_sam",
        architecture="vit_t",
        description="Natural pictures; MobileSAM, small and fast.",
        licence=_APACHE,
        hash="sha256:29d37c4cfa73c1526fe7642ec614cd7922eafd24a6a85da6dc2ef9c59a23bb52",
        bytes=19_685_288,
        packaged="mobile_sam.fp16.safetensors",
    ),
    _micro_sam(
        "tiny", _LIGHT, "faithful-chicken/1.1", "72ec5074774761a6e5c05a08942f981e"
    ),
    _micro_sam(
        "base", _LIGHT, "diplomatic-bug/1.2", "fe9252a29f3f4ea53c15a06de471e186"
    ),
    _micro_sam(
        "large", _LIGHT, "idealistic-rat/1.2", "017f20677997d628426dec80a8018f9d"
    ),
    _micro_sam(
        "tiny", _ELECTRONS, "greedy-whale/1", "253474720c497cce605e57c9b1d18fd9"
    ),
    _micro_sam("base", _ELECTRONS, "noisy-ox/1.2", "f3bf2ed83d691456bae2c3f9a05fb438"),
    _micro_sam(
        "large", _ELECTRONS, "humorous-crab/1.2", "810b084b6e51acdbf760a993d8619f2d"
    ),
    ModelRow(
        name="mobile_sam_original",
        architecture="vit_t",
        description="Natural pictures; MobileSAM as published, in float32.",
        licence=_APACHE,
        url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        hash="sha256:6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        bytes=40_728_226,
    ),
    ModelRow(
        name="sam_vit_b",
        architecture="vit_b",
        description="Natural pictures; SAM, base size.",
        licence=_APACHE,
        url=f"{_META}/sam_vit_b_01ec64.pth",
        hash="sha256:ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        bytes=375_042_383,
    ),
    ModelRow(
        name="sam_vit_l",
        architecture="vit_l",
        description="Natural pictures; SAM, large size.",
        licence=_APACHE,
        url=f"{_META}/sam_vit_l_0b3195.pth",
        hash="sha256:3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        bytes=1_249_524_607,
    ),
    ModelRow(
        name="sam_vit_h",
        architecture="vit_h",
        description="Natural pictures; SAM, huge size.",
        licence=_APACHE,
        url=f"{_META}/sam_vit_h_4b8939.pth",
        hash="sha256:a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        bytes=2_564_550_879,
    ),
    ModelRow(
        name="medsam",
        architecture="vit_b",
        description="Medical images; MedSAM, base size (medsam_vit_b.pth).",
        licence=_APACHE,
    ),
)

MODELS: Mapping[str, ModelRow] = MappingProxyType({row.name: row for row in _ROWS})
"""All named models, in the order of listings."""


@dataclass(frozen=True)
class DecoderRow:
    """One decoder that comes with this package.

    Attributes
    ----------
    name : str
        What users call it.
    description : str
        What it does, in a few words.
    packaged : str, optional
        Name of its file, which several may share; None for the model's own decoder.
    draws : bool
        Whether it sharpens masks, or only rates them.
    """

    name: str
    description: str
    packaged: str | None = None
    draws: bool = False

    @property
    def path(self) -> Path | None:
        """Its file; None for the model's own decoder."""
        return None if self.packaged is None else _PACKAGED / self.packaged


AUTO_DECODER = "auto"
"""`RATED_DECODER` if it fits the model, else `OWN_DECODER`."""

RATED_DECODER = "rated"
"""`OWN_DECODER`, and a head that rates the masks of a single click."""

_HEADS_FILE = "sharp.fp16.safetensors"
_CELLS_FILE = "cells.fp16.safetensors"

_DECODERS = (
    DecoderRow(
        RATED_DECODER,
        "the model's own masks, and a better choice of three; for mobile_sam only",
        packaged=_HEADS_FILE,
    ),
    DecoderRow(
        "sharp",
        "the same, with edges redrawn at 1024 x 1024; for mobile_sam only",
        packaged=_HEADS_FILE,
        draws=True,
    ),
    DecoderRow(
        "cells",
        "trained on nuclei, cells and neurites; for mobile_sam only",
        packaged=_CELLS_FILE,
    ),
    DecoderRow(OWN_DECODER, "the model's own masks and ratings; for all models"),
)

DECODERS: Mapping[str, DecoderRow] = MappingProxyType(
    {row.name: row for row in _DECODERS}
)
"""All named decoders; others are files that training has written."""


def find_row(name: str) -> ModelRow:
    """Return the row of a named model.

    Parameters
    ----------
    name : str
        A name in `MODELS`.

    Returns
    -------
    ModelRow
        The row.

    Raises
    ------
    CheckpointError
        If there is no model of this name.
    """
    if name not in MODELS:
        raise CheckpointError(
            f"There is no model or file {name!r}. Choose one of {', '.join(MODELS)}, "
            "or give the path of a weights file."
        )
    return MODELS[name]


def local_path(row: ModelRow) -> Path:
    """Return where the file of a named model belongs on this machine.

    Parameters
    ----------
    row : ModelRow
        A value of `MODELS`.

    Returns
    -------
    Path
        In this package or the user's cache folder; it need not exist.
    """
    if row.packaged is not None:
        return _PACKAGED / row.packaged
    import pooch

    suffix = Path(row.url or _DEFAULT_FILE).suffix
    folder = Path(pooch.os_cache("napari-sam-decoder")) / "models"
    return folder / f"{row.name}{suffix}"


def require_here(model: str | Path) -> None:
    """Require that a model is on this machine.

    Parameters
    ----------
    model : str or Path
        A name in `MODELS`, which takes precedence over a file, or a weights file.

    Raises
    ------
    CheckpointError
        If there is no such model or file, or it was not downloaded yet.
    """
    is_name = isinstance(model, str) and model in MODELS
    if not is_name and as_expanded_path(model, "a model", CheckpointError).is_file():
        return
    row = find_row(str(model))
    if not row.is_here:
        fetch = (
            f"Run `napari-sam-decoder models download {row.name}`, or press 'Models…' "
            "in the dock. "
        )
        raise CheckpointError(
            f"{row.name} has not been downloaded yet. "
            f"{fetch if row.is_downloadable else ''}{manual_download(row)}"
        )


def require_downloadable(row: ModelRow) -> None:
    """Require that `download` knows where to fetch a model, and its hash.

    Raises
    ------
    DownloadError
        If it does not; the message says how to do it by hand.
    """
    if not row.is_downloadable:
        raise DownloadError(
            f"{row.name} cannot be downloaded automatically: {row.note}. "
            f"{manual_download(row)}"
        )


def manual_download(row: ModelRow) -> str:
    """Explain how to get the file of a named model without `download`.

    Parameters
    ----------
    row : ModelRow
        A value of `MODELS`.

    Returns
    -------
    str
        One or two sentences for an error message.
    """
    source = row.url or "the pages of the project that published it"
    check = f" (check: {row.hash})" if row.hash else ""
    terms = "" if row.licence else f" Its licence is not known here: {row.record}."
    return (
        f"To do it by hand, download its file from {source}{check} and save it as "
        f"{local_path(row)}, or give its path: 'From a file…' in the dock, or "
        f"--model PATH.{terms}"
    )
