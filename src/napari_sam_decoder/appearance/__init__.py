"""What an object looks like: features of a frame, and a memory of accepted frames."""
