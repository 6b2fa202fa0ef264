"""What the division benchmark runs on: movies of cells, of which some divide."""
