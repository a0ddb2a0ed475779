"""`make bench`: times and memory beside runc's and crun's, all measured in one run.

Peers: runc and crun where they are installed, and those that the variables RUNC
and CRUN name.  Nothing here is a test: a slow machine makes slow figures, not
failures.  What is measured stands in cases.py and memory.py, how in timing.py,
who in runtimes.py, and how it is shown in table.py and picture.py.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.performance import memory, picture, results, runtimes, table
from tests.performance.bundles import ROOT, compile_static, make_bundles
from tests.performance.cases import CASES
from tests.performance.results import Results, Row
from tests.performance.runtimes import Runtime
from tests.performance.timing import Bench, Effort

HERE = Path(__file__).resolve().parent
PICTURE = "pyrunc/docs/benchmarks.svg"
FULL = Effort()
QUICK = Effort(rounds=1, share=0.1)


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_FLAGS=", description=__doc__.partition(":")[2])
    parser.add_argument("--quick", action="store_true", help="few runs, to try it out")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="only the rows with this text in their titles"
    )
    parser.add_argument("--details", action="store_true", help="print minimum and quartiles too")
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the figures there (build/bench.json)"
    )
    parser.add_argument(
        "--from", metavar="FILE", type=Path, dest="source", help="show these figures, measure nothing"
    )
    parser.add_argument(
        "--publish", action="store_true", help=f"write {PICTURE} and the section of README.md"
    )
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.publish and (options.quick or options.only):
        parser.error("--publish wants everything measured in full")
    return options


def main() -> None:
    """Measure, or read what was measured, and show it."""
    options = options_of(sys.argv[1:])
    if options.source:
        show(results.from_json(json.loads(options.source.read_text())), options)
        return
    if os.geteuid() != 0:
        sys.exit("make bench makes containers and needs root")
    if not shutil.which("hyperfine"):
        sys.exit("make bench needs hyperfine (Debian: apt install hyperfine)")
    if options.scratch is None:
        move_aside()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was made is removed
    try:
        found = measure(options)
    finally:
        subprocess.run(["umount", "--lazy", "--quiet", options.scratch / "state"], check=False)
        shutil.rmtree(options.scratch, ignore_errors=True)
    target = options.json or ROOT / "build/bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(found.to_json(), indent=1) + "\n")
    show(found, options)


def move_aside() -> None:
    """Go on as a copy of the interpreter, in a mount namespace of our own.

    The copy, because pages of the interpreter that we have mapped could not be
    dropped from the page cache.  The namespace, because crun 1.8 takes a host
    that has cgroup v1 and v2 mounted for one with a hugetlb hierarchy; there
    v2 is unmounted, for all.  And the runtimes' records are kept in memory, as
    they are in /run.
    """
    scratch = Path(tempfile.mkdtemp(prefix="pyrunc-bench-", dir="/var/tmp"))
    python = shutil.copy(os.path.realpath(sys.executable), scratch / "python")
    environment = os.environ | {"PYTHONHOME": sys.base_prefix, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        "unshare",
        "--mount",
        str(python),
        str(HERE / "bench.py"),
        *sys.argv[1:],
        "--scratch",
        str(scratch),
    ]
    os.execvpe(command[0], command, environment)


def measure(options: argparse.Namespace) -> Results:
    """Everything, one row after the other."""
    scratch: Path = options.scratch
    (scratch / "state").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch / "state"], check=True)
    unified = Path("/sys/fs/cgroup/unified")
    if unified.is_mount():
        subprocess.run(["umount", unified], check=True)
    for name in ("chain", "forget"):
        compile_static((HERE / f"{name}.c").read_text(), scratch / name)
    effort = QUICK if options.quick else FULL
    bench = Bench(scratch, make_bundles(scratch), effort)
    with runtimes.installed(scratch) as ours:
        os.sync()
        everyone = [*ours, *runtimes.peers(scratch)]
        found = Results({each.key: each.title for each in everyone}, results.describe_host(everyone))
        found.notes += ["tried out: few runs, and a tenth of the many containers"] * options.quick
        found.notes += [f"{name} is not installed" for name in runtimes.missing_peers(everyone)]
        try:
            found.notes += stays_in_memory(scratch, everyone)
            measure_rows(bench, everyone, found, options.only)
        finally:
            for runtime in everyone:
                runtime.clean()
    return found


def stays_in_memory(scratch: Path, everyone: Sequence[Runtime]) -> list[str]:
    """A note on what `cold` does not drop."""
    kept = []
    for runtime in everyone:
        runtimes.output([scratch / "forget", runtime.file_list])
        kept.append(
            f"{runtime.title} {runtimes.output([scratch / 'forget', '-r', runtime.file_list]).strip()} KiB"
        )
    return [
        f"cold: of the runtime's files, what other processes had mapped stayed in memory: {', '.join(kept)}"
    ]


def measure_rows(bench: Bench, everyone: Sequence[Runtime], found: Results, only: str) -> None:
    """Times, then memory; each row is announced when it is done."""
    begin = time.monotonic()
    for case in CASES:
        if only in case.title:
            found.rows.append(Row(case.title, "ms", case.about, bench.measure(case, everyone)))
            print(f"{time.monotonic() - begin:5.0f} s  {case.title}", file=sys.stderr, flush=True)
    for title, about, samples, read in memory.ROWS:
        if only in title:
            found.rows.append(Row(title, "KiB", about, memory.measure(bench, everyone, samples, read)))
            print(f"{time.monotonic() - begin:5.0f} s  {title}", file=sys.stderr, flush=True)


def show(found: Results, options: argparse.Namespace) -> None:
    """Print the table, draw the picture, and with --publish put both where they are read."""
    print(table.text(found))
    if options.details:
        print("\n" + table.details(found))
    drawn = ROOT / (PICTURE if options.publish else "build/benchmarks.svg")
    drawn.parent.mkdir(exist_ok=True)
    drawn.write_text(picture.draw(found))
    print(f"picture: {drawn.relative_to(ROOT)}")
    if options.publish:
        readme = ROOT / "README.md"
        readme.write_text(table.replace_section(readme.read_text(), table.markdown(found, PICTURE)))


if __name__ == "__main__":
    main()
