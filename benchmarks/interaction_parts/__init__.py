"""What the benchmark of interaction is made of."""
