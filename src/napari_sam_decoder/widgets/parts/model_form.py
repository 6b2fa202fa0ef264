"""The section for model, device, contrast and cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.frames import Contrast
from napari_sam_decoder.weights.catalogue import (
    AUTO_DECODER,
    DECODERS,
    MODELS,
    local_path,
)
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.parts.controls import row

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["ModelForm"]

LIMIT_WIDTH = 64
_FILE, _FOLDER, _SHOWN, _SET = "file", "folder", "shown", "set"


class ModelForm(QWidget):
    """How frames become embeddings."""

    wished = Signal(object)
    refused = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.options = ModelOptions()
        self._layer: Image | None = None
        self.model_box = QComboBox()
        for name, text in _models_here().items():
            self.model_box.addItem(text, name)
        self.model_box.addItem("weights file…", _FILE)
        self.model_box.setToolTip(
            "The network. `napari-sam-decoder models` lists more to download"
        )
        self.decoder_box = QComboBox()
        for name, text in _decoders_here().items():
            self.decoder_box.addItem(text, name)
        self.decoder_box.addItem("trained file…", _FILE)
        self.decoder_box.setToolTip(
            "What draws masks and rates them; embeddings stay as they are. "
            "`napari-sam-decoder train` makes one from your own labels"
        )
        self.device_box = QComboBox()
        for text, name in (("automatic", "auto"), ("CPU", "cpu"), ("CUDA GPU", "cuda")):
            self.device_box.addItem(text, name)
        self.device_box.addItem("Apple GPU", "mps")
        self.device_box.setToolTip("Where the network computes")
        self.contrast_box = QComboBox()
        self.contrast_box.addItem("automatic", None)
        self.contrast_box.addItem("as the layer is shown", _SHOWN)
        self.contrast_box.addItem("set by hand", _SET)
        self.contrast_box.setToolTip(
            "Which intensities the network sees as black and white, in all frames. "
            "Automatic: the layer's limits if you have set them, else chosen from the "
            "pixels"
        )
        self.low, self.high = QLineEdit(), QLineEdit()
        for field, word in ((self.low, "black"), (self.high, "white")):
            field.setPlaceholderText(word)
            field.setToolTip(f"Intensity that the network sees as {word}")
            field.setFixedWidth(LIMIT_WIDTH)
            field.editingFinished.connect(self._wish_contrast)
        self.cache_box = QComboBox()
        self.cache_box.addItem("kept, place chosen for you", "auto")
        self.cache_box.addItem("in memory only", None)
        self.cache_box.addItem("folder…", _FOLDER)
        self.cache_box.setToolTip("Where embeddings are kept for the next time")
        self._connect()
        self._lay_out()

    def show_state(self, options: ModelOptions, layer: Image | None) -> None:
        """Show the options in force."""
        self.options, self._layer = options, layer
        _show_choice(self.model_box, options.model, str(options.model))
        _show_choice(self.decoder_box, options.decoder, str(options.decoder))
        _show_choice(self.device_box, options.device, options.device)
        _show_choice(self.cache_box, options.cache, str(options.cache))
        self._show_contrast(options.contrast)
        is_set = self.contrast_box.currentData() == _SET
        self.low.setVisible(is_set)
        self.high.setVisible(is_set)

    def _show_contrast(self, contrast: tuple[float, float] | None) -> None:
        choice = self.contrast_box.currentData()
        if contrast is None:
            # Limits that are being typed are not in force yet.
            choice = _SET if choice == _SET else None
        elif choice != _SHOWN or contrast != self._shown_limits():
            choice = _SET
            self._show_limits(contrast)
        place = 0 if choice is None else self.contrast_box.findData(choice)
        self.contrast_box.setCurrentIndex(place)

    def _show_limits(self, contrast: tuple[float, float]) -> None:
        for field, value in zip((self.low, self.high), contrast, strict=True):
            if not field.hasFocus():
                field.setText(f"{value:g}")

    def _shown_limits(self) -> tuple[float, float] | None:
        """Limits of the layer, of which colours have none."""
        if self._layer is None or self._layer.rgb:
            return None
        low, high = self._layer.contrast_limits
        return float(low), float(high)

    def _connect(self) -> None:
        self.model_box.activated.connect(self._on_model)
        self.decoder_box.activated.connect(self._on_decoder)
        self.device_box.activated.connect(self._on_device)
        self.contrast_box.activated.connect(self._wish_contrast)
        self.cache_box.activated.connect(self._on_cache)

    def _lay_out(self) -> None:
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow("Model", self.model_box)
        layout.addRow("Decoder", self.decoder_box)
        layout.addRow("Device", self.device_box)
        layout.addRow("Contrast", row(self.contrast_box, self.low, self.high))
        layout.addRow("Embeddings", self.cache_box)
        for box in self.findChildren(QComboBox):
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )

    def _on_model(self) -> None:
        model = self.model_box.currentData()
        if model == _FILE:
            title, kinds = (
                "Weights of a SAM network",
                "Weights (*.safetensors *.pt *.pth)",
            )
            chosen, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
            model = Path(chosen) if chosen else self.options.model
        self._wish(model=model)

    def _on_decoder(self) -> None:
        decoder = self.decoder_box.currentData()
        if decoder == _FILE:
            title, kinds = "Trained decoder", "Decoders (*.safetensors)"
            chosen, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
            decoder = Path(chosen) if chosen else self.options.decoder
        self._wish(decoder=decoder)

    def _on_device(self) -> None:
        self._wish(device=self.device_box.currentData())

    def _on_cache(self) -> None:
        cache = self.cache_box.currentData()
        if cache == _FOLDER:
            chosen = QFileDialog.getExistingDirectory(self, "Folder for the embeddings")
            cache = Path(chosen) / "embeddings.zarr" if chosen else self.options.cache
        self._wish(cache=cache)

    def _wish_contrast(self) -> None:
        try:
            self._wish(contrast=self._contrast())
        except OptionError as error:
            self.refused.emit(error)

    def _contrast(self) -> tuple[float, float] | None:
        choice = self.contrast_box.currentData()
        if choice == _SHOWN:
            return self._shown_limits()
        texts = self.low.text().strip(), self.high.text().strip()
        if choice != _SET or not all(texts):
            return None
        try:
            limits = Contrast.of([float(text) for text in texts])
        except ValueError as error:
            raise OptionError(
                f"contrast limits must be two numbers, not {texts[0]} and {texts[1]}"
            ) from error
        return limits.low, limits.high

    def _wish(self, **changes: Any) -> None:
        wished = {**vars(self.options), **changes}
        self.wished.emit(ModelOptions(**wished))


def _models_here() -> dict[str, str]:
    """Names and texts of the models whose weights are on this machine."""
    return {
        name: f"{name} ({model.note})" if model.is_bundled else name
        for name, model in MODELS.items()
        if local_path(model).is_file()
    }


def _decoders_here() -> dict[str, str]:
    """Names and texts of the decoders that come with the package."""
    texts = {
        "rated": "SAM's, better pick",
        "sharp": "sharper edges",
        "sam": "SAM's own",
    }
    here = {
        name: texts[name]
        for name, row in DECODERS.items()
        if row.path is None or row.path.is_file()
    }
    return {AUTO_DECODER: "automatic", **here}


def _show_choice(box: QComboBox, value: Any, text: str) -> None:
    """Show a value, as an entry of its own if it is not among the usual ones."""
    place = next(
        (index for index in range(box.count()) if box.itemData(index) == value), None
    )
    if place is None:
        place = box.count() - 1
        box.insertItem(place, text, value)
    box.setCurrentIndex(place)
