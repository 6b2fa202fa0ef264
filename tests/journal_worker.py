"""A process to be killed: writes ops to the project PATH and says which are saved.

python journal_worker.py PATH
"""

from __future__ import annotations

import sys
import time
from itertools import count
from pathlib import Path

from napari_sam_decoder.project.journal import JournalWriter

if __name__ == "__main__":
    writer, _ = JournalWriter.append_to(Path(sys.argv[1]))
    for number in count():
        writer.write({"op": "step", "value": number, "changes": ["x" * 5000]})
        # A disk may take its time: only what is saved is promised.
        assert writer.flush()
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        time.sleep(0.002)
