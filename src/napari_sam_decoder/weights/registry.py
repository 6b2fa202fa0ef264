"""Download named models, and load models and weights files as networks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from napari_sam_decoder import validation
from napari_sam_decoder.errors import CheckpointError, DownloadError, OptionError
from napari_sam_decoder.model.precision import choose_precision, prepare_for_inference
from napari_sam_decoder.model.torch_errors import is_out_of_memory
from napari_sam_decoder.weights.catalogue import (
    AUTO_DECODER,
    MODELS,
    ModelRow,
    find_row,
    local_path,
    manual_download,
)
from napari_sam_decoder.weights.checkpoints import (
    build_sam,
    choose_hasher,
    fill,
    hash_file,
    infer_architecture,
    read_checkpoint,
)
from napari_sam_decoder.weights.trained_decoders import build_heads, choose_decoder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

__all__ = ["MODELS", "ModelRow", "download", "load_sam"]

_LOG = logging.getLogger(__name__)


def load_sam(
    model: str | Path = "mobile_sam",
    *,
    device: str = "auto",
    precision: str = "auto",
    architecture: str | None = None,
    decoder: str | Path = AUTO_DECODER,
) -> Sam:
    """Load a network with its weights, ready for use.

    Parameters
    ----------
    model : str or Path
        A name in `MODELS`, or the path of a weights file: safetensors, or plain
        tensors saved by torch.
    device : str
        "auto" for CUDA, else MPS, else the CPU; or a name that torch knows.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Number type in which to compute; "auto" for the fastest that is safe on the
        device, see `choose_precision`. Embeddings of different types are not mixed.
    architecture : str, optional
        A key of `ARCHITECTURES`; by default inferred from the file.
    decoder : str or Path
        A name in `DECODERS`, or the path of a file that training has written; "auto"
        for "rated" if that fits the model, else "sam", the model's own. Embeddings are
        the same for all.

    Returns
    -------
    Sam
        In evaluation mode on the device.

    Raises
    ------
    CheckpointError
        If there is no such model, or its file is missing, unsafe or does not fit; and
        if the decoder was trained for another model.
    MissingExtraError
        If the file's hash needs the package xxhash.
    OptionError
        If the device is not there, or does not compute in the precision; and if the
        model or the decoder is neither a name nor a path.

    Examples
    --------
    >>> load_sam().image_size
    1024
    """
    model = validation.as_path(model, "a model", OptionError)
    decoder = validation.as_path(decoder, "a decoder", OptionError)
    place = _choose_device(device)
    _LOG.info("loading %s on %s", model, place)
    dtype = choose_precision(precision, place)
    path = _find(model)
    state = read_checkpoint(path)
    architecture = architecture or infer_architecture(state)
    identity = (
        f"{architecture} sha256:{hash_file(path)} {str(dtype).removeprefix('torch.')}"
    )
    with torch.device("meta"):
        sam = build_sam(architecture, identity=identity)
    fill(sam, state, torch.float32)
    chosen = choose_decoder(decoder, sam.weights)
    _LOG.info("%s, decoder %s", identity, chosen.name if chosen else "of its own")
    asked = str(model), str(decoder)
    if chosen is None:
        sam = _moved(prepare_for_inference(sam, dtype), place)
        sam.origin = asked
        return sam
    trained = chosen.load(sam.weights)
    if trained.finetuned is not None:
        fill(sam.mask_decoder, dict(trained.finetuned), torch.float32)
    sam = _moved(prepare_for_inference(sam, dtype), place)
    sam.decoder, sam.heads = chosen.identity, build_heads(trained, sam, chosen.draws)
    sam.origin = asked
    return sam


def download(name: str, progress: bool = False) -> Path:
    """Download a named model to the user's cache folder, and check its hash.

    Parameters
    ----------
    name : str
        A name in `MODELS`.
    progress : bool
        Whether to draw a progress bar on stderr.

    Returns
    -------
    Path
        The file; it is not downloaded again if it exists.

    Raises
    ------
    CheckpointError
        If there is no such model.
    DownloadError
        If it cannot be downloaded; the message says how to do it by hand.
    MissingExtraError
        If its hash needs the package xxhash.
    """
    row = find_row(name)
    path = local_path(row)
    if row.is_bundled:
        return path
    if not row.is_downloadable:
        raise DownloadError(
            f"{name} cannot be downloaded automatically: {row.note}. "
            f"{manual_download(row)}"
        )
    _retrieve(row, path, progress)
    return path


def _retrieve(row: ModelRow, path: Path, progress: bool) -> None:
    import pooch

    algorithm, _ = _split_hash(row)
    choose_hasher(algorithm)
    try:
        pooch.retrieve(
            row.url, row.hash, fname=path.name, path=path.parent, progressbar=progress
        )
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{row.name} could not be downloaded: {error}. {manual_download(row)}"
        ) from error


def _split_hash(row: ModelRow) -> tuple[str, str]:
    algorithm, _, digest = (row.hash or "").partition(":")
    return algorithm, digest


def _find(model: str | Path) -> Path:
    """A named model takes precedence over a file of that name."""
    if isinstance(model, str) and model in MODELS:
        return _find_named(MODELS[model])
    path = validation.as_expanded_path(model, "a model", CheckpointError)
    return path if path.is_file() else _find_named(find_row(str(model)))


def _find_named(row: ModelRow) -> Path:
    path = local_path(row)
    if not path.is_file():
        fetch = f"Run `napari-sam-decoder models download {row.name}`. "
        raise CheckpointError(
            f"{row.name} has not been downloaded yet. "
            f"{fetch if row.is_downloadable else ''}{manual_download(row)}"
        )
    algorithm, expected = _split_hash(row)
    if expected and hash_file(path, algorithm) != expected:
        raise CheckpointError(
            f"{path} is not the file of {row.name}: its {algorithm} is not "
            f"{expected}. Delete it. {manual_download(row)}"
        )
    return path


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise OptionError(
            f"The device {name!r} cannot be used here ({reason}); choose 'auto' or "
            "'cpu'."
        ) from error


def _moved(sam: Sam, device: torch.device) -> Sam:
    try:
        return sam.to(device)
    except RuntimeError as error:
        if device.type == "cpu" and not is_out_of_memory(error):
            raise
        raise OptionError(
            f"The network does not fit on {device} ({error}); choose a smaller model "
            "or the device 'cpu'."
        ) from error
