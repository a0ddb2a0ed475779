"""The benchmark's own parts: commands from the table of cases, ratios, what is shown; `chain` reaps what it should."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.performance import picture, results, table
from tests.performance.bundles import compile_static
from tests.performance.cases import CASES
from tests.performance.results import Results, Row
from tests.performance.runtimes import Runtime
from tests.performance.timing import Bench, Effort, describe

HERE = Path(__file__).resolve().parent
NAMES = ("true", "sleep", "docker", "unfiltered", "mounts", "masked", "hostnet")
BUNDLES = {name: Path("/b") / name for name in NAMES}


@pytest.fixture
def found() -> Results:
    rows = [
        Row("run", "ms", "", {"pyrunc": {"median": 8.0}, "runc": {"median": 16.0}, "crun": {"median": 4.0}}),
        Row(
            "exec",
            "ms",
            "",
            {"pyrunc": {"median": 80.0}, "runc": {"cannot": "no <way>"}, "crun": {"median": 4.0}},
        ),
    ]
    titles = {"pyrunc": "pyrunc", "runc": "runc 1", "crun": "crun 2"}
    return Results(titles, "a machine · " * 30, ["a note"], rows)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    return compile_static((HERE / "chain.c").read_text(), tmp_path / "chain")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_every_case_becomes_commands(case, tmp_path: Path) -> None:
    runtime = Runtime("crun", "crun 2", Path("/usr/bin/crun"), tmp_path, file_list="/list")
    bench = Bench(tmp_path, BUNDLES, Effort())
    for text in filter(None, (case.timed, case.before_each, case.setup)):
        command = bench.command(text, runtime)
        assert not any("{" in word for word in command)
        assert command[0] in ("/usr/bin/crun", bench.chain, str(tmp_path / "forget"))


def test_many_containers_are_one_command(tmp_path: Path) -> None:
    runtime = Runtime("crun", "crun 2", Path("/usr/bin/crun"), tmp_path)
    command = Bench(tmp_path, BUNDLES, Effort()).many("start {id} , wait , -!/bin/rm {id}", runtime, 3)
    state = runtime.program[2]
    chain = [str(tmp_path / "chain"), "/usr/bin/crun", "--root", state, "start", "%"]
    assert command[-len(chain) - 5 :] == [*chain, ",", "wait", ",", "-/bin/rm", "%"]
    assert Path(command[2]).read_text().count("\n") == 3


def test_quartiles() -> None:
    figure = describe([4.0, 1.0, 2.0, 3.0, 5.0])
    assert figure == {"minimum": 1.0, "q1": 2.0, "median": 3.0, "q3": 4.0, "samples": 5}
    assert describe([7.0])["q3"] == 7.0


def test_table_says_ratios_and_failures(found: Results) -> None:
    shown = table.text(found)
    run = next(line for line in shown.splitlines() if line.startswith("run, ms")).split()
    assert run == ["run,", "ms", "8.00", "|", "16.00", "0.50", "|", "4.00", "2.00"]
    assert "note: exec: runc 1: no <way>" in shown
    assert "note: a note" in shown


def test_results_survive_json(found: Results) -> None:
    assert results.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_picture_is_well_formed(found: Results) -> None:
    tree = ElementTree.fromstring(picture.draw(found))
    texts = [element.text for element in tree.iter() if element.tag.endswith("}text")]
    assert "2.00× · 8.00 ms" in texts
    assert "20.00× · 80.00 ms" in texts
    assert "cannot" in texts
    right = [
        float(bar.get("x", 0)) + float(bar.get("width", 0))
        for bar in tree.iter()
        if bar.tag.endswith("}rect")
    ]
    assert max(right) <= picture.WIDTH - picture.MARGIN - picture.VALUES


def test_readme_has_the_section(found: Results) -> None:
    readme = (HERE.parents[1] / "README.md").read_text()
    page = table.replace_section(readme, table.markdown(found, "x.svg"))
    assert "| run, ms | 8.00 | 16.00 (0.50) | 4.00 (2.00) |" in page
    assert table.replace_section(page, table.markdown(found, "x.svg")) == page
    assert page.partition(table.BEGIN)[0] == readme.partition(table.BEGIN)[0]
    assert page.partition(table.END)[2] == readme.partition(table.END)[2]
    with pytest.raises(ValueError, match="bench"):
        table.replace_section("nothing", "")


def test_chain_waits_for_what_commands_leave(chain: Path, tmp_path: Path) -> None:
    left = ["/bin/sh", "-c", f"(read line <{tmp_path}/fifo; echo late >{tmp_path}/late) & exit 0"]
    release = ["/bin/sh", "-c", f"echo go >{tmp_path}/fifo"]
    subprocess.run(["mkfifo", tmp_path / "fifo"], check=True)
    subprocess.run([chain, *left, ",", *release, ",", "wait", ",", "/bin/cat", tmp_path / "late"], check=True)


def test_chain_stops_at_a_failure_unless_it_may_fail(chain: Path) -> None:
    done = subprocess.run([chain, "/bin/false", ",", "/bin/echo", "on"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    done = subprocess.run([chain, "-/bin/false", ",", "/bin/echo", "on"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"on\n")


def test_chain_tells_the_highest_memory(chain: Path) -> None:
    small = int(subprocess.run([chain, "-p", "/bin/true"], stdout=subprocess.PIPE, check=True).stdout)
    program = "/usr/bin/python3 -S -c 'b=bytearray(80<<20)'"
    large = ["/bin/sh", "-c", f"{program}; true"]
    peak = int(
        subprocess.run([chain, "-p", *large, ",", "/bin/true"], stdout=subprocess.PIPE, check=True).stdout
    )
    assert small < 16 << 10
    assert 80 << 10 < peak < 200 << 10
