"""Trained decoders: their files, and which of them is used with a network."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import (
    CheckpointError,
    wrap_read_errors,
    wrap_write_errors,
)
from napari_sam_decoder.model.heads import Heads, Rater, Sharpener
from napari_sam_decoder.model.hires_decoder import HiresConfig, HiresDecoder
from napari_sam_decoder.model.values import OWN_DECODER
from napari_sam_decoder.validation import as_expanded_path
from napari_sam_decoder.weights.catalogue import (
    AUTO_DECODER,
    DECODERS,
    RATED_DECODER,
)
from napari_sam_decoder.weights.checkpoints import fill, hash_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam_decoder.model.sam import Sam

__all__ = [
    "AboutDecoder",
    "ChosenDecoder",
    "TrainedDecoder",
    "build_heads",
    "choose_decoder",
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
    with wrap_write_errors(path), atomic_write(path) as partial:
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
    with wrap_read_errors(path, CheckpointError, _REMEDY):
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
    with (
        wrap_read_errors(path, CheckpointError, _REMEDY),
        safe_open(path, "pt") as content,
    ):
        noted: dict[str, str] = content.metadata() or {}
    if noted.get("format") != FORMAT or not {"network", "trained_on"} <= noted.keys():
        raise _not_ours(path)
    return noted


def _not_ours(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a trained decoder of this version of the program; {_REMEDY}"
    )


@dataclass(frozen=True)
class ChosenDecoder:
    """A file that is there, and what is wanted of it.

    Attributes
    ----------
    name : str
        What users call it.
    path : Path
    draws : bool
        Whether its sharper masks are wanted, if it draws any.
    """

    name: str
    path: Path
    draws: bool = True

    @property
    def identity(self) -> str:
        """The name, and the SHA-256 of the file."""
        return f"{self.name} sha256:{hash_file(self.path)}"

    def load(self, network: str) -> TrainedDecoder:
        """Load what is to be used with a network, see `Sam.weights`.

        Raises
        ------
        CheckpointError
            If the file is damaged, of another kind, or was trained for another network.
        """
        trained = load_decoder(self.path)
        if trained.about.network != network:
            raise CheckpointError(
                f"{self.path} was trained for the model {trained.about.network}, and "
                f"this is {network}; use it with the model that it was trained for, or "
                "train one for this model."
            )
        if trained.hires is not None and trained.hires.config.depth:
            raise CheckpointError(
                f"{self.path} holds a decoder that draws masks of its own, which is "
                "only there to be compared with; choose one that sharpens masks."
            )
        return trained


def choose_decoder(decoder: str | Path, network: str) -> ChosenDecoder | None:
    """Find the decoder that is asked for.

    Parameters
    ----------
    decoder : str or Path
        As `load_sam` takes it.
    network : str
        See `Sam.weights`.

    Returns
    -------
    ChosenDecoder or None
        None for the network's own.

    Raises
    ------
    CheckpointError
        If there is no such decoder.
    """
    if decoder == AUTO_DECODER:
        return _best_for(network)
    if decoder == OWN_DECODER:
        return None
    chosen = _find(decoder)
    if not chosen.path.is_file():
        raise CheckpointError(
            f"There is no decoder {str(decoder)!r}. Choose "
            f"{' or '.join((AUTO_DECODER, *DECODERS))}, or name a file that "
            "`napari-sam-decoder train` has written."
        )
    return chosen


def build_heads(trained: TrainedDecoder, sam: Sam, draws: bool) -> Heads:
    """Make of a file's content what is used beside the network's own decoder.

    Parameters
    ----------
    trained : TrainedDecoder
        For this network; left as it is.
    sam : Sam
        On its device and in its number type.
    draws : bool
        Whether sharper masks are wanted.

    Returns
    -------
    Heads
        Without a rater where the network's own decoder has been tuned: that has
        learned to rate by itself, and its tokens are others.
    """
    if trained.hires is None:
        return Heads()
    in_use = _prepared(trained.hires, sam)
    rates = trained.hires.config.iou_head and trained.tuned is None
    return Heads(
        Rater(in_use) if rates else None,
        Sharpener(in_use, sam.look_closely, trained.hires) if draws else None,
    )


def _best_for(network: str) -> ChosenDecoder | None:
    chosen = _find(RATED_DECODER)
    # Whoever repackages this may leave out the file.
    fits = chosen.path.is_file() and read_about(chosen.path).network == network
    return chosen if fits else None


def _find(decoder: str | Path) -> ChosenDecoder:
    """By name, else by path."""
    row = DECODERS.get(str(decoder))
    if row is not None and row.path is not None:
        return ChosenDecoder(row.name, row.path, row.draws)
    path = as_expanded_path(decoder, "a decoder", CheckpointError)
    return ChosenDecoder(path.name, path)


def _prepared(hires: HiresDecoder, sam: Sam) -> HiresDecoder:
    """A copy on the network's device; drawing in its number type, tokens in float32."""
    hires = copy.deepcopy(hires).to(sam.device)
    hires.drawing.to(sam.dtype)
    # Convolutions are faster with channels last, and give the same numbers.
    hires.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return hires
