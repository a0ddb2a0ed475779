"""Annotations that crun gave a meaning, on a running container."""

from __future__ import annotations

import os

import pytest

from tests.harness import Box


@pytest.fixture(autouse=True)
def only_ours(box: Box) -> None:
    if box.runtime.name == "runc":
        pytest.skip("runc has no such annotations")


def test_groups_of_the_caller(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "grep Groups: /proc/self/status")
    bundle.process["user"]["additionalGids"] = [7]
    bundle.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    done = box.run(bundle, preexec_fn=lambda: os.setgroups([1234, 5678])).ok()
    assert done.out.split()[1:] == ["1234", "5678"]


def test_output_of_hooks(box: Box) -> None:
    out, err = box.directory / "hook.out", box.directory / "hook.err"
    out.write_text("before\n")
    bundle = box.bundle("/bin/true")
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(out), "run.oci.hooks.stderr": str(err)}
    bundle.hook("createRuntime", "echo one; echo two >&2").hook("poststop", "echo three")
    box.run(bundle).ok()
    assert out.read_text() == "before\none\nthree\n"
    assert err.read_text() == "two\n"


def test_output_that_cannot_be_written(box: Box) -> None:
    bundle = box.bundle("/bin/true")
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(box.directory)}
    bundle.hook("createRuntime", "true")
    box.try_create(bundle).failed()
