"""Parts of `calibrate.py`."""
