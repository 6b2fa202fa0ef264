"""The settings of the dock as a JSON file, to be loaded for other movies."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, OptionError, SamDecoderError
from napari_sam_decoder.frames import Contrast
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.validation import as_bool
from napari_sam_decoder.weights.catalogue import MODELS
from napari_sam_decoder.widgets.movie_state import (
    ModelOptions,
    decoder_of,
    named_or_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "DockSettings",
    "read_settings",
    "read_texts",
    "settings_of",
    "settings_values",
    "write_settings",
    "write_texts",
]


CHOOSE_ANOTHER = "choose a file that 'Save settings…' has written"


@dataclass(frozen=True)
class DockSettings:
    """All plain values that are set in the dock.

    Attributes
    ----------
    model : ModelOptions
    propagation : Settings
    only_current : bool
        Whether a run leaves all objects but the selected one alone.
    replace : bool
        Whether a run may overwrite other objects, and what was painted by hand.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    propagation: Settings = field(default_factory=Settings)
    only_current: bool = False
    replace: bool = False

    def for_another_movie(self) -> DockSettings:
        """Keep what a new window may start with."""
        return DockSettings(self.model.for_another_movie(), self.propagation)


def write_settings(path: Path, settings: DockSettings) -> None:
    """Write settings to a file, which appears whole or not at all.

    Raises
    ------
    FormatError
        If the file cannot be written.
    """
    _write_json(path, settings_values(settings))


def write_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Write texts by name to a file, as `write_settings`.

    Raises
    ------
    FormatError
        If the file cannot be written.
    """
    _write_json(path, dict(texts))


def _write_json(path: Path, values: object) -> None:
    text = json.dumps(values, indent=2)
    try:
        with atomic_write(path) as partial:
            partial.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise FormatError(
            f"the settings cannot be written to {path} ({error}); choose another folder"
        ) from error


def settings_values(settings: DockSettings) -> dict[str, Any]:
    """Return settings as values of JSON."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return values


def settings_of(values: object) -> DockSettings:
    """Return the settings that `settings_values` has made values of.

    Raises
    ------
    SamDecoderError
        If they are something else.
    """
    try:
        return _dock_settings(values)
    except (TypeError, ValueError) as error:
        raise OptionError(f"these are no settings of the dock: {error}") from error


def read_settings(path: Path, remedy: str = CHOOSE_ANOTHER) -> DockSettings:
    """Read settings from a file that `write_settings` has written.

    Parameters
    ----------
    path : Path
        Of the file.
    remedy : str
        What to do about a file that cannot be used, as the end of a sentence.

    Raises
    ------
    FormatError
        If the file cannot be read, or holds something else.
    """
    try:
        return _dock_settings(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, SamDecoderError) as error:
        raise FormatError(
            f"{path} cannot be read as settings of the dock ({error}); {remedy}"
        ) from error


def read_texts(path: Path, remedy: str) -> dict[str, str]:
    """Read texts by name from a file that `write_texts` has written.

    Parameters
    ----------
    path : Path
        Of the file.
    remedy : str
        What to do about a file that cannot be used, as the end of a sentence.

    Raises
    ------
    FormatError
        If the file cannot be read, or holds something else.
    """
    try:
        values = _object(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, SamDecoderError) as error:
        raise FormatError(f"{path} cannot be read ({error}); {remedy}") from error
    return {name: str(text) for name, text in values.items()}


ADDED_LATER = {"smallest_window": Settings.smallest_window}
"""Settings of propagation that files of earlier versions do not have."""


def _dock_settings(values: object) -> DockSettings:
    known = _entries(values, DockSettings)
    propagation = ADDED_LATER | _object(known["propagation"])
    return DockSettings(
        model=_model_options(known["model"]),
        propagation=Settings(**_entries(propagation, Settings)),
        only_current=as_bool(known["only_current"], "only_current", OptionError),
        replace=as_bool(known["replace"], "replace", OptionError),
    )


def _model_options(values: object) -> ModelOptions:
    from napari_sam_decoder.model.precision import Precision

    known = _entries(values, ModelOptions)
    contrast, cache = known["contrast"], known["cache"]
    limits = None if contrast is None else Contrast.of(contrast)
    return ModelOptions(
        model=named_or_path(_text(known, "model"), MODELS),
        device=_text(known, "device"),
        contrast=None if limits is None else (limits.low, limits.high),
        cache=None if cache is None else named_or_path(_text(known, "cache"), {"auto"}),
        decoder=decoder_of(_text(known, "decoder")),
        precision=Precision.of(_text(known, "precision")).value,
    )


def _entries(values: object, kind: type[Any]) -> dict[str, Any]:
    """Take an object of JSON that has an entry for each field of a dataclass."""
    names, known = {field.name for field in fields(kind)}, _object(values)
    if wrong := names ^ known.keys():
        raise OptionError(f"missing or unknown: {', '.join(map(str, sorted(wrong)))}")
    return known


def _object(values: object) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise OptionError(f"{values!r} is no object with names and values")
    return values


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values[name]
    if not (isinstance(text, str) and text):
        raise OptionError(f"{name} must be a text, not {text!r}")
    return text
