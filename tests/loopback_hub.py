"""A small Hugging Face Hub on 127.0.0.1, for testing the real huggingface_hub client without a network.

Point the client at it with `endpoint=hub.url`, or with HF_ENDPOINT set before huggingface_hub is imported.
Uploads also need HF_HUB_DISABLE_XET=1, set before that import: where hf_xet is installed the client uploads
large files with Xet whatever the server answers, and this hub speaks only plain Git LFS.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import loopback_card
from loopback_repo import Commit, Refused, Repo, file_oid, is_lfs

API_REPO = r"/api/(?P<type>model|dataset|space)s/(?P<id>[^/?]+/[^/?]+)"
REPO = r"/((?P<type>dataset|space)s/)?(?P<id>[^/?]+/[^/?]+)"
ROUTES = {
    "GET /api/whoami-v2": "whoami",
    "POST /api/repos/create": "create_repo",
    "POST /api/validate-yaml": "validate_yaml",
    rf"GET {API_REPO}(/revision/(?P<revision>[^/?]+))?(\?blobs=true)?": "repo_info",
    rf"GET {API_REPO}/tree/(?P<revision>[^/?]+)\?recursive=true&expand=false": "tree",
    rf"POST {API_REPO}/preupload/(?P<revision>[^/?]+)": "preupload",
    rf"POST {REPO}\.git/info/lfs/objects/batch": "lfs_batch",
    r"PUT /lfs/(?P<oid>[0-9a-f]{64})/(?P<size>\d+)": "lfs_upload",
    rf"POST {REPO}\.git/info/lfs/objects/verify": "lfs_verify",
    rf"POST {API_REPO}/commit/(?P<branch>[^/?]+)": "commit",
    rf"GET {API_REPO}/refs": "refs",
    rf"POST {API_REPO}/tag/(?P<revision>[^/?]+)": "tag",
    rf"(GET|POST|DELETE) {API_REPO}/variables": "variables",
    rf"GET {REPO}/resolve/(?P<revision>[^/?]+)/(?P<path>[^?]+)": "resolve",
}


GATEWAY = b"<html><body>The server is too busy.</body></html>"  # what stands before the Hub knows no JSON


@dataclass(frozen=True)
class Fault:
    """What is to go wrong with a request that has this method and this part in its path."""

    method: str
    part: str
    status: int | None = None
    cut: int | None = None
    lose: bool = False
    action: Callable[[], object] = lambda: None


class LoopbackHub:
    """The hub, a context manager; tests may look at its state and change it."""

    def __init__(self) -> None:
        self.tokens = {"hf_loopback": "someone"}
        self.role = "write"  # of all tokens, for whoami alone
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.connections: set[socket.socket] = set()
        self.lock = threading.Lock()
        self._faults: list[Fault] = []
        self._server = Server(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        # What the client keeps alive would go on being answered, as if the hub were still there.
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fail(self, method: str, path_part: str, status: int, times: int = 1) -> None:
        """Answer the next `times` requests with this method and part of a path with `status`."""
        self._faults += [Fault(method, path_part, status=status)] * times

    def cut(self, method: str, path_part: str, after_bytes: int, times: int = 1) -> None:
        """Close the connection `after_bytes` into the body: of the answer to a GET, else of the request."""
        self._faults += [Fault(method, path_part, cut=after_bytes)] * times

    def lose(self, method: str, path_part: str) -> None:
        """Do what the next such request asks, and close the connection instead of answering."""
        self._faults.append(Fault(method, path_part, lose=True))

    def before(
        self, method: str, path_part: str, action: Callable[[], object], status: int | None = None
    ) -> None:
        """Do something before the next such request, which is answered with `status`, if given."""
        self._faults.append(Fault(method, path_part, status=status, action=action))

    def recover(self) -> None:
        """Let nothing go wrong any more."""
        with self.lock:
            self._faults.clear()

    def record(self, method: str, path: str) -> Fault:
        """Note a request; return what is to go wrong with it."""
        with self.lock:
            self.requests.append((method, path))
            for fault in (fault for fault in self._faults if fault.method == method and fault.part in path):
                self._faults.remove(fault)
                return fault
        return Fault(method, path)

    def stored(self, oid: str, size: int) -> bytes:
        """Return an LFS object."""
        if oid not in self.lfs or len(self.lfs[oid]) != size:
            raise Refused(400, f"No LFS object {oid} of {size} bytes was uploaded")
        return self.lfs[oid]


class Server(ThreadingHTTPServer):
    """Takes it lightly when a client goes in the middle."""

    def handle_error(self, *told: object) -> None:
        """Print any other error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*told)


class Handler(BaseHTTPRequestHandler):
    """One connection. A route's method returns what is to be sent as JSON, or status, body and headers."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: it would hold the second one back

    def log_message(self, format: str, *args: object) -> None:
        """Leave the tests' output alone."""

    def do_GET(self) -> None:
        self.hub.connections.add(self.connection)
        fault = self.hub.record(self.command, unquote(urlsplit(self.path).path))
        fault.action()
        self.close_connection |= fault.cut is not None or fault.lose
        length = int(self.headers.get("Content-Length", 0))
        # Read it even if the answer is no: what is left would be taken for the next request.
        self.body = self.rfile.read(length if fault.cut is None else min(fault.cut, length))
        if len(self.body) < length and self.command != "GET":  # cut, or the client is gone
            self.close_connection = True
            return
        if fault.status:
            status, body, headers = fault.status, GATEWAY, {"Content-Type": "text/html"}
        else:
            try:
                status, body, headers = self.answer()
            except Refused as refused:
                status, body, headers = refused.reply
        if fault.lose:
            return
        self.send_response(status)
        for header in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body[: fault.cut])

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def answer(self) -> tuple[int, bytes, dict[str, str]]:
        authorization = self.headers.get("Authorization", "")
        self.user = self.hub.tokens.get(authorization.partition("Bearer ")[2])
        # With the query, so that an option which is not simulated is refused instead of ignored.
        request = f"{self.command.replace('HEAD', 'GET')} {self.path}"
        for pattern, name in ROUTES.items():
            if not (match := re.fullmatch(pattern, request)):
                continue
            needs_token = name == "whoami" or (self.command == "POST" and name != "validate_yaml")
            if self.user is None and (authorization or needs_token):
                raise Refused(401, "Invalid credentials")  # with a wrong token even to read, as the real Hub
            # Only now, since a quoted slash belongs to the name that it stands in.
            values: dict[str, Any] = {key: unquote(text or "") for key, text in match.groupdict().items()}
            with self.hub.lock:
                if "id" in values:
                    repo = self.hub.repos.get((values.pop("type") or "model", values.pop("id")))
                    if repo is None or (repo.private and self.user is None):
                        raise Refused(404, "Repository not found", "RepoNotFound")
                    values["repo"] = repo
                if "revision" in values:
                    values["commit"] = repo.at(values.pop("revision") or "main")
                result = getattr(self, name)(**values)
            return result if isinstance(result, tuple) else (200, json.dumps(result).encode(), {})
        raise Refused(501, f"The loopback hub has no {request}")

    def whoami(self) -> dict:
        auth = {"type": "access_token", "accessToken": {"displayName": "loopback", "role": self.hub.role}}
        return {"type": "user", "name": self.user, "orgs": [], "auth": auth}

    def create_repo(self) -> dict:
        wanted = json.loads(self.body)
        key = wanted.get("type", "model"), f"{wanted['organization'] or self.user}/{wanted['name']}"
        repo = Repo(*key, private=wanted.get("visibility") == "private")
        answer = {"url": f"{self.hub.url}/{repo.url_path}"}
        if key in self.hub.repos:
            raise Refused(409, "You already created this repo", **answer)  # the client needs the url here too
        repo.commit("main", "initial commit", {".gitattributes": b"*.h5 filter=lfs -text\n"})
        self.hub.repos[key] = repo
        return answer

    def validate_yaml(self) -> dict:
        sent = json.loads(self.body)
        self.check_card(sent["content"], sent["repoType"])
        return {}

    def check_card(self, content: str, repo_type: str) -> None:
        if wrong := loopback_card.problems(content, repo_type):
            errors = [{"message": problem} for problem in wrong]
            raise Refused(400, f"Invalid metadata in README.md: {'; '.join(wrong)}", errors=errors)

    def repo_info(self, repo: Repo, commit: Commit) -> dict:
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        if self.path.endswith("?blobs=true"):
            for sibling, entry in zip(siblings, self.tree(repo, commit), strict=True):
                sibling |= {"size": entry["size"], "blobId": entry["oid"]}
                if lfs := entry.get("lfs"):
                    sibling["lfs"] = lfs | {"sha256": lfs["oid"]}
        return {"id": repo.id, "sha": commit.sha, "private": repo.private, "siblings": siblings}

    def tree(self, repo: Repo, commit: Commit) -> list:
        entries = []
        for path, content in sorted(commit.files.items()):
            oid, size = file_oid(path, content), len(content)
            lfs = {"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if is_lfs(path, size) else {}
            entries.append({"type": "file", "path": path, "size": size, "oid": oid} | lfs)
        return entries

    def preupload(self, repo: Repo, commit: Commit) -> dict:
        files = []
        for path, size in ((file["path"], file["size"]) for file in json.loads(self.body)["files"]):
            mode = "lfs" if is_lfs(path, size) else "regular"
            oid = file_oid(path, commit.files[path]) if path in commit.files else None
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": files}

    def lfs_batch(self, repo: Repo) -> dict:
        objects = json.loads(self.body)["objects"]
        for wanted in (wanted for wanted in objects if wanted["oid"] not in self.hub.lfs):
            verify = f"{self.hub.url}/{repo.url_path}.git/info/lfs/objects/verify"
            upload = f"{self.hub.url}/lfs/{wanted['oid']}/{wanted['size']}"
            wanted["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
        return {"transfer": "basic", "objects": objects}

    def lfs_upload(self, oid: str, size: str) -> dict:  # without a token: the real Hub signs these URLs
        if (hashlib.sha256(self.body).hexdigest(), len(self.body)) != (oid, int(size)):
            raise Refused(400, "The content does not have the sha256 and size that were announced")
        self.hub.lfs[oid] = self.body
        return {}

    def lfs_verify(self, repo: Repo) -> dict:
        self.hub.stored(**json.loads(self.body))
        return {}

    def commit(self, repo: Repo, branch: str) -> dict:
        head = repo.at(repo.branches.get(branch) or f"no branch {branch}")
        files = dict(head.files)
        header, *operations = [json.loads(line) for line in self.body.splitlines()]
        if header["value"].get("parentCommit", head.sha) != head.sha:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        for key, value in ((operation["key"], operation["value"]) for operation in operations):
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.stored(value["oid"], value["size"])
            elif files.pop(value["path"], None) is None:
                raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
        self.check_card(files.get("README.md", b"").decode(), repo.type)
        commit = repo.commit(branch, header["value"]["summary"], files)
        return {"commitOid": commit.sha, "commitUrl": f"{self.hub.url}/{repo.url_path}/commit/{commit.sha}"}

    def refs(self, repo: Repo) -> dict:
        def told(kind: str, named: dict[str, str]) -> list:
            return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": sha} for n, sha in named.items()]

        return {"branches": told("heads", repo.branches), "converts": [], "tags": told("tags", repo.tags)}

    def tag(self, repo: Repo, commit: Commit) -> dict:
        tag = json.loads(self.body)["tag"]
        if tag in repo.tags:
            raise Refused(409, f"Tag {tag} already exists")
        repo.tags[tag] = commit.sha
        return {}

    def variables(self, repo: Repo) -> dict:
        if self.command == "POST":
            told = json.loads(self.body)
            repo.variables[told["key"]] = told["value"]
        elif self.command == "DELETE":
            del repo.variables[json.loads(self.body)["key"]]
        return {key: {"value": value} for key, value in repo.variables.items()}

    def resolve(self, repo: Repo, commit: Commit, path: str) -> tuple[int, bytes, dict[str, str]]:
        if (content := commit.files.get(path)) is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        headers = {"ETag": f'"{file_oid(path, content)}"', "X-Repo-Commit": commit.sha}
        if is_lfs(path, len(content)):
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(content))}
        if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            headers["Content-Range"] = f"bytes {wanted[1]}-{len(content) - 1}/{len(content)}"
            return 206, content[int(wanted[1]) :], headers
        return 200, content, headers
