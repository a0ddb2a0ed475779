"""The documentation keeps to the program: links, command lines, flags, files of engines."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from pyrunc.cli.app import understand
from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS
from pyrunc.cli.parser import parse
from pyrunc.install.manual import manual
from tests.documents import CHECKOUT, PAGES, Block, blocks, page

SHELLS = ("sh", "console")


def name(path: Path) -> str:
    return path.name


def anchors(document: Path) -> set[str]:
    """What links to the headings of a page end with."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


ALL_PAGES = sorted(path for folder in ("", "pyrunc", "csrc", "spec-fixtures", "tests")
                   for path in (CHECKOUT / folder).glob("**/*.md" if folder else "*.md"))  # fmt: skip


@pytest.mark.parametrize("document", ALL_PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


FOR_DEVELOPERS = ("pyrunc/ARCHITECTURE.md", "csrc/README.md", "csrc/snapshot/README.md", "spec-fixtures/README.md",
                  "spec-fixtures/schema/README.md", "tests/vm/README.md")  # fmt: skip


@pytest.mark.parametrize("document", FOR_DEVELOPERS)
def test_source_files_that_pages_name_exist(document: str) -> None:
    """By their path, or the end of it."""
    known = [f"/{path}" for path in CHECKOUT.rglob("*.[pchs]*") if ".venv" not in path.parts]
    for file in set(re.findall(r"(?<![\w*/.-])[a-z_][\w-]*(?:/[\w-]+)*\.(?:gen\.)?(?:py|c|h|sh)\b", (CHECKOUT / document).read_text())):
        assert "NAME" in file or any(path.endswith(f"/{file}") for path in known), file


def test_readme_links_every_page() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    for document in (CHECKOUT / "pyrunc/docs").glob("*.md"):
        assert f"(pyrunc/docs/{document.name})" in readme, document.name


def command_lines(block: Block) -> list[str]:
    """The calls of pyrunc in a shell block, without prompts, comments and what follows in a pipe."""
    found = []
    for line in block.text.splitlines():
        if block.language == "console" and line[:2] not in ("# ", "$ "):
            continue
        words = line.removeprefix("# ").removeprefix("$ ")
        for part in re.split(r"&&|\|\||[|;]| 2>&1|  +#", words):
            if part.strip().startswith("pyrunc "):
                found.append(part.strip())
    return found


LINES = sorted({line for document in PAGES for block in blocks(document) for line in command_lines(block)
                if block.language in SHELLS})  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_understood(line: str) -> None:
    arguments = shlex.split(line)[1:]
    parsed = parse(arguments)
    assert (parsed if parsed is not None else understand(arguments)) != 2


def test_there_are_command_lines() -> None:
    assert len(LINES) > 15


@pytest.mark.parametrize("document", PAGES, ids=name)
def test_flags_in_prose_exist(document: Path) -> None:
    """`pyrunc COMMAND --flag` and `--flag` in code spans: ours, or of the program named before them."""
    known = {f"--{flag.name}" for flag in GLOBAL_FLAGS} | {"--help", "--version"}
    known |= {f"--{flag.name}" for command in COMMANDS.values() for flag in command.flags}
    foreign = {"--runtime", "--runc-binary", "--uidmap", "--no-pivot", "--cgroups", "--runtime-flag", "--spec",
               "--add-runtime", "--rm"}  # fmt: skip
    for span in re.findall(r"`([^`\n]+)`", document.read_text()):
        for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", span):
            assert flag in known | foreign, span


# --- the manual page ------------------------------------------------------------------


def plain_manual() -> str:
    return re.sub(r"\\f[BIR]", "", manual()).replace("\\-", "-")


@pytest.mark.parametrize("command", COMMANDS)
def test_manual_has_every_command_and_flag(command: str) -> None:
    text = plain_manual()
    start = text.index(f".SS {command} ") if f".SS {command} " in text else text.index(f".SS {command}\n")
    section = text[start + 1 :].partition("\n.S")[0]
    for flag in COMMANDS[command].flags:
        assert f"--{flag.name}" in section, flag.name
        assert not flag.short or f"-{flag.short}, --{flag.name}" in section


def test_manual_has_the_global_flags() -> None:
    section = plain_manual().partition(".SH GLOBAL FLAGS")[2].partition(".SH ")[0]
    for flag in GLOBAL_FLAGS:
        assert f"--{flag.name}" in section


@pytest.mark.parametrize("section", ["EXIT STATUS", "DIAGNOSTICS", "ENVIRONMENT", "FILES", "EXAMPLES"])
def test_manual_has_the_usual_sections(section: str) -> None:
    assert f"\n.SH {section}\n" in manual()


def test_manual_examples_are_understood() -> None:
    examples = plain_manual().partition(".SH EXAMPLES")[2].partition(".SH ")[0]
    lines = [line for line in examples.splitlines() if line.startswith("pyrunc ")]
    assert len(lines) > 4
    for line in lines:
        test_command_lines_are_understood(line)


# --- files of engines -----------------------------------------------------------------


@pytest.mark.parametrize("document", PAGES, ids=name)
def test_files_are_well_formed(document: Path) -> None:
    for block in blocks(document, "toml"):
        tomllib.loads(block.text)
    for block in blocks(document, "json"):
        json.loads(block.text)


def test_both_forms_for_containerd_say_the_same() -> None:
    old, new = (tomllib.loads(block.text) for block in blocks(page("containerd.md"), "toml"))
    assert (old["version"], new["version"]) == (2, 3)
    assert old["plugins"]["io.containerd.grpc.v1.cri"] == new["plugins"]["io.containerd.cri.v1.runtime"]


def test_the_runtime_class_names_the_handler() -> None:
    """RuntimeClass, pod, CRI-O and containerd use one name."""
    runtime_class, pod = (block.text for block in blocks(page("kubernetes.md"), "yaml"))
    assert "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\n" in runtime_class
    handler = re.search(r"^handler: (\S+)$", runtime_class, re.MULTILINE)
    class_name = re.search(r"^  name: (\S+)$", runtime_class, re.MULTILINE)
    assert handler and class_name and f"  runtimeClassName: {class_name[1]}\n" in pod
    crio = tomllib.loads(blocks(page("kubernetes.md"), "toml")[0].text)
    assert list(crio["crio"]["runtime"]["runtimes"]) == [handler[1]]
    containerd = tomllib.loads(blocks(page("containerd.md"), "toml")[0].text)
    assert handler[1] in containerd["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]


def test_make_targets_exist() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z][a-z-]+)", "\n".join(b.text for b in blocks(CHECKOUT / "README.md")))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
