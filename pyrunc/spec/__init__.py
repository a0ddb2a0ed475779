"""What OCI says: schema, rules, loading, defaults.  Pure but for `load`, which reads the named file."""

OLDEST, NEWEST = "1.0.0", "1.3.0"
"""The versions of the specification that are implemented."""
