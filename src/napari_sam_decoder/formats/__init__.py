"""Reading movies and prompts from files, writing labels and reports."""
