"""How pyrunc gets onto a machine: launchers, module archive, manual page, completion, packages, demo.

Nothing here is imported by a command; `make` and `setup.py` use it.
"""
