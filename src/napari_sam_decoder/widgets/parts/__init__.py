"""The sections of the dock: each lays out its controls, says what is wished, and shows.

No section decides anything: wishes leave as signals, and `show_state` draws what is.
"""

from __future__ import annotations

from napari_sam_decoder.widgets.parts.frame_part import FramePart
from napari_sam_decoder.widgets.parts.model_form import ModelForm
from napari_sam_decoder.widgets.parts.movie_part import MoviePart
from napari_sam_decoder.widgets.parts.objects_part import ObjectsPart
from napari_sam_decoder.widgets.parts.propagation_form import PropagationForm
from napari_sam_decoder.widgets.parts.run_part import RunPart
from napari_sam_decoder.widgets.parts.settings_bar import SettingsBar

__all__ = [
    "FramePart",
    "ModelForm",
    "MoviePart",
    "ObjectsPart",
    "PropagationForm",
    "RunPart",
    "SettingsBar",
]
