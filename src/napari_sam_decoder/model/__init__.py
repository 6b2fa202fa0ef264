"""The network: SAM with its image encoders, and the heads beside its decoder."""
