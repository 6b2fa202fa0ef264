"""Fine-tuning of SAM's mask decoder on the objects of a few frames."""
