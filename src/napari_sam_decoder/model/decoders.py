"""Which trained decoder is used with a network, and what it adds to it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.arguments import place
from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.catalogue import (
    AUTO_DECODER,
    DECODERS,
    OWN_DECODER,
    RATED_DECODER,
)
from napari_sam_decoder.model.decoder_file import load_decoder, read_about
from napari_sam_decoder.model.hashing import hash_file
from napari_sam_decoder.model.heads import Heads
from napari_sam_decoder.model.rater import Rater
from napari_sam_decoder.model.sharpener import Sharpener

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.decoder_file import TrainedDecoder
    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.sam import Sam

__all__ = ["ChosenDecoder", "build_heads", "choose_decoder"]


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
    path = place(decoder, "a decoder", CheckpointError)
    return ChosenDecoder(path.name, path)


def _prepared(hires: HiresDecoder, sam: Sam) -> HiresDecoder:
    """A copy on the network's device; drawing in its number type, tokens in float32."""
    hires = copy.deepcopy(hires).to(sam.device)
    hires.drawing.to(sam.dtype)
    # Convolutions are faster with channels last, and give the same numbers.
    hires.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return hires
