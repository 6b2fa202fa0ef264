"""Files of trained decoders: weights, how they are built, what they learned from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.checkpoints import fill
from napari_sam_decoder.model.hires_decoder import HiresConfig, HiresDecoder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HiresFile", "load_hires", "read_hires", "save_hires"]

FORMAT = "napari-sam-decoder hires 1"


@dataclass(frozen=True)
class HiresFile:
    """What a file says about its decoder.

    Attributes
    ----------
    config : HiresConfig
        How it is built.
    trained_on : str
        What it learned from.
    """

    config: HiresConfig
    trained_on: str


def save_hires(decoder: HiresDecoder, path: Path, trained_on: str) -> None:
    """Write a decoder in float16, whole or not at all.

    Parameters
    ----------
    decoder : HiresDecoder
        To be written.
    path : Path
        A safetensors file; what is there is replaced.
    trained_on : str
        What it learned from, for whoever is handed the file.
    """
    state = {
        name: weights.detach().to("cpu", torch.float16).contiguous()
        for name, weights in decoder.state_dict().items()
    }
    about = {
        "format": FORMAT,
        "config": json.dumps(asdict(decoder.config)),
        "trained_on": trained_on,
    }
    partial = path.with_name(f".{path.name}.partial")
    # Not `save_file`, whose files only their owner may read.
    partial.write_bytes(save(state, metadata=about))
    partial.replace(path)


def read_hires(path: Path) -> HiresFile:
    """Read what a file says about its decoder.

    Parameters
    ----------
    path : Path
        A file that `save_hires` has written.

    Returns
    -------
    HiresFile

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or of another kind.
    """
    try:
        with safe_open(path, "pt") as content:
            about = content.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a trained decoder ({error}); name a file that "
            "training has written"
        ) from error
    if about.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is not a trained decoder of this version of the program; name a "
            "file that training has written"
        )
    config = json.loads(about["config"])
    config["widths"] = tuple(config["widths"])
    return HiresFile(HiresConfig(**config), about["trained_on"])


def load_hires(path: Path, dtype: torch.dtype = torch.float32) -> HiresDecoder:
    """Load a decoder, ready for use on the CPU.

    Parameters
    ----------
    path : Path
        A file that `save_hires` has written.
    dtype : torch.dtype
        Number type of its drawing; tokens stay in float32.

    Returns
    -------
    HiresDecoder

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or of another kind.
    """
    config = read_hires(path).config
    with torch.device("meta"):
        decoder = HiresDecoder(config)
    fill(decoder, load_file(path), torch.float32)
    decoder.drawing.to(dtype)
    # Convolutions are faster with channels last, and give the same numbers.
    decoder.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return decoder.eval()
