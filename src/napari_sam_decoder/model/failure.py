"""What torch reports when it cannot go on, as an error that names a remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import DecodingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

__all__ = ["computing"]


@contextmanager
def computing(task: str, device: torch.device) -> Iterator[None]:
    """Turn every error of torch within the context into a `DecodingError`.

    Torch reports everything as RuntimeError, even want of memory.

    Parameters
    ----------
    task : str
        What the network is to do, such as "decode prompts".
    device : torch.device
        Where.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise DecodingError(
            f"The network could not {task} on {device}: {error}. Use fewer objects at "
            "a time, a frame with shorter sides, a smaller model, or another device "
            "such as 'cpu'."
        ) from error
