"""What `window_latency.py` is made of."""
