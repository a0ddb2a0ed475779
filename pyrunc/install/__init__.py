"""How pyrunc gets onto a machine: launchers, the archive of modules, the manual page, system packages, the demo.

Nothing here is imported by a command; `make` and `setup.py` use it.
"""
