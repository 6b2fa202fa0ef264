"""Turn errors of torch into errors of the package that name a remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.errors import DecodingError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["computing", "is_out_of_memory"]

# For the CPU and for Apple's devices torch has no such class.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def computing(task: str, device: torch.device) -> Iterator[None]:
    """Raise errors of torch within the context as `DecodingError` with a remedy.

    Torch reports everything as RuntimeError, even a lack of memory. For other errors
    another device is the remedy; on the CPU they are bugs and raised unchanged.

    Parameters
    ----------
    task : str
        What the network does, such as "decode prompts".
    device : torch.device
        Where it does so.

    Raises
    ------
    DecodingError
        If there is too little memory, or an accelerator fails.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise DecodingError(
                f"The network could not {task} on {device}: {error}. Use fewer objects "
                "at a time, a frame with shorter sides, a smaller model, or another "
                "device such as 'cpu'."
            ) from error
        if device.type == "cpu":
            raise
        raise DecodingError(
            f"The network could not {task} on {device}: {error}. Use another device "
            "such as 'cpu'."
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch means that there is too little memory."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(phrase in str(error).lower() for phrase in _OUT_OF_MEMORY)
