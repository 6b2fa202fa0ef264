from __future__ import annotations

import pytest

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project import (
    History,
    ObjectRecord,
    RunRequest,
    locked_objects,
    require_unlocked,
)
from napari_sam_decoder.prompts import Prompt, PromptSet

PROMPTS = PromptSet([Prompt(one, 0, points=[(1, 1)]) for one in (1, 2, 3)])


@pytest.fixture
def document():
    """Three objects, of which two are locked."""
    document = History().document
    for object_id, is_locked in ((1, False), (2, True), (3, True)):
        record = ObjectRecord(f"cell {object_id}", is_locked=is_locked)
        document.table("objects")[object_id] = record
    return document


def test_locked_objects_are_known(document):
    assert locked_objects(document) == {2, 3}
    require_unlocked(document, [1, 7])
    with pytest.raises(PromptError, match=r"'cell 2' is locked .* unlock it first"):
        require_unlocked(document, [1, 2])
    with pytest.raises(PromptError, match="'cell 2', 'cell 3' are locked"):
        require_unlocked(document, [3, 2])


def test_a_request_leaves_locked_objects_out_unless_they_are_meant(document):
    assert RunRequest().without_locked(PROMPTS, document).object_ids == (1,)
    named = RunRequest(object_ids=(1,))
    assert named.without_locked(PROMPTS, document) is named
    with pytest.raises(PromptError, match="'cell 3' is locked"):
        RunRequest(object_ids=(1, 3)).without_locked(PROMPTS, document)
    with pytest.raises(PromptError, match="are locked"):
        RunRequest().without_locked(PROMPTS.without(1), document)
    everything = RunRequest()
    assert everything.without_locked(PROMPTS.without(2).without(3), document) is (
        everything
    )
