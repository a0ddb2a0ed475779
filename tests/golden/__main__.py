"""Write all plans anew: python -m tests.golden --update"""

from __future__ import annotations

import sys

from tests.golden.plans import PLANS, all_files, text_of

if sys.argv[1:] != ["--update"]:
    sys.exit(__doc__)
files = all_files()
for old in PLANS.rglob("*.txt"):
    if str(old.relative_to(PLANS)) not in files:
        old.unlink()
for file, (profile, name) in files.items():
    path = PLANS / file
    path.parent.mkdir(parents=True, exist_ok=True)
    text = text_of(profile, name)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        print(f"wrote {file}")
