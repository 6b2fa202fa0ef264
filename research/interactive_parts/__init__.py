"""What teaches the networks of interactive segmentation, and its pictures."""
