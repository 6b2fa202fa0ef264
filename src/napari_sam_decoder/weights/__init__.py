"""Weights of networks: where they come from, how they are read, which fit together."""
