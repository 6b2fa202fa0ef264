"""Parts of `decoder.py`."""
