"""Nothing that counts for the whole process changes, neither on import nor by work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, {here!r})
from process_settings import changes, settings
alone = settings()
import dask, numcodecs.blosc, PIL.Image, PIL.ImageFile, pooch, safetensors.torch
import scipy.ndimage, scipy.sparse, skimage.segmentation, tifffile, torch, zarr
before = settings()
import napari_sam_decoder
for module in pkgutil.walk_packages(
    napari_sam_decoder.__path__, "napari_sam_decoder.", onerror=lambda name: None
):
    if not module.name.startswith("napari_sam_decoder.widgets"):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
after = settings()
print(changes(before, after), changes({{"environment": alone["environment"]}}, after))
"""

WORK = """
import sys
sys.path.insert(0, {here!r})
import numpy as np, torch, zarr, dask, numcodecs.blosc, PIL.Image, PIL.ImageFile
import scipy.special
from napari_sam_decoder import Prompt, Session, load_sample
from napari_sam_decoder.weights.registry import load_sam
from process_settings import changes, settings, threads_of_a_newcomer
torch.set_num_threads(4)
before = settings()
model = load_sam(device="cpu")
frames, threads = load_sample("cells").frames[:4], set()
with Session(frames, model=model, cache={cache!r}) as session:
    for step in session.embed():
        threads |= {{torch.get_num_threads(), threads_of_a_newcomer()}}
    session.add_prompt(Prompt(1, 0, [(158, 155)]))
    session.add_prompt(Prompt(2, 0, [(60, 60)]))
    for result in session.propagate():
        threads |= {{torch.get_num_threads(), threads_of_a_newcomer()}}
print(changes(before, settings()), threads, step.frame, result.frame)
"""


def run(code, **places):
    done = subprocess.run(
        [sys.executable, "-c", code.format(here=str(HERE), **places)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_sets_nothing():
    assert run(IMPORT_ALL) == "[] []"


@pytest.mark.slow
def test_a_session_sets_nothing_that_others_notice(tmp_path):
    assert run(WORK, cache=str(tmp_path / "cache.zarr")) == "[] {4} 3 3"
