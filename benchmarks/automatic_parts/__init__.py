"""Parts of ``automatic.py``."""
