"""What teaches the networks of interactive segmentation, and its pictures.

Clicks are simulated by what `benchmarks/tracking.py` uses for it.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
