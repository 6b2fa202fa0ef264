"""Weights: known models, safe reading of checkpoints, and trained decoders."""
