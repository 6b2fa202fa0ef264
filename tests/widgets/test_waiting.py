from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import QTimer

from napari_sam_decoder.widgets.waiting import wait_until

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("qapp")]


def test_the_window_lives_meanwhile():
    events = []
    QTimer.singleShot(0, lambda: events.append("click"))
    assert wait_until(lambda: events == ["click"], timeout=20)


def test_what_is_done_already_is_done():
    assert wait_until(lambda: True, timeout=20)


def test_waiting_has_an_end():
    assert not wait_until(lambda: False, timeout=0.05)


def test_what_gets_done_at_the_last_moment_counts():
    answers = iter([True])
    assert wait_until(lambda: next(answers, True), timeout=0)


def test_one_may_wait_while_another_waits():
    inner = []
    QTimer.singleShot(0, lambda: inner.append(wait_until(lambda: True, timeout=20)))
    assert wait_until(lambda: inner == [True], timeout=20)
