"""What the loopback Hub holds: repos, their commits, and how it says no."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """An error answer; the client chooses its exception by `code`, the X-Error-Code header."""

    def __init__(self, status: int, message: str, code: str = "", **extra: Any) -> None:
        self.reply = status, json.dumps({"error": message} | extra).encode(), {"X-Error-Code": code}


@dataclass
class Commit:
    sha: str
    message: str
    parent: str | None
    files: dict[str, bytes]  # the whole tree


@dataclass
class Repo:
    """A model, dataset or space; its branches and tags map a name to the sha of a commit."""

    type: str
    id: str
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)  # of a space

    @property
    def url_path(self) -> str:
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def at(self, revision: str) -> Commit:
        """Return the commit that a branch, a tag or a full sha names."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        for commit in self.commits:
            if commit.sha == sha:
                return commit
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, branch: str, message: str, files: dict[str, bytes]) -> Commit:
        """Put a commit with exactly these files on a branch."""
        commit = Commit(secrets.token_hex(20), message, self.branches.get(branch), files)
        self.commits.append(commit)
        self.branches[branch] = commit.sha
        return commit


def is_lfs(path: str, size: int) -> bool:
    return size > 100_000 or (size > 0 and path.endswith((".tflite", ".h5", ".png")))


def file_oid(path: str, content: bytes) -> str:
    """Return what a file is known by, also as its ETag: its sha256 if it is in LFS, else git's sha1."""
    if is_lfs(path, len(content)):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
