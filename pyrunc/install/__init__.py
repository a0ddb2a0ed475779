"""How pyrunc gets onto a machine.  Nothing here is imported by a command; `make` and `setup.py` use it.

- `launcher`     the program `pyrunc`
- `archive`      the archive of modules beside the installed package
- `boot`         the finder that serves them; `lean_os`: a stand-in for `os`; both lie in the archive
- `manual`       the manual page
- `completion`   shell completion
"""
