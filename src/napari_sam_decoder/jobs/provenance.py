"""The provenance of labels: what they were made from, stored in their file."""

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
from napari_sam_decoder.prompts import PaintedMask, Prompt, PromptSet, Scribble
from napari_sam_decoder.propagation import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.session import Session

__all__ = [
    "Provenance",
    "describe_parents",
    "describe_prompts",
    "record_provenance",
    "stored_settings",
]


@dataclass(frozen=True)
class Provenance:
    """What labels were made from.

    Attributes
    ----------
    prompts : PromptSet
        Empty if unknown.
    settings : Settings
        The defaults if unknown.
    contrast : (float, float), optional
        Intensities that were shown to the network as black and white, of a composite
        such a pair for each channel; None if unknown.
    background : frozenset of int
        Background objects. They have prompts, but no pixels.
    objects : dict
        Names and parents, as they are noted by id.
    """

    prompts: PromptSet = field(default_factory=PromptSet)
    settings: Settings = field(default_factory=Settings)
    contrast: tuple[float, float] | tuple[tuple[float, float], ...] | None = None
    background: frozenset[int] = frozenset()
    objects: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, at: Mapping[str, int] | None = None) -> Provenance:
        """Read the provenance from a labels file.

        Parameters
        ----------
        path : Path
            ``.tif`` or ``.zarr``.
        at : mapping of str to int, optional
            The position in labels of more axes, as it was noted.

        Raises
        ------
        FormatError
            If the file cannot be read, or has another format.
        LabelsError
            If the provenance is not valid.
        """
        noted = read_provenance(path)
        try:
            noted = noted if at is None else _noted_at(noted, at)
            prompts = PromptSet(_prompt(entry) for entry in noted.get("prompts", ()))
            settings = stored_settings(noted.get("settings", {}))
            background = frozenset(map(int, noted.get("background", ())))
            contrast = _contrast(noted.get("contrast"))
            objects = dict(noted.get("objects", {}))
            return cls(prompts, settings, contrast, background, objects)
        except (
            *(AttributeError, KeyError, OverflowError, TypeError, ValueError),
            *(OptionError, PromptError),
        ) as error:
            raise LabelsError(
                f"the prompts and settings stored in {path} cannot be read ({error}); "
                "give the points that it was made from with --prompts"
            ) from error

    @classmethod
    def read_if_noted(
        cls, path: Path, at: Mapping[str, int] | None = None
    ) -> Provenance:
        """Read the provenance, which is empty for formats that cannot store one.

        Raises
        ------
        FormatError, LabelsError
            As `read`, for the other formats.
        """
        try:
            require_target(path.absolute())
        except FormatError:
            return cls()
        return cls.read(path, at)


def _noted_at(noted: Mapping[str, Any], at: Mapping[str, int]) -> dict[str, Any]:
    """What was noted of one position among several."""
    here = [one for one in noted.get("positions", ()) if one.get("at") == dict(at)]
    return {**noted, **(here[0] if here else {})}


def record_provenance(
    session: Session, movie: MovieOptions, frames: range, prompts: Iterable[Prompt]
) -> dict[str, Any]:
    """Record what labels are made from, to be stored with them.

    Parameters
    ----------
    session : Session
        Makes the labels.
    movie : MovieOptions
        The file that the session works on, and how it is read.
    frames : range
        The frames that are segmented.
    prompts : iterable of Prompt
        All prompts that the labels result from.

    Returns
    -------
    dict
        Plain values, for `LabelSink.finish`.
    """
    limits = [[one.low, one.high] for one in session.movie.limits]
    return {
        "software": "napari-sam-decoder",
        "version": version("napari-sam-decoder"),
        "model": session.model.identity,
        "decoder": session.model.decoder,
        "movie": movie.path.name,
        "channel": movie.channel,
        "series": movie.series,
        "axes": session.movie.axes,
        "at": session.movie.position,
        "scale": None if session.movie.scale is None else list(session.movie.scale),
        "unit": session.movie.unit,
        "contrast": limits[0] if len(limits) == 1 else limits,
        "frames": [frames.start, frames.stop],
        "settings": asdict(session.settings),
        "prompts": describe_prompts(prompts),
        "background": sorted(session.background),
    }


def describe_parents(parents: Mapping[int, int]) -> dict[str, Any]:
    """Return what is noted of objects that come from a division, by id."""
    return {str(one): {"parent": parent} for one, parent in parents.items()}


# In files the sign of a point is its label, as in tables of points.
_IN_FILES = {"signs": "labels"}
_IN_PYTHON = {key: name for name, key in _IN_FILES.items()}


def describe_prompts(prompts: Iterable[Prompt]) -> list[dict[str, Any]]:
    """Return prompts as plain values, as they are stored with labels."""
    return [_noted(prompt) for prompt in prompts]


# Earlier versions do not know these, and can read prompts without them.
_RARE = ("lasso", "scribbles")


def _noted(prompt: Prompt) -> dict[str, Any]:
    return {
        _IN_FILES.get(name, name): value
        for name, value in asdict(prompt).items()
        if value or name not in _RARE
    }


def _prompt(entry: Mapping[str, Any]) -> Prompt:
    values = {_IN_PYTHON.get(key, key): value for key, value in entry.items()}
    mask = values.get("mask")
    values["mask"] = None if mask is None else _painted(mask)
    values["scribbles"] = [_scribble(one) for one in values.get("scribbles", ())]
    return Prompt(**values)


def _scribble(noted: Mapping[str, Any]) -> Scribble:
    return Scribble(**{**noted, "pixels": _painted(noted["pixels"])})


def _painted(noted: Mapping[str, Any]) -> PaintedMask:
    return PaintedMask(tuple(noted["shape"]), tuple(noted["runs"]))


def _contrast(
    noted: Any,
) -> tuple[float, float] | tuple[tuple[float, float], ...] | None:
    """Ignore equal limits, which a movie of a single grey value has."""
    if noted is None:
        return None
    if any(isinstance(one, list | tuple) for one in noted):
        channels = ((float(low), float(high)) for low, high in noted)
        return tuple((low, high) for low, high in channels)
    low, high = (float(limit) for limit in noted)
    return (low, high) if low < high else None


def stored_settings(noted: Mapping[str, Any]) -> Settings:
    """Return stored settings, without those that only other versions know."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in noted.items() if name in known})
