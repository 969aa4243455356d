"""How many cores a process takes itself to have."""

import pytest
from conftest import run

from model import cores

TOLD = "from model.cores import CORES; print(CORES)"


def test_a_process_bound_to_one_core_uses_one():
    bound = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {TOLD}"
    assert run("-c", bound).stdout == "1\n"


@pytest.mark.parametrize(
    ("quota", "most"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None), ("", None)]
)
def test_a_container_s_quota_is_kept(tmp_path, quota, most):
    without = cores.usable(tmp_path)
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores.usable(tmp_path) == (most or without)


@pytest.mark.parametrize(("quota", "most"), [("50000", 1), ("-1", None)])
def test_so_is_that_of_an_older_one(tmp_path, quota, most):
    without = cores.usable(tmp_path)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.usable(tmp_path) == (most or without)
