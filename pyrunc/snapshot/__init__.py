"""The startup snapshot: a booted interpreter in a file, mapped back by a small static program.

Opt-in, for root, for one host.  Nothing outside of this package and of
csrc/snapshot knows of it but the command table and `make install`.

- `build`     makes the image: boots an interpreter, tests the image (`selftest`), installs it
- `booted`    runs in that interpreter: imports, warms up (`warm`), dumps, and goes on in restored processes
- `training`  which pages commands write, so that the loader copies them at once
- `fixup`     makes a restored process a new one: arguments, environment, streams, signals
- `keys`      the files that must not have changed, and the image's header
- `place`     where things are
- `launcher`  writes the program that prefers the image
- `status`    whether it is in use, and why not
"""

from __future__ import annotations

RESTORED = False
"""Whether this process came out of an image."""
