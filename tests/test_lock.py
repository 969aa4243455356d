"""The versions that CI installs are those that the requirements allow, and nothing of this machine's."""

import re

from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = (ROOT / "tests" / "lock.txt").read_text().splitlines()


def test_every_requirement_is_locked_within_its_range():
    lines = [line for line in LOCK if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)  # and no address
    locked = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    for file in ("requirements.txt", "tests/requirements.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                asked = Requirement(line.split("#")[0].strip())
                assert asked.specifier.contains(locked[canonicalize_name(asked.name)]), line


def test_ci_installs_what_is_locked():
    assert "pip install --quiet -c tests/lock.txt -r tests/requirements.txt" in (ROOT / ".ci/run").read_text()
    assert ".ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()
