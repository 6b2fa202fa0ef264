from __future__ import annotations

import gc
import subprocess
import sys
from argparse import Namespace
from types import ModuleType

import pytest

from napari_sam_decoder.cli import conversion

OPTIONS = Namespace(model="a", decoder="b", device="cpu", precision="auto")


class Registry(ModuleType):
    """Notes whether garbage is collected while it is imported."""

    def __init__(self):
        super().__init__("registry")
        self.collecting = []

    @property
    def load_sam(self):
        self.collecting.append(gc.isenabled())
        return lambda model, **_: model


@pytest.fixture
def registry(monkeypatch):
    module = Registry()
    monkeypatch.setitem(sys.modules, "napari_sam_decoder.weights.registry", module)
    return module


def test_no_garbage_is_looked_for_while_torch_is_imported(registry):
    load = conversion.model_loader(OPTIONS)
    assert load("mine", decoder="auto", precision="auto") == "mine"
    assert registry.collecting == [False]
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off(registry):
    gc.disable()
    try:
        conversion.model_loader(OPTIONS)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_collector_is_on_again_after_an_import_that_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari_sam_decoder.weights.registry", None)
    with pytest.raises(ImportError):
        conversion.model_loader(OPTIONS)
    assert gc.isenabled()


def test_a_process_of_our_own_leaves_its_modules_alone_at_its_end():
    code = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0));"
        "import sys; sys.argv[1:] = ['models'];"
        "from napari_sam_decoder.cli import main; main();"
        "print(gc.get_freeze_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["0", "True"]
