"""Labels on a disk that may be full, or out of reach."""

from __future__ import annotations

import errno
import os

import numpy as np


def _fail(number):
    raise OSError(number, os.strerror(number))


class DiskLabels:
    """An array as a disk has it, not in memory.

    Parameters
    ----------
    pixels : array of int
        What is on the disk.

    Attributes
    ----------
    room : int or None
        How many more writes the disk takes; None for any number.
    is_within_reach : bool
        Whether it can be read.
    """

    def __init__(self, pixels):
        self.pixels = pixels
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim
        self.room, self.is_within_reach = None, True

    def __getitem__(self, index):
        if not self.is_within_reach:
            _fail(errno.EACCES)
        return self.pixels[index]

    def __setitem__(self, index, values):
        if self.room is not None:
            if self.room == 0:
                _fail(errno.ENOSPC)
            self.room -= 1
        self.pixels[index] = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.pixels, dtype)
