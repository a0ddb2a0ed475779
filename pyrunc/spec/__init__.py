"""What OCI says: schema, rules, loading, defaults.  Pure but for `load`, which reads the named file."""
