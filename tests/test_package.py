from __future__ import annotations

import subprocess
import sys

import pytest

import napari_sam_decoder

HEAVY = ("torch", "napari", "qtpy", "PyQt6", "PySide6", "dask", "zarr", "skimage")


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_sam_decoder",
        "import napari_sam_decoder.cli.parser as p; p.PROGRAM",
    ],
)
def test_importing_costs_neither_torch_nor_qt(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())


def test_a_session_is_known_without_torch():
    code = (
        "import sys; from napari_sam_decoder import Session, Settings; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]


def test_every_public_name_exists():
    for name in napari_sam_decoder.__all__:
        assert getattr(napari_sam_decoder, name) is not None
    assert set(napari_sam_decoder.__all__) <= set(dir(napari_sam_decoder))


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        napari_sam_decoder.nothing  # noqa: B018


def test_the_package_is_silent_unless_asked() -> None:
    """Not even warnings are shown where nobody has configured logging."""
    script = (
        "import logging, napari_sam_decoder; "
        "logging.getLogger('napari_sam_decoder.cache').warning('heard')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
