"""How many cores this process may use: in a container, or under taskset, fewer than the machine has."""

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of every so many, or "max"


def usable(quota: Path) -> int:
    """Return the number of cores, given the file that names a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        used, period = map(int, quota.read_text().split())
    except (OSError, ValueError):  # no container, or one without a quota
        return cores
    return min(cores, math.ceil(used / period))


CORES = usable(QUOTA)
