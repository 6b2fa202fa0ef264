"""What the tracking benchmark is made of, from reading the data to the report."""
