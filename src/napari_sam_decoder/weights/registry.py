"""Download named models, and load models and weights files as networks."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import torch

from napari_sam_decoder import validation
from napari_sam_decoder.errors import (
    CheckpointError,
    DownloadError,
    OptionError,
    first_line,
    os_error_advice,
)
from napari_sam_decoder.model.precision import (
    Precision,
    choose_precision,
    prepare_for_inference,
)
from napari_sam_decoder.model.quantised import quantise_layers
from napari_sam_decoder.model.torch_errors import is_out_of_memory
from napari_sam_decoder.weights.calibration import find_ranges
from napari_sam_decoder.weights.catalogue import (
    AUTO_DECODER,
    MODELS,
    ModelRow,
    find_row,
    local_path,
    manual_download,
    require_downloadable,
    require_here,
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
    from collections.abc import Generator
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

__all__ = ["MODELS", "ModelRow", "download", "download_steps", "load_sam"]

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
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        Number type in which to compute; "auto" for the fastest that is safe on the
        device, see `choose_precision`. Embeddings of different types are not mixed.
        int8 is for the encoder of the bundled model, on CPUs.
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
    Precision.of(precision)  # Before the file is read.
    path = _find(model)
    state = read_checkpoint(path)
    architecture = architecture or infer_architecture(state)
    weights = f"{architecture} sha256:{hash_file(path)}"
    ranges = find_ranges(weights)
    number = choose_precision(precision, place, is_calibrated=bool(ranges))
    identity = f"{weights} {number}"
    with torch.device("meta"):
        sam = build_sam(architecture, identity=identity)
    fill(sam, state, torch.float32)
    chosen = choose_decoder(decoder, sam.weights)
    _LOG.info("%s, decoder %s", identity, chosen.name if chosen else "of its own")
    trained = chosen and chosen.load(sam.weights)
    if trained and trained.finetuned is not None:
        fill(sam.mask_decoder, dict(trained.finetuned), torch.float32)
    prepare_for_inference(sam, number.dtype)
    if number is Precision.INT8:
        quantise_layers(sam.image_encoder, ranges)
    sam = _moved(sam, place)
    if chosen and trained:
        sam.decoder = chosen.identity
        sam.heads = build_heads(trained, sam, chosen.draws)
    sam.origin = str(model), str(decoder)
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
    if not row.is_bundled:
        _retrieve(row, progress)
    return local_path(row)


def download_steps(name: str) -> Generator[tuple[int, int]]:
    """Download a named model as `download` does, and tell how far that is.

    Close the generator to cancel: then nothing is left of the download.

    Parameters
    ----------
    name : str
        A name in `MODELS`.

    Yields
    ------
    (int, int)
        Bytes that have arrived, and bytes in all, or 0 while that is not known; ten
        times a second. They are equal while the hash is checked.

    Raises
    ------
    CheckpointError, DownloadError, MissingExtraError
        As `download` does.
    """
    row = find_row(name)
    if row.is_bundled:
        return
    meter = _Meter()
    with ThreadPoolExecutor(1, thread_name_prefix="napari-sam-decoder") as thread:
        fetching = thread.submit(_retrieve, row, meter)
        try:
            while wait([fetching], _STEP_S).not_done:
                yield meter.done, meter.total
        finally:
            meter.is_cancelled = True
        fetching.result()


_STEP_S = 0.1
_CHUNK = 2**16
"""Bytes between two looks at whether to go on; pooch would take 1024."""


class _CancelledError(Exception):
    """Nobody waits for the file any more."""


@dataclass(eq=False)
class _Meter:
    """Takes the place of pooch's progress bar, on another thread than its reader."""

    total: int = 0
    done: int = 0
    is_cancelled: bool = False

    def update(self, size: int) -> None:
        """Take more bytes, the last of which may not be there."""
        if self.is_cancelled:
            raise _CancelledError
        self.done = min(self.done + size, self.total or self.done + size)

    def reset(self) -> None:
        """Count from 0."""
        self.done = 0

    def close(self) -> None:
        """Do nothing: pooch calls this at the end."""


def _retrieve(row: ModelRow, progress: bool | _Meter) -> None:
    import pooch

    require_downloadable(row)
    algorithm, _ = _split_hash(row)
    choose_hasher(algorithm)
    path = local_path(row)
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK)
    # It names the file, --quiet or not, on the stderr there was when it was imported.
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            row.url, row.hash, fname=path.name, path=path.parent, downloader=downloader
        )
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{row.name} could not be downloaded: {_reason(error, row)}. Nothing of it "
            f"was kept; {_remedy(error)}. {manual_download(row)}"
        ) from error


def _remedy(error: Exception) -> str:
    advice = os_error_advice(error) if isinstance(error, OSError) else None
    return advice or "try again"


def _reason(error: Exception, row: ModelRow) -> str:
    """Say what happened to a download, for people."""
    import requests

    host = urlsplit(row.url or "").hostname
    if isinstance(error, requests.HTTPError):
        return first_line(error)
    if isinstance(error, requests.RequestException):
        return f"there is no connection to {host}, or it broke"
    if isinstance(error, ValueError):
        return f"what {host} sent is not this file, as its hash is another one"
    if isinstance(error, OSError) and os_error_advice(error):
        # Pooch raises errors of its own without one, which say nothing more.
        why = f" ({error.strerror})" if error.strerror else ""
        return f"{local_path(row).parent} cannot be written{why}"
    return first_line(error)


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
    require_here(row.name)
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
