from __future__ import annotations

import pytest
from made_up import bench_with


@pytest.fixture
def bench(qapp, monkeypatch, tiny_sam):
    """A workbench without a window, whose network takes milliseconds."""
    bench = bench_with(tiny_sam, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def shown(qtbot):
    """Show a part of the dock, and take it away after the test."""

    def show(part):
        qtbot.addWidget(part)
        part.show()
        return part

    return show


@pytest.fixture
def heard():
    """What a signal has said so far."""

    def listen(signal):
        values = []
        signal.connect(lambda *news: values.append(news[0] if news else None))
        return values

    return listen
