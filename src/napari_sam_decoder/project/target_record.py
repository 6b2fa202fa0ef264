"""What is kept of the labels that results go to, besides their pixels."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TargetRecord"]


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """Labels of a project, blank until something is written into them.

    Attributes
    ----------
    name : str
        Of the layer.
    shape : tuple of int
        Of the movie's image, without colours.
    dtype : str
        As numpy names it, "uint16" for example.
    is_own : bool
        Whether a run has made them, so that nothing unknown was in them before.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_own: bool = True
