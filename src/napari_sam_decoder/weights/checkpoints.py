"""Weights files, read without running code and fitted to a network."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_sam_decoder.errors import (
    CheckpointError,
    MissingExtraError,
    wrap_read_errors,
)
from napari_sam_decoder.model.mask_decoder import MaskDecoder
from napari_sam_decoder.model.prompt_encoder import PromptEncoder
from napari_sam_decoder.model.sam import Sam
from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.model.transformer import TransformerConfig, TwoWayTransformer
from napari_sam_decoder.model.vit import ViT, ViTConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = [
    "ARCHITECTURES",
    "assemble_sam",
    "build_sam",
    "choose_hasher",
    "fill",
    "hash_file",
    "infer_architecture",
    "read_checkpoint",
]


def choose_hasher(algorithm: str) -> str | Callable[[], Any]:
    """Return the argument of `hashlib.file_digest` for a hash.

    Parameters
    ----------
    algorithm : str
        "xxh128", or a name that `hashlib.new` takes.

    Returns
    -------
    str or callable
        The name, or the constructor of a hash object.

    Raises
    ------
    MissingExtraError
        If the algorithm needs the package xxhash, which is not installed.
    """
    if algorithm != "xxh128":
        return algorithm
    try:
        import xxhash
    except ImportError as error:
        raise MissingExtraError(
            "This file's hash needs the package xxhash; install it with "
            "pip install 'napari-sam-decoder[xxhash]'."
        ) from error
    return xxhash.xxh128


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file's bytes.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : str
        "xxh128", or a name that `hashlib.new` takes.

    Returns
    -------
    str
        Hexadecimal digits.

    Raises
    ------
    MissingExtraError
        If the algorithm needs the package xxhash, which is not installed.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, choose_hasher(algorithm)).hexdigest()


ARCHITECTURES: Mapping[str, TinyViTConfig | ViTConfig] = MappingProxyType(
    {
        "vit_t": TinyViTConfig(),
        "vit_b": ViTConfig(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)),
        "vit_l": ViTConfig(
            width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)
        ),
        "vit_h": ViTConfig(
            width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)
        ),
    }
)
"""The image encoder of each architecture; all else is the same."""


def build_sam(architecture: str, *, identity: str) -> Sam:
    """Build a public architecture with fresh weights.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    identity : str
        Identifies these weights.

    Returns
    -------
    Sam
        On torch's default device; under ``torch.device("meta")`` it costs no memory.

    Raises
    ------
    CheckpointError
        If there is no such architecture.
    """
    try:
        config = ARCHITECTURES[architecture]
    except KeyError:
        raise CheckpointError(
            f"There is no architecture {architecture!r}; choose one of "
            f"{', '.join(ARCHITECTURES)}."
        ) from None
    encoder = TinyViT(config) if isinstance(config, TinyViTConfig) else ViT(config)
    return assemble_sam(encoder, identity=identity)


def assemble_sam(image_encoder: TinyViT | ViT, *, identity: str) -> Sam:
    """Build a network of an image encoder and SAM's other parts.

    Parameters
    ----------
    image_encoder : TinyViT or ViT
        Gives embeddings of 256 channels.
    identity : str
        Identifies these weights.

    Returns
    -------
    Sam
        With fresh weights outside the image encoder.
    """
    return Sam(
        image_encoder,
        PromptEncoder(image_encoder.image_size, image_encoder.grid),
        MaskDecoder(TwoWayTransformer(TransformerConfig())),
        identity=identity,
    )


_SHOWN = 10

# Never used by SAM, or computed from the configuration.
_IGNORED_PREFIXES = (
    "image_encoder.norm_head.",
    "image_encoder.head.",
    "pixel_mean",
    "pixel_std",
)
_IGNORED_SUFFIXES = (".attention_bias_idxs", ".attn.ab")

# Counts training steps; files whose BatchNorms were folded have none.
_OPTIONAL_SUFFIX = ".num_batches_tracked"
_TINY_VIT_ENTRY = "image_encoder.patch_embed.seq.0.c.weight"
_VIT_ENTRY = "image_encoder.pos_embed"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a weights file; its content decides on the format, not its suffix.

    Parameters
    ----------
    path : Path
        A safetensors file, or a file of plain tensors saved by torch. Checkpoints of
        micro-sam's trainer are unwrapped.

    Returns
    -------
    dict of str to tensor
        Entries by their public names, on the CPU and in the file's number types.

    Raises
    ------
    CheckpointError
        If the file is missing or corrupt, holds anything but tensors, or would run code
        when opened.
    """
    with wrap_read_errors(path, CheckpointError, "download it again"):
        content = _read(path)
    return _checked_tensors(_unwrapped(content), path)


def infer_architecture(state: dict[str, Tensor]) -> str:
    """Infer the architecture of a checkpoint from its entries.

    Parameters
    ----------
    state : dict of str to tensor
        Entries by their public names.

    Returns
    -------
    str
        A key of `ARCHITECTURES`.

    Raises
    ------
    CheckpointError
        If the image encoder is missing or of another width.
    """
    if _TINY_VIT_ENTRY in state:
        return "vit_t"
    if _VIT_ENTRY not in state:
        raise CheckpointError(
            "This file has no image encoder like SAM's; its entries begin with "
            f"{_listed(state)}. Choose a checkpoint of SAM, MobileSAM, MedSAM or "
            "micro-sam."
        )
    width = state[_VIT_ENTRY].shape[-1]
    for name, config in ARCHITECTURES.items():
        if isinstance(config, ViTConfig) and config.width == width:
            return name
    raise CheckpointError(
        f"The image encoder of this file has {width} channels, unlike "
        f"{', '.join(ARCHITECTURES)}. Choose a checkpoint of one of these."
    )


def fill(network: nn.Module, state: dict[str, Tensor], dtype: torch.dtype) -> None:
    """Load the weights of a checkpoint into a network.

    Parameters
    ----------
    network : nn.Module
        Its weights are replaced; it may have been built on torch's meta device.
    state : dict of str to tensor
        Entries by their public names.
    dtype : torch.dtype
        Number type to convert the weights to.

    Raises
    ------
    CheckpointError
        If an entry is missing, unexpected or of another shape; the message lists them.
    """
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    counters = {
        name: torch.tensor(0) for name in wanted if name.endswith(_OPTIONAL_SUFFIX)
    }
    given = counters | {
        name: tensor if name in counters else tensor.to(dtype)
        for name, tensor in state.items()
        if not _is_ignored(name)
    }
    mismatches = _mismatches(wanted, {name: item.shape for name, item in given.items()})
    if mismatches:
        raise CheckpointError(
            f"This checkpoint does not fit the network: {'; '.join(mismatches)}. "
            "Choose the architecture that it belongs to."
        )
    network.load_state_dict(given, assign=True)


def _is_safetensors(path: Path) -> bool:
    """Whether a JSON header follows the eight bytes of its length."""
    with path.open("rb") as stream:
        return stream.read(9)[8:] == b"{"


def _read(path: Path) -> Any:
    try:
        return load_file(path) if _is_safetensors(path) else _read_pickle(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is refused: it is not a weights file, or it would run code when "
            "opened. Use a safetensors file, or one made with "
            "torch.save(model.state_dict(), path)."
        ) from error


def _read_pickle(path: Path) -> Any:
    # Torch refuses it too, but warns first, which only filters of the whole process
    # could suppress.
    if _is_program(path):
        raise pickle.UnpicklingError("a TorchScript archive")
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_program(path: Path) -> bool:
    """Whether it is a zip file of `torch.jit.save`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _unwrapped(content: Any) -> Any:
    """The trainer of micro-sam saves SAM as `sam`, beside other things."""
    inner = content.get("model_state") if isinstance(content, dict) else None
    if not isinstance(inner, dict):
        return content
    return {str(name).removeprefix("sam."): item for name, item in inner.items()}


def _checked_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__} where named tensors are needed; "
            "save the network with torch.save(model.state_dict(), path)."
        )
    others = [
        name
        for name, item in content.items()
        if not (isinstance(name, str) and isinstance(item, Tensor))
    ]
    if others:
        raise CheckpointError(
            f"{path} holds entries that are not named tensors: {_listed(others)}; save "
            "the network alone with torch.save(model.state_dict(), path)."
        )
    return content


def _is_ignored(name: str) -> bool:
    return name.startswith(_IGNORED_PREFIXES) or name.endswith(_IGNORED_SUFFIXES)


def _mismatches(
    wanted: dict[str, torch.Size], given: dict[str, torch.Size]
) -> list[str]:
    found = {
        "missing": sorted(wanted.keys() - given.keys()),
        "unexpected": sorted(given.keys() - wanted.keys()),
        "of another shape": [
            f"{name} {tuple(given[name])} instead of {tuple(shape)}"
            for name, shape in wanted.items()
            if name in given and given[name] != shape
        ],
    }
    return [
        f"{len(names)} {kind}: {_listed(names)}"
        for kind, names in found.items()
        if names
    ]


def _listed(names: Iterable[object]) -> str:
    texts = [str(name) for name in names]
    rest = len(texts) - _SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(texts[:_SHOWN]) + more
