"""Files of trained decoders: weights, how they are built, what they learned from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.failures import reading, writing
from napari_sam_decoder.model.checkpoints import fill
from napari_sam_decoder.model.hires_decoder import HiresConfig, HiresDecoder
from napari_sam_decoder.siblings import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = [
    "AboutDecoder",
    "TrainedDecoder",
    "load_decoder",
    "read_about",
    "save_decoder",
]

FORMAT = "napari-sam-decoder decoder 1"
_REMEDY = "name a file that training has written"
_HIRES = "hires."
_TUNED = "mask_decoder."


@dataclass(frozen=True)
class AboutDecoder:
    """What a file says about its decoder.

    Attributes
    ----------
    network : str
        The network on top of which it was trained, see `Sam.weights`.
    trained_on : str
        What it learned from.
    """

    network: str
    trained_on: str


@dataclass(frozen=True, eq=False)
class TrainedDecoder:
    """What training gives: one or both of two parts.

    Attributes
    ----------
    about : AboutDecoder
    hires : HiresDecoder, optional
        Sharpens masks, or draws its own; in float32, on the CPU.
    tuned : mapping of str to tensor, optional
        Entries of SAM's own `MaskDecoder` that take the place of the network's.
    """

    about: AboutDecoder
    hires: HiresDecoder | None = None
    tuned: Mapping[str, Tensor] | None = None


def save_decoder(decoder: TrainedDecoder, path: Path) -> None:
    """Write a decoder in float16, whole or not at all.

    Parameters
    ----------
    decoder : TrainedDecoder
        To be written.
    path : Path
        A safetensors file; what is there is replaced.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    parts = {_TUNED: decoder.tuned or {}}
    about = {"format": FORMAT, **asdict(decoder.about)}
    if decoder.hires is not None:
        parts[_HIRES] = decoder.hires.state_dict()
        about["config"] = json.dumps(asdict(decoder.hires.config))
    state = {
        prefix + name: weights.detach().to("cpu", torch.float16).contiguous()
        for prefix, entries in parts.items()
        for name, weights in entries.items()
    }
    with writing(path), replacing(path) as partial:
        # Not `save_file`, whose files only their owner may read.
        partial.write_bytes(save(state, metadata=about))


def read_about(path: Path) -> AboutDecoder:
    """Read what a file says about its decoder.

    Parameters
    ----------
    path : Path
        A file that `save_decoder` has written.

    Returns
    -------
    AboutDecoder

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or of another kind.
    """
    return _about(_metadata(path))


def load_decoder(path: Path) -> TrainedDecoder:
    """Load a decoder.

    Parameters
    ----------
    path : Path
        A file that `save_decoder` has written.

    Returns
    -------
    TrainedDecoder

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or of another kind.
    """
    noted = _metadata(path)
    with reading(path, CheckpointError, _REMEDY):
        state = {name: weights.float() for name, weights in load_file(path).items()}
    hires = None
    if "config" in noted:
        hires = _build(_config(noted["config"], path), _part(state, _HIRES))
    return TrainedDecoder(_about(noted), hires, _part(state, _TUNED) or None)


def _config(spelled: str, path: Path) -> HiresConfig:
    try:
        config = json.loads(spelled)
        return HiresConfig(**{**config, "widths": tuple(config["widths"])})
    # What is written there is JSON of anybody's making.
    except (ValueError, TypeError, KeyError) as error:
        raise _not_ours(path) from error


def _build(config: HiresConfig, state: dict[str, Tensor]) -> HiresDecoder:
    with torch.device("meta"):
        decoder = HiresDecoder(config)
    fill(decoder, state, torch.float32)
    return decoder.eval()


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): weights
        for name, weights in state.items()
        if name.startswith(prefix)
    }


def _about(noted: Mapping[str, str]) -> AboutDecoder:
    return AboutDecoder(noted["network"], noted["trained_on"])


def _metadata(path: Path) -> dict[str, str]:
    with reading(path, CheckpointError, _REMEDY), safe_open(path, "pt") as content:
        noted: dict[str, str] = content.metadata() or {}
    if noted.get("format") != FORMAT or not {"network", "trained_on"} <= noted.keys():
        raise _not_ours(path)
    return noted


def _not_ours(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a trained decoder of this version of the program; {_REMEDY}"
    )
