from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import QObject

from napari_sam_decoder.widgets.soon import Soon

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("qapp")]


def test_it_is_done_once_however_often_it_is_asked_for(qtbot):
    done, owner = [], QObject()
    soon = Soon(lambda: done.append(True), 20, owner)
    for _ in range(3):
        soon.ask()
    assert done == [], "not at once"
    qtbot.waitUntil(lambda: done == [True])
    assert not soon.isActive()
    soon.ask()
    qtbot.waitUntil(lambda: done == [True, True])


def test_asking_again_does_not_put_it_off():
    owner = QObject()
    soon = Soon(lambda: None, 10_000, owner)
    soon.ask()
    started = soon.timerId()
    soon.ask()
    assert soon.timerId() == started
