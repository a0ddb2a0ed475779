"""The runtime's half of a plan: effects in the runtime's own namespaces."""
