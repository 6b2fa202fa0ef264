"""What `annotation_effort.py` is made of."""
