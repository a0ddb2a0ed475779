"""What is kept of a container between commands (`record`, `store`), what is allowed when (`lifecycle`)."""
