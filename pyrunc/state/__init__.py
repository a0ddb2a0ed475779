"""What is kept about a container between commands, and what is allowed when."""
