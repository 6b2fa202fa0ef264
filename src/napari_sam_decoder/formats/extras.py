"""Libraries that only those install who have files of their format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import MissingExtraError, first_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["import_reader"]


def import_reader(module: str, extra: str, path: Path) -> Any:
    """Import the library that reads a file.

    Parameters
    ----------
    module : str
        Its name.
    extra : str
        The extra of this package that installs it.
    path : Path
        The file, named in the message.

    Raises
    ------
    MissingExtraError
        If it is not installed, or lacks something itself.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"reading {path.name} needs an extra library: pip install "
            f'"napari-sam-decoder[{extra}]" ({first_line(error)})'
        ) from error
