"""What the scripts that train have in common."""
