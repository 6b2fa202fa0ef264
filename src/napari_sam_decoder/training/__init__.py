"""Teach decoders: scenes, lessons, tasks, and the loop."""
