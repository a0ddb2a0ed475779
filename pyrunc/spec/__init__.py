"""What OCI says: is a document valid, and if not, why.  Pure but for `load`, which reads the named file.

- `load`           files, and the order of the checks
- `schema`         the verdict: the interpreter of `schema_table`, generated from spec-fixtures/schema
- `nulls`          properties that are null, taken for absent
- `rules`          the MUSTs that a schema cannot say; those of `linux` are in `rules_linux`
- `explain`        every violation in words, through `json_schema` on `schema_document`; `position`: its line
- `types`          the shape of documents, for the type checker; `types_linux`: that of `linux`
- `defaults`       the configuration that `pyrunc spec` writes
"""

OLDEST, NEWEST = "1.0.0", "1.3.0"
"""The versions of the specification that are implemented."""
