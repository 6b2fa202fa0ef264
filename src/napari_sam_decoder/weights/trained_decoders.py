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
from napari_sam_decoder.model.heads import (
    Heads,
    HiresConfig,
    HiresDecoder,
    Rater,
    Sharpener,
)
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
    "ChosenDecoder",
    "DecoderMetadata",
    "TrainedDecoder",
    "build_heads",
    "choose_decoder",
    "load_decoder",
    "read_metadata",
    "replace_decoder",
    "save_decoder",
]

FORMAT = "napari-sam-decoder decoder 1"
_REMEDY = "choose a file that training has written"
_HIRES = "hires."
_MASK_DECODER = "mask_decoder."

_FIXED = {"depth": 0, "masks": 3, "skips": True, "iou_head": True, "pixels": True}
"""What files of this format say of a `HiresDecoder` beside its `HiresConfig`."""


@dataclass(frozen=True)
class DecoderMetadata:
    """What a file says about its decoder.

    Attributes
    ----------
    network : str
        The network with which it was trained, see `Sam.weights`.
    trained_on : str
        The data on which it was trained, for people.
    """

    network: str
    trained_on: str


@dataclass(frozen=True, eq=False)
class TrainedDecoder:
    """The result of training: heads, a fine-tuned mask decoder, or both.

    Attributes
    ----------
    metadata : DecoderMetadata
        For which network it is, and on what it was trained.
    hires : HiresDecoder, optional
        Heads that rate and sharpen masks; in float32, on the CPU.
    finetuned : mapping of str to tensor, optional
        State dict that replaces that of SAM's own `MaskDecoder`.
    """

    metadata: DecoderMetadata
    hires: HiresDecoder | None = None
    finetuned: Mapping[str, Tensor] | None = None


def save_decoder(decoder: TrainedDecoder, path: Path) -> None:
    """Write a decoder in float16; the file appears whole or not at all.

    Parameters
    ----------
    decoder : TrainedDecoder
        What to write.
    path : Path
        A safetensors file, which is replaced if it exists.

    Raises
    ------
    FormatError
        If the file cannot be written.
    """
    parts = {_MASK_DECODER: decoder.finetuned or {}}
    metadata = {"format": FORMAT, **asdict(decoder.metadata)}
    if decoder.hires is not None:
        parts[_HIRES] = decoder.hires.state_dict()
        metadata["config"] = json.dumps(_FIXED | asdict(decoder.hires.config))
    state = {
        prefix + name: weights.detach().to("cpu", torch.float16).contiguous()
        for prefix, entries in parts.items()
        for name, weights in entries.items()
    }
    with wrap_write_errors(path), atomic_write(path) as partial:
        # Only their owner may read the files of `save_file`.
        partial.write_bytes(save(state, metadata=metadata))


def read_metadata(path: Path) -> DecoderMetadata:
    """Read what a file says about its decoder.

    Parameters
    ----------
    path : Path
        A file that `save_decoder` has written.

    Returns
    -------
    DecoderMetadata

    Raises
    ------
    CheckpointError
        If the file is missing, corrupt, or of another kind.
    """
    return _metadata(_read_header(path))


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
        If the file is missing, corrupt, or of another kind.
    """
    header = _read_header(path)
    with wrap_read_errors(path, CheckpointError, _REMEDY):
        state = {name: weights.float() for name, weights in load_file(path).items()}
    hires = None
    if "config" in header:
        hires = _build(_config(header["config"], path), _part(state, _HIRES))
    return TrainedDecoder(_metadata(header), hires, _part(state, _MASK_DECODER) or None)


def _config(text: str, path: Path) -> HiresConfig:
    try:
        fields = json.loads(text)
        fixed = {name: fields.pop(name) for name in _FIXED}
        config = HiresConfig(**{**fields, "widths": tuple(fields["widths"])})
    # Anybody may have written this JSON.
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _not_ours(path) from error
    if fixed != _FIXED:
        raise _not_ours(path)
    return config


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


def _metadata(header: Mapping[str, str]) -> DecoderMetadata:
    return DecoderMetadata(header["network"], header["trained_on"])


def _read_header(path: Path) -> dict[str, str]:
    with (
        wrap_read_errors(path, CheckpointError, _REMEDY),
        safe_open(path, "pt") as content,
    ):
        header: dict[str, str] = content.metadata() or {}
    if header.get("format") != FORMAT or not {"network", "trained_on"} <= header.keys():
        raise _not_ours(path)
    return header


def _not_ours(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a trained decoder of this version of the program; {_REMEDY}"
    )


@dataclass(frozen=True)
class ChosenDecoder:
    """An existing file, and which of its parts to use.

    Attributes
    ----------
    name : str
        What users call it.
    path : Path
        Its file.
    draws : bool
        Whether to use its sharpener, if it has one.
    """

    name: str
    path: Path
    draws: bool = True

    @property
    def identity(self) -> str:
        """The name, and the SHA-256 of the file."""
        return f"{self.name} sha256:{hash_file(self.path)}"

    def load(self, network: str) -> TrainedDecoder:
        """Load the decoder.

        Parameters
        ----------
        network : str
            The network it is used with, see `Sam.weights`.

        Returns
        -------
        TrainedDecoder

        Raises
        ------
        CheckpointError
            If the file is corrupt, of another kind, or trained for another network.
        """
        trained = load_decoder(self.path)
        if trained.metadata.network != network:
            raise CheckpointError(
                f"{self.path} was trained for the model {trained.metadata.network}, "
                f"and this is {network}; use it with that model, or train a decoder "
                "for this one."
            )
        return trained


def choose_decoder(decoder: str | Path, network: str) -> ChosenDecoder | None:
    """Choose a decoder by its name or path.

    Parameters
    ----------
    decoder : str or Path
        As `load_sam` takes it.
    network : str
        See `Sam.weights`.

    Returns
    -------
    ChosenDecoder or None
        None for the network's own decoder.

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
            f"{' or '.join((AUTO_DECODER, *DECODERS))}, or a file that "
            "`napari-sam-decoder train` has written."
        )
    return chosen


def build_heads(trained: TrainedDecoder, sam: Sam, draws: bool) -> Heads:
    """Build the heads to use beside the network's own decoder.

    Parameters
    ----------
    trained : TrainedDecoder
        Trained with this network; not modified.
    sam : Sam
        On its device and in its number type.
    draws : bool
        Whether to use the sharpener.

    Returns
    -------
    Heads
        Without a rater if the mask decoder was fine-tuned: it has learned to rate
        hypotheses itself, and its tokens differ.
    """
    if trained.hires is None:
        return Heads()
    in_use = _prepared(trained.hires, sam)
    return Heads(
        Rater(in_use) if trained.finetuned is None else None,
        Sharpener(in_use, sam.encode_window, trained.hires) if draws else None,
    )


def replace_decoder(sam: Sam, trained: TrainedDecoder) -> Sam:
    """Use a fine-tuned decoder with a network that is loaded already.

    Parameters
    ----------
    sam : Sam
        It is not changed.
    trained : TrainedDecoder
        Fine-tuned for this network.

    Returns
    -------
    Sam
        Shares all weights but those of the decoder with the other one.
    """
    decoder = copy.deepcopy(sam.mask_decoder)
    decoder.load_state_dict(dict(trained.finetuned or {}))
    replaced = type(sam)(
        sam.image_encoder, sam.prompt_encoder, decoder, identity=sam.identity
    )
    replaced.heads = build_heads(trained, replaced, draws=True)
    return replaced


def _best_for(network: str) -> ChosenDecoder | None:
    chosen = _find(RATED_DECODER)
    # Repackagers may leave out the file.
    fits = chosen.path.is_file() and read_metadata(chosen.path).network == network
    return chosen if fits else None


def _find(decoder: str | Path) -> ChosenDecoder:
    """By name, else by path."""
    row = DECODERS.get(str(decoder))
    if row is not None and row.path is not None:
        return ChosenDecoder(row.name, row.path, row.draws)
    path = as_expanded_path(decoder, "a decoder", CheckpointError)
    return ChosenDecoder(path.name, path)


def _prepared(hires: HiresDecoder, sam: Sam) -> HiresDecoder:
    """A copy on the network's device; the drawing in its number type."""
    hires = copy.deepcopy(hires).to(sam.device)
    hires.drawing.to(sam.dtype)
    # Convolutions are faster with channels last, and give the same numbers.
    hires.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return hires
