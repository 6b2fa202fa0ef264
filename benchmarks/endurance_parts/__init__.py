"""What the endurance benchmark runs on: an endless movie and an ideal network."""
