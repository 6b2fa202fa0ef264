"""What trained the head that comes with the package."""
