"""What is kept of a container between commands (`record`, in the `store`), what is allowed when (`lifecycle`)."""
