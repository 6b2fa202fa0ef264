"""The sections of the dock: each lays out its controls and shows the state.

No section decides anything: requests leave as signals, `show_state` shows the rest.
"""

from __future__ import annotations

from napari_sam_decoder.widgets.parts.frame_part import FramePart
from napari_sam_decoder.widgets.parts.key_list import KeyList
from napari_sam_decoder.widgets.parts.message_part import MessagePart
from napari_sam_decoder.widgets.parts.model_form import ModelForm
from napari_sam_decoder.widgets.parts.model_list import ModelList
from napari_sam_decoder.widgets.parts.movie_part import MoviePart
from napari_sam_decoder.widgets.parts.objects_part import ObjectsPart
from napari_sam_decoder.widgets.parts.project_part import (
    ProjectForm,
    ProjectPart,
    ask_where_to_save,
)
from napari_sam_decoder.widgets.parts.propagation_form import PropagationForm
from napari_sam_decoder.widgets.parts.run_part import RunPart
from napari_sam_decoder.widgets.parts.save_part import SavePart
from napari_sam_decoder.widgets.parts.settings_bar import SettingsBar

__all__ = [
    "FramePart",
    "KeyList",
    "MessagePart",
    "ModelForm",
    "ModelList",
    "MoviePart",
    "ObjectsPart",
    "ProjectForm",
    "ProjectPart",
    "PropagationForm",
    "RunPart",
    "SavePart",
    "SettingsBar",
    "ask_where_to_save",
]
