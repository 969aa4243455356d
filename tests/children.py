"""Child processes, made to be killed."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

children: set[int] = set()  # that run


def forked(work: Callable[[], object], log: Path | None = None) -> int:
    """Do something in a child, what it prints going to `log`; return the child's id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if log:
                file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
                os.dup2(file, 1)
                os.dup2(file, 2)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    children.add(child)
    return child


def ended(child: int) -> bool:
    """Wait for a child; tell whether it came to its end before it was killed. It must not fail."""
    _, status = os.waitpid(child, 0)
    children.remove(child)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed"
    return os.WIFEXITED(status)


def killed(child: int, seconds: float) -> bool:
    """Kill a child after so long; tell whether it had not come to its end."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return not ended(child)


def kill_all() -> None:
    """Leave nothing running."""
    for child in children:
        os.kill(child, signal.SIGKILL)
