"""``python -m napari_sam_decoder`` is the command line."""

from __future__ import annotations

import sys

from napari_sam_decoder.cli import main

sys.exit(main())
