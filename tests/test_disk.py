"""What is wrong with the disk is told in one sentence."""

from conftest import run

NOBODY_CATCHES = """
from model import disk
disk.tell_no_traceback()
raise OSError(28, "No space left on device")
"""


def test_an_error_of_the_disk_that_nobody_catches_is_one_sentence():
    ended = run("-c", NOBODY_CATCHES)
    assert (ended.returncode, ended.stderr) == (1, "The disk is full; free some space.\n")
