"""Parts of `finetuning.py`."""
