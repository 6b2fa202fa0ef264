"""Segment objects through movies and volumes from a click."""
