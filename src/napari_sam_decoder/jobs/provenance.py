"""What labels were made from, as a job notes it with them and a later job reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import (
    FormatError,
    LabelsError,
    OptionError,
    PromptError,
)
from napari_sam_decoder.formats import read_provenance, require_target
from napari_sam_decoder.prompts import PaintedMask, Prompt, PromptSet
from napari_sam_decoder.propagation import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.session import Session

__all__ = ["Origin", "describe"]


@dataclass(frozen=True)
class Origin:
    """What labels were made from.

    Attributes
    ----------
    prompts : PromptSet
        Empty where nothing is noted.
    settings : Settings
    contrast : (float, float), optional
        What the network saw as black and white; None where that is not noted.
    """

    prompts: PromptSet = field(default_factory=PromptSet)
    settings: Settings = field(default_factory=Settings)
    contrast: tuple[float, float] | None = None

    @classmethod
    def of(cls, path: Path) -> Origin:
        """Read what is noted with labels.

        Parameters
        ----------
        path : Path
            ``.tif`` or ``.zarr``.

        Raises
        ------
        FormatError
            If the file cannot be read, or is of another kind.
        LabelsError
            If what is noted is not what `describe` gives.
        """
        noted = read_provenance(path)
        try:
            prompts = PromptSet(_prompt(entry) for entry in noted.get("prompts", ()))
            settings = _settings(noted.get("settings", {}))
            return cls(prompts, settings, _contrast(noted.get("contrast")))
        except (
            *(AttributeError, KeyError, TypeError, ValueError),
            *(OptionError, PromptError),
        ) as error:
            raise LabelsError(
                f"what {path} says about its prompts and settings cannot be read "
                f"({error}); give the points that it was made from with --prompts"
            ) from error

    @classmethod
    def as_far_as_noted(cls, path: Path) -> Origin:
        """Read what is noted with labels; nothing where the format cannot hold it.

        Raises
        ------
        FormatError, LabelsError
            As `of`, of formats that can.
        """
        try:
            require_target(path.absolute())
        except FormatError:
            return cls()
        return cls.of(path)


def describe(
    session: Session, movie: MovieOptions, frames: range, prompts: Iterable[Prompt]
) -> dict[str, Any]:
    """Say how labels come about, to be noted with them.

    Parameters
    ----------
    session : Session
        That makes them.
    movie : MovieOptions
        Its file, and what was taken of it.
    frames : range
        The asked ones.
    prompts : iterable of Prompt
        All that the labels hold the result of.

    Returns
    -------
    dict
    """
    contrast = session.movie.contrast
    return {
        "software": "napari-sam-decoder",
        "version": version("napari-sam-decoder"),
        "model": session.model.identity,
        "decoder": session.model.decoder,
        "movie": movie.path.name,
        "channel": movie.channel,
        "series": movie.series,
        "axes": session.movie.axes,
        "contrast": [contrast.low, contrast.high],
        "frames": [frames.start, frames.stop],
        "settings": asdict(session.settings),
        "prompts": [_noted(prompt) for prompt in prompts],
    }


# In files the sign of a point is its label, as in tables of points.
_IN_FILES = {"signs": "labels"}
_IN_PYTHON = {key: name for name, key in _IN_FILES.items()}


def _noted(prompt: Prompt) -> dict[str, Any]:
    return {_IN_FILES.get(name, name): value for name, value in asdict(prompt).items()}


def _prompt(entry: Mapping[str, Any]) -> Prompt:
    values = {_IN_PYTHON.get(key, key): value for key, value in entry.items()}
    mask = values.get("mask")
    return Prompt(**{**values, "mask": None if mask is None else _painted(mask)})


def _painted(noted: Mapping[str, Any]) -> PaintedMask:
    return PaintedMask(tuple(noted["shape"]), tuple(noted["runs"]))


def _contrast(noted: Any) -> tuple[float, float] | None:
    """Take limits that differ; those of a movie of one grey say nothing."""
    if noted is None:
        return None
    low, high = (float(limit) for limit in noted)
    return (low, high) if low < high else None


def _settings(noted: Mapping[str, Any]) -> Settings:
    """Take the settings that are still known; those of other versions may not be."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in noted.items() if name in known})
