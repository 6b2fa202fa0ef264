"""Parts of `decoder.py` and `decoder_ablation.py`.

Sequences are read, and masks scored, by what `benchmarks/tracking.py` uses for it.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
