"""The command line: commands as data, two parsers built from them, output formats, `main`."""
