"""The form for model, device, contrast and cache."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, LineEdit, PushButton
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.frames import Contrast
from napari_sam_decoder.weights import catalogue
from napari_sam_decoder.weights.catalogue import (
    AUTO_DECODER,
    DECODERS,
)
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.parts.controls import narrow
from napari_sam_decoder.widgets.parts.forms import (
    OpenChoice,
    column_of,
    compact,
    form_layout,
    row_of,
    show,
)
from napari_sam_decoder.widgets.parts.model_list import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Image

__all__ = ["ModelForm"]

DEVICES = (
    ("automatic", "auto"),
    ("CPU", "cpu"),
    ("CUDA GPU", "cuda"),
    ("Apple GPU", "mps"),
)
PRECISIONS = (
    ("automatic", "auto"),
    ("float32", "float32"),
    ("bfloat16", "bfloat16"),
    ("float16", "float16"),
    ("int8", "int8"),
)
_DECODERS = "Trained decoder", "Decoders (*.safetensors)"
_IN_MEMORY = "memory"
_AUTOMATIC, _SHOWN, _SET = "auto", "shown", "set"


class ModelForm(QWidget):
    """How frames become embeddings, and these become masks.

    Attributes
    ----------
    model, decoder, device, precision, cache : OpenChoice
    contrast : ContrastField
    models : magicgui.widgets.PushButton
        Asks for the list of all models.
    """

    requested = Signal(object)
    model_chosen = Signal(object)
    refused = Signal(object)
    models_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.options = ModelOptions()
        self.model = self._model_choice()
        self.models = self._models_button()
        self.decoder = self._decoder_choice()
        self.device = self._device_choice()
        self.precision = self._precision_choice()
        self.contrast = ContrastField(self._request_contrast)
        self.cache = self._cache_choice()
        fields = (
            row_of(self.model, self.models, label="Model", tooltip=self.model.tooltip),
            self.decoder,
            self.device,
            self.precision,
            self.contrast.form,
            self.cache,
        )
        self.setLayout(form_layout(fields))

    def show_state(self, options: ModelOptions, layer: Image | None) -> None:
        """Show the options in force."""
        self.options = options
        self.offer_models()
        self.model.show_value(options.model)
        self.decoder.show_value(options.decoder)
        self.device.show_value(options.device)
        self.precision.show_value(options.precision)
        self.cache.show_value(_IN_MEMORY if options.cache is None else options.cache)
        self.contrast.show_value(options.contrast, layer)

    def offer_models(self) -> None:
        """Offer the models that are here by now."""
        self.model.offer(_models_here())

    def _model_choice(self) -> OpenChoice:
        return OpenChoice(
            _models_here(),
            ask=("weights file…", partial(self._ask_file, *WEIGHTS)),
            on_choice=self.model_chosen.emit,
            label="Model",
            tooltip="The network. 'Models…' lists more to download",
        )

    def _models_button(self) -> PushButton:
        models = PushButton(
            text="Models…",
            tooltip="List all known models with what each is for, and download them",
        )
        # The space bar must go on panning the canvas after a click here.
        models.native.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        models.changed.connect(lambda _: self.models_requested.emit())
        narrow(models.native)
        return models

    def _decoder_choice(self) -> OpenChoice:
        return OpenChoice(
            _decoders_here(),
            ask=("trained file…", partial(self._ask_file, *_DECODERS)),
            on_choice=lambda value: self._request(decoder=value),
            label="Decoder",
            tooltip="What draws masks and rates them; embeddings stay as they are. "
            "`napari-sam-decoder train` makes one from your own labels",
        )

    def _device_choice(self) -> OpenChoice:
        return OpenChoice(
            DEVICES,
            on_choice=lambda value: self._request(device=value),
            label="Device",
            tooltip="Where the network computes",
        )

    def _precision_choice(self) -> OpenChoice:
        return OpenChoice(
            PRECISIONS,
            on_choice=lambda value: self._request(precision=value),
            label="Precision",
            tooltip="Number type in which the network computes. Automatic: the fastest "
            "that is safe on the device. Embeddings of different ones are not mixed",
        )

    def _cache_choice(self) -> OpenChoice:
        return OpenChoice(
            [("kept on this computer", "auto"), ("in memory only", _IN_MEMORY)],
            ask=("folder…", self._ask_folder),
            on_choice=self._request_cache,
            label="Embeddings",
            tooltip="Where embeddings are kept for the next time",
        )

    def _ask_file(self, title: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        return Path(chosen) if chosen else None

    def _ask_folder(self) -> Path | None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the embeddings")
        return Path(chosen) / "embeddings.zarr" if chosen else None

    def _request_cache(self, cache: str | Path) -> None:
        self._request(cache=None if cache == _IN_MEMORY else cache)

    def _request_contrast(self) -> None:
        try:
            self._request(contrast=self.contrast.value)
        except OptionError as error:
            self.refused.emit(error)

    def _request(self, **changes: Any) -> None:
        self.requested.emit(replace(self.options, **changes))


class ContrastField:
    """Which intensities the network sees as black and white.

    Parameters
    ----------
    on_change : callable
        Is called once a person has chosen or typed something.

    Attributes
    ----------
    box : magicgui.widgets.ComboBox
        Automatic, as the layer is shown, or set by hand.
    low, high : magicgui.widgets.LineEdit
        What is set by hand, hidden otherwise.
    form : magicgui.widgets.Container
        All of it, as one field of a form.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._layer: Image | None = None
        self.box = ComboBox(
            choices=[
                ("automatic", _AUTOMATIC),
                ("as the layer is shown", _SHOWN),
                ("set by hand", _SET),
            ],
            tooltip="Which intensities the network sees as black and white, in all "
            "frames. Automatic: the layer's limits if you have set them, else chosen "
            "from the pixels",
        )
        compact(self.box)
        self.box.changed.connect(lambda _: on_change())
        self.low, self.high = LineEdit(), LineEdit()
        for field, word in ((self.low, "black"), (self.high, "white")):
            field.tooltip = f"Intensity that the network sees as {word}"
            field.native.setPlaceholderText(word)
            # Not after each key: half a number is none.
            field.native.editingFinished.connect(on_change)
        self._limits = row_of(self.low, self.high)
        self._limits.hide()
        self.form = column_of(
            self.box, self._limits, label="Contrast", tooltip=self.box.tooltip
        )

    def show_value(
        self, contrast: tuple[float, float] | None, layer: Image | None
    ) -> None:
        """Show the contrast in force for a layer."""
        self._layer = layer
        choice = self.box.value
        if contrast is None:
            # Limits that are being typed are not in force yet.
            choice = _SET if choice == _SET else _AUTOMATIC
        elif choice != _SHOWN or contrast != self._shown_limits():
            choice = _SET
            self._show_limits(contrast)
        show(self.box, choice)
        self._limits.visible = choice == _SET

    @property
    def value(self) -> tuple[float, float] | None:
        """What is chosen; None for automatic, and where a limit is missing.

        Raises
        ------
        OptionError
            If what was typed makes no sense.
        """
        if self.box.value == _SHOWN:
            return self._shown_limits()
        texts = self.low.value.strip(), self.high.value.strip()
        if self.box.value != _SET or not all(texts):
            return None
        try:
            limits = Contrast.of([float(text) for text in texts])
        except ValueError as error:
            raise OptionError(
                f"contrast limits must be two numbers, not {texts[0]} and {texts[1]}"
            ) from error
        return limits.low, limits.high

    def _show_limits(self, contrast: tuple[float, float]) -> None:
        for field, value in zip((self.low, self.high), contrast, strict=True):
            if not field.native.hasFocus():
                show(field, f"{value:g}")

    def _shown_limits(self) -> tuple[float, float] | None:
        """Limits of the layer, of which colours have none."""
        if self._layer is None or self._layer.rgb:
            return None
        low, high = self._layer.contrast_limits
        return float(low), float(high)


def _models_here() -> Iterator[tuple[str, str]]:
    """Texts and names of the models whose weights are on this machine."""
    for name, model in catalogue.MODELS.items():
        if model.is_here:
            yield name, name


def _decoders_here() -> Iterator[tuple[str, str]]:
    """Texts and names of the decoders that come with the package."""
    texts = {
        "rated": "SAM's, better pick",
        "sharp": "sharper edges",
        "cells": "for microscopy",
        "sam": "SAM's own",
    }
    yield "automatic", AUTO_DECODER
    for name, row in DECODERS.items():
        if row.path is None or row.path.is_file():
            yield texts[name], name
