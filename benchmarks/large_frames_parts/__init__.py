"""Parts of the benchmark of large frames."""
