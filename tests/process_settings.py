"""What a process is set to as a whole, for tests that nothing of it changes."""

from __future__ import annotations

import copy
import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import warnings

import numpy as np

FOREIGN_LOGGERS = ("tifffile", "zarr", "PIL", "pooch", "torch", "numcodecs", "asyncio")


def settings():
    """Settings by name, comparable with those of another moment.

    Of libraries only those that are loaded have any.
    """
    found = {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": _umask(),
        "niceness": os.nice(0),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": {name: signal.getsignal(name) for name in signal.valid_signals()},
        "socket": socket.getdefaulttimeout(),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "recursion": sys.getrecursionlimit(),
        "switching": sys.getswitchinterval(),
        "collector": (gc.isenabled(), gc.get_threshold()),
        # Not `tempfile.tempdir`, in which the first to ask notes the very same folder.
        "temporary": tempfile.gettempdir(),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "loggers": {name: _logger(name) for name in ("", *FOREIGN_LOGGERS)},
        "random": random.getstate(),
        "numpy": (np.geterr(), np.get_printoptions(), _numpy_random()),
    }
    for name, ask in _LIBRARIES.items():
        if name in sys.modules:
            found[name] = ask(sys.modules[name])
    return found


def changes(before, after):
    """Names of the settings of before that are others now."""
    return [name for name in before if before[name] != after.get(name)]


def threads_of_a_newcomer():
    import torch

    answers = []
    thread = threading.Thread(target=lambda: answers.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return answers[0]


def _numpy_random():
    return repr(np.random.get_state())  # noqa: NPY002 - others may still use it


def _umask():
    umask = os.umask(0o22)
    os.umask(umask)
    return umask


def _logger(name):
    logger = logging.getLogger(name)
    return logger.level, logger.disabled, logger.propagate, list(logger.handlers)


def _torch(torch):
    return {
        "threads": (torch.get_num_threads(), threads_of_a_newcomer()),
        "interop": torch.get_num_interop_threads(),
        "types": (torch.get_default_dtype(), torch.get_default_device()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "products": torch.get_float32_matmul_precision(),
        "onednn": (torch.backends.mkldnn.enabled, torch.backends.mkldnn.deterministic),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "tf32": (
            torch.backends.cudnn.allow_tf32,
            torch.backends.cuda.matmul.allow_tf32,
        ),
        "random": torch.random.get_rng_state().numpy().tobytes(),
    }


_LIBRARIES = {
    "torch": _torch,
    "PIL.Image": lambda pil: pil.MAX_IMAGE_PIXELS,
    "PIL.ImageFile": lambda pil: pil.LOAD_TRUNCATED_IMAGES,
    "zarr": lambda zarr: copy.deepcopy(zarr.config.config),
    "dask": lambda dask: copy.deepcopy(dask.config.config),
    "numcodecs.blosc": lambda blosc: (blosc.use_threads, blosc.get_nthreads()),
    "matplotlib": lambda matplotlib: dict(matplotlib.rcParams),
}
