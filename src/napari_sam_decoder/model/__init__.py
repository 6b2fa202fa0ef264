"""The network: encoders, prompt encoder, mask decoder and their weights."""

import os

# Read when torch is imported. A thread of GNU's OpenMP that waits for the others keeps
# its core busy for milliseconds, by counting; where anything else needs that core, such
# as a window, a second process or another library's threads, all wait for each other.
# Beside one other busy process a frame took 2.5 s to embed, and so takes 0.7 s.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
