"""The network: encoders, prompt encoder, mask decoder and their weights."""
