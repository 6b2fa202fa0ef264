"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["describe"]

CPUINFO = Path("/proc/cpuinfo")
TELLING_FLAGS = "avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"
VARIABLES = "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OMP_NUM_THREADS"
PACKAGES = "numpy", "torch", "zarr", "onnxruntime"


def describe(sam: Sam) -> dict[str, Any]:
    """Tell what the processor offers and what is made of it.

    Parameters
    ----------
    sam : Sam
        Ours; peers compute in float32.

    Returns
    -------
    dict
        To be written as JSON.
    """
    cpuinfo = CPUINFO.read_text() if CPUINFO.exists() else ""
    return {
        "cpu": _field(cpuinfo, "model name") or platform.processor(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "offers": _offers(_field(cpuinfo, "flags")),
        "torch_uses": torch.backends.cpu.get_cpu_capability(),
        "limits": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        # The number type is the last word of what tells results apart.
        "precision": sam.identity.split()[-1],
        "precision_of_peers": "float32",
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _field(cpuinfo: str, name: str) -> str:
    found = re.search(rf"^{name}\s*: (.*)$", cpuinfo, re.MULTILINE)
    return found[1] if found else ""


def _offers(flags: str) -> list[str]:
    there = set(flags.split())
    return [flag for flag in TELLING_FLAGS if flag in there]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
