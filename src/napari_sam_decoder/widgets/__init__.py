"""The napari side; the only place that knows Qt and napari."""
