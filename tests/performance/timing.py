"""How times are measured: hyperfine, all runtimes in turns.

Each round measures a case once for every runtime, in an order that moves on by
one from round to round, so that what else the machine does hits all alike.
Every call of hyperfine has warm-ups of its own.
"""

from __future__ import annotations

import json
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.performance.cases import Case
from tests.performance.runtimes import INTERPRETER, CannotRun, Runtime, output

BARE = "bare"
SIDE_BY_SIDE = 8
BARE_COMMAND = [str(INTERPRETER), "-I", "-S", "-c", "pass"]

Figure = dict[str, float | int | str]


@dataclass(frozen=True)
class Effort:
    """How much: at most `rounds` rounds, and this `share` of the containers where there are many."""

    rounds: int = 100
    share: float = 1.0


class Bench:
    """Turns cases into command lines, and those into figures."""

    def __init__(self, scratch: Path, bundles: Mapping[str, Path], effort: Effort) -> None:
        self.scratch = scratch
        self.bundles = bundles
        self.effort = effort
        self.chain = str(scratch / "chain")

    def command(self, text: str, runtime: Runtime, identifier: str = "") -> list[str]:
        """One command line for the ` , `-separated commands of a case."""
        steps = [self._step(step, runtime, identifier or runtime.identifier()) for step in text.split(" , ")]
        if len(steps) == 1 and not steps[0][0].startswith("-"):
            return steps[0]
        words = [self.chain]
        for number, step in enumerate(steps):
            words += [","] * (number > 0) + step
        return words

    def _step(self, text: str, runtime: Runtime, identifier: str) -> list[str]:
        if text == "wait":
            return [text]
        if text == "{forget}":
            return [str(self.scratch / "forget"), runtime.file_list]
        sign = "-" if text.startswith("-") else ""
        text = text.removeprefix(sign)
        values = {"id": identifier, "caches": " ".join(runtime.caches), **self.bundles}
        words = text.removeprefix("!").format(**values).split()
        if not text.startswith("!"):
            words = [*runtime.program, *words]
        return [sign + words[0], *words[1:]]

    def many(self, text: str, runtime: Runtime, count: int) -> list[str]:
        """The commands for `count` containers, eight at a time."""
        names = self.scratch / f"names-{runtime.key}-{count}"
        names.write_text("".join(f"{runtime.identifier(number)}\n" for number in range(1, count + 1)))
        command = self.command(text, runtime, "%")
        front = [] if command[0] == self.chain else [self.chain]
        return ["/usr/bin/xargs", "-a", str(names), "-P", str(SIDE_BY_SIDE), "-I", "%", *front, *command]

    def measure(self, case: Case, runtimes: Sequence[Runtime]) -> dict[str, Figure]:
        """Figures of one case by the runtimes' keys; {"cannot": reason} for one that cannot do it."""
        count = max(2, int(case.containers * self.effort.share)) if case.containers > 1 else 1
        figures: dict[str, Figure] = {}
        able = []
        try:
            for runtime in runtimes:
                try:
                    self._set_up(case, runtime, count)
                    able.append(runtime)
                except CannotRun as reason:
                    figures[runtime.key] = {"cannot": str(reason)}
            commands = {runtime.key: self._timed(case, runtime, count) for runtime in able}
            if case.bare and able:
                commands[BARE] = (["/bin/true"], BARE_COMMAND)
            try:
                figures |= self._in_turns(case, commands, count if case.each else 1)
            except CannotRun as reason:
                figures |= {key: {"cannot": str(reason)} for key in commands}
        finally:
            for runtime in runtimes:
                self._tear_down(case, runtime, count)
        return figures

    def _set_up(self, case: Case, runtime: Runtime, count: int) -> None:
        """What the case needs, and one try of it, so that a failure has the runtime's words."""
        if case.setup:
            setup = self.many(case.setup, runtime, count) if count > 1 else self.command(case.setup, runtime)
            output(setup, timeout=300)
        before, timed = self._timed(case, runtime, min(count, SIDE_BY_SIDE))
        output(before)
        output(timed, timeout=300)

    def _timed(self, case: Case, runtime: Runtime, count: int) -> tuple[list[str], list[str]]:
        before = self.command(case.before_each, runtime) if case.before_each else ["/bin/true"]
        many = count > 1 and not case.setup
        return before, self.many(case.timed, runtime, count) if many else self.command(case.timed, runtime)

    def _tear_down(self, case: Case, runtime: Runtime, count: int) -> None:
        try:
            if count > 1:
                output(self.many("-delete --force {id}", runtime, count), timeout=300)
        except CannotRun:
            pass
        runtime.clean()

    def _in_turns(
        self, case: Case, commands: dict[str, tuple[list[str], list[str]]], divisor: int
    ) -> dict[str, Figure]:
        times: dict[str, list[float]] = {key: [] for key in commands}
        failures = dict.fromkeys(commands, 0)
        keys = list(commands)
        for number in range(min(case.rounds, self.effort.rounds) if keys else 0):
            turn = number % len(keys)
            order = keys[turn:] + keys[:turn]
            for key, result in zip(order, self._hyperfine(case, [commands[key] for key in order])):
                failures[key] += sum(code != 0 for code in result["exit_codes"])
                times[key] += [seconds * 1000 / divisor for seconds in result["times"]]
        return {
            key: {"cannot": f"failed {failures[key]} times"} if failures[key] else describe(times[key])
            for key in keys
        }

    def _hyperfine(
        self, case: Case, commands: Sequence[tuple[list[str], list[str]]]
    ) -> list[dict[str, list[float]]]:
        """The results of hyperfine, in the order of `commands` (what runs before each run, what is timed)."""
        report = self.scratch / "hyperfine.json"
        warmups = 1 if case.containers == 1 else 0
        options = ["--shell=none", "--style=none", "--ignore-failure"]
        options += [f"--runs={case.runs}", f"--warmup={warmups}"]
        for before, _ in commands:
            options += ["--prepare", shlex.join(before)] if case.before_each else []
        lines = [shlex.join(timed) for _, timed in commands]
        output(["/usr/bin/hyperfine", *options, f"--export-json={report}", *lines], timeout=600)
        results: list[dict[str, list[float]]] = json.loads(report.read_text())["results"]
        return results


def describe(samples: Sequence[float]) -> Figure:
    """Minimum, quartiles and how many they were."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else [*samples] * 3
    return {"minimum": min(samples), "q1": low, "median": middle, "q3": high, "samples": len(samples)}
