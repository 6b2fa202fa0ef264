"""Scenes, lessons and stages of training of the shipped head."""
