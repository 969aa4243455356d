"""How many cores this process may use: in a container, or under taskset, fewer than the machine has."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# A container's quota: microseconds of every so many, by version 2 and by version 1 of cgroups.
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))


def usable(cgroup: Path) -> int:
    """Return the number of cores, given the folder that tells a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in QUOTAS:
        try:
            used, period = map(int, " ".join((cgroup / file).read_text() for file in files).split())
        except (OSError, ValueError):  # no container, of another version, or without a quota ("max")
            continue
        if used > 0:  # -1 is no quota, too
            return min(cores, math.ceil(used / period))
    return cores


CORES = usable(CGROUP)
