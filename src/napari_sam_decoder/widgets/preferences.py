"""What a new window starts with: the values that were set the last time, and keys.

napari 0.9 and later keep them for plugins and show them in its Preferences; the
manifest declares them. For earlier ones a file beside napari's own settings keeps them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.settings import get_settings

from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.weights.catalogue import MODELS
from napari_sam_decoder.widgets.commands import DEFAULT_KEYS
from napari_sam_decoder.widgets.movie_state import (
    ModelOptions,
    decoder_of,
    named_or_path,
)
from napari_sam_decoder.widgets.saved_settings import (
    DockSettings,
    read_settings,
    read_texts,
    write_settings,
    write_texts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "keep_keys",
    "keep_preferences",
    "read_keys",
    "read_preferences",
    "when_edited",
]

PLUGIN = "napari-sam-decoder"


def read_preferences() -> DockSettings:
    """Return what a new window starts with.

    Raises
    ------
    SamDecoderError
        If what is kept cannot be used.
    """
    preferences = _in_napari()
    if preferences is not None:
        return _from_napari(preferences)
    path = _own_file()
    if path is None or not path.exists():
        return DockSettings()
    return read_settings(path, "delete it to start over with the usual ones")


def keep_preferences(settings: DockSettings) -> None:
    """Let the next window start with these settings.

    What belongs to one movie or run is left out.

    Raises
    ------
    FormatError
        If they cannot be written.
    OptionError
        If napari refuses one of them.
    """
    kept = settings.for_another_movie()
    preferences = _in_napari()
    if preferences is not None:
        _write_to_napari(preferences, kept)
    elif path := _own_file():
        write_settings(path, kept)


def read_keys() -> dict[str, str]:
    """Return the keys that are kept, by the names of commands.

    Raises
    ------
    FormatError
        If what is kept cannot be read.
    """
    preferences = _in_napari()
    if preferences is not None:
        return {name: getattr(preferences.keys, name) for name in DEFAULT_KEYS}
    path = _own_keys_file()
    if path is None or not path.exists():
        return {}
    return read_texts(path, "delete it to start over with the usual keys")


def keep_keys(keys: Mapping[str, str]) -> None:
    """Let commands have these keys from now on.

    Parameters
    ----------
    keys : mapping of str to str
        By the names of commands; empty for none.

    Raises
    ------
    FormatError
        If they cannot be written.
    """
    preferences = _in_napari()
    if preferences is not None:
        with _writing_to_napari(preferences):
            preferences.keys.update(dict(keys))
    elif path := _own_keys_file():
        write_texts(path, keys)


def when_edited(listener: Callable[[object], None]) -> None:
    """Call a method whenever keys are changed in napari's Preferences.

    Parameters
    ----------
    listener : callable
        A method, of an object that this does not keep.
    """
    preferences = _in_napari()
    if preferences is not None:
        preferences.keys.events.connect(listener)


def _in_napari() -> Any | None:
    """Return what napari keeps for the plugin; None where it keeps nothing."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        # napari 0.8 and before.
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        # The plugin is disabled, or napari has not found it.
        return None


def _own_file() -> Path | None:
    """Name the file beside napari's own settings; None where napari keeps none."""
    beside = get_settings().config_path
    return None if not beside else Path(beside).with_name(f"{PLUGIN}.json")


def _own_keys_file() -> Path | None:
    path = _own_file()
    return None if path is None else path.with_name(f"{PLUGIN}-keys.json")


def _from_napari(preferences: Any) -> DockSettings:
    model, propagation = preferences.model, preferences.propagation
    options = ModelOptions(
        model=named_or_path(model.model, MODELS),
        device=model.device,
        cache="auto" if model.keep_embeddings else None,
        decoder=decoder_of(model.decoder),
        precision=model.precision,
    )
    values = {
        field.name: getattr(propagation, field.name) for field in fields(Settings)
    }
    return DockSettings(options, Settings(**values))


def _write_to_napari(preferences: Any, settings: DockSettings) -> None:
    options = settings.model
    model = {
        "model": str(options.model),
        "decoder": str(options.decoder),
        "device": options.device,
        "precision": options.precision,
        "keep_embeddings": options.cache is not None,
    }
    with _writing_to_napari(preferences):
        preferences.model.update(model)
        preferences.propagation.update(vars(settings.propagation))


@contextmanager
def _writing_to_napari(preferences: Any) -> Iterator[None]:
    """Turn what goes wrong into errors that name a remedy.

    napari writes its file after each value that has changed.
    """
    try:
        yield
    except OSError as error:
        raise FormatError(
            f"napari cannot write the preferences of the plugin ({error}); make "
            f"{preferences.config_path} writable"
        ) from error
    except ValueError as error:
        raise OptionError(
            f"napari cannot keep these settings for the next window: {error}"
        ) from error
