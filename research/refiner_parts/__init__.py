"""What teaches the refiner that comes with the package."""
