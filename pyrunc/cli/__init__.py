"""The command line, from words to an exit code.

- `main`           understands a command line, carries it out, reports
- `commands`       every command as data; `rare`: flags of the rarer ones, `details`: longer help
- `parser`         the exact parser of complete, valid command lines; `app`: click, for all others
- `output`         what commands print; `version`: what --version does
"""
