"""A bundle to a model repo of the Hub: whole or not at all, tagged, and no worse one unless asked to."""

import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    ModelInfo,
    SpaceInfo,
)
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils.sha import git_hash

from model import bundle, card, disk
from model.comparison import ODD, refuse_worse
from model.hub import (
    FAILURES,
    NO_ANSWER,
    TIMEOUT,
    HubError,
    check_token,
    require_repo_id,
    require_token,
)

WAITS = (1, 2, 4)  # seconds before asking again a Hub that is busy or can't be reached
REFUSED = (401, 403)
BUSY = (408, 429, 500, 502, 503, 504)
CHANGED = (409, 412)  # another commit is being made, or was made since we looked
CONFIGURATION = "config.json"
WEIGHTS = (".safetensors", ".bin", ".h5", ".keras", ".tflite", ".onnx", ".pt", ".pth", ".ckpt", ".msgpack")

Operation = CommitOperationAdd | CommitOperationDelete
Result = TypeVar("Result")


def push(folder: Path, repo: str, private: bool = False, force: bool = False) -> str:
    """Publish a bundle in one commit, creating the repo if it is missing, and tag it v1, v2, ...

    A model that is worse than the one there, or made by another program, is replaced only with `force`.
    Returns a sentence with the repo's address. Raises HubError or bundle.BundleError with a sentence.
    """
    require_token()
    bundle.check_files(folder)
    sent = False  # maybe by an attempt whose answer was lost

    def commit() -> tuple[str, str]:
        nonlocal sent
        api = HfApi()
        url = api.create_repo(repo, private=private, exist_ok=True)
        operations, message, parent = changes(folder, repo, private, force)
        if not operations:
            return str(url), parent
        sent = True
        # Not upload_folder, which may cut a large folder into several commits.
        done = api.create_commit(repo, operations, commit_message=message, parent_commit=parent)
        return str(url), done.oid

    again = f"try again with: {_command(folder, repo, ['--private'] * private + ['--force'] * force)}"
    url, revision = persist(commit, repo, f"the bundle is safe in {folder}, {again}")
    consolation = f"the model is there, but not tagged, {again}"
    unchanged = None if sent else bundle.actual_folder(folder)
    tagged = persist(lambda: _tag(repo, revision, unchanged), repo, consolation)
    return f"Published {url}" if sent or tagged else f"Nothing to publish: {url} has this model already."


def _command(folder: Path, repo: str, flags: list[str]) -> str:
    return shlex.join(["python", "-m", "model", "push", str(folder), repo, *flags])


def check(repo: str, name: str | None, private: bool = False, force: bool = False) -> None:
    """Raise HubError if a push to `repo` can't succeed, or the Hub knows no licence called `name`.

    A Hub that does not answer may do so later, but for a licence it must be asked.
    """
    require_repo_id(repo)
    require_token()
    try:
        _check_rights()
        _look(repo, private, force)
    except (*NO_ANSWER, ConnectionError):
        pass
    if not name:
        return
    try:
        ModelCard(f"---\n{yaml.safe_dump({'license': name})}---\n").validate()
    except ValueError as error:
        raise HubError(f"The Hub takes no license {name}; choose one it knows, such as cc-by-4.0.") from error
    except FAILURES as error:
        raise HubError(
            f"The Hub can't be asked about the license {name}; try again later, or train without --push."
        ) from error


def _check_rights() -> None:
    """Raise HubError if the Hub doesn't know the token, or lets it only read."""
    try:
        token = HfApi().whoami().get("auth", {}).get("accessToken", {})
    except HfHubHTTPError as error:
        if error.response.status_code not in REFUSED:
            raise
        raise HubError("The Hub refused the token; set HF_TOKEN to one that may write.") from error
    if token.get("role") == "read":
        raise HubError("The token may only read; set HF_TOKEN to one that may write.")


def require_private(there: ModelInfo | SpaceInfo) -> None:
    """Raise HubError if a repo that was to be private is public."""
    if not there.private:
        raise HubError(
            f"{there.id} is public already; choose another name, or make it private on the Hub first."
        )


def _look(repo: str, private: bool, force: bool) -> ModelInfo | None:
    """Return what the Hub tells of a repo, if there is one. Raises HubError if it is not one to push to."""
    try:
        there = HfApi().model_info(repo, files_metadata=True, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        return None
    if private:
        require_private(there)
    names = {file.rfilename for file in there.siblings}
    others = sorted(name for name in names if name == CONFIGURATION or name.endswith(WEIGHTS))
    if others and bundle.DESCRIPTION not in names and not force:
        raise HubError(
            f"{repo} holds another model ({others[0]}); choose another name, or add --force to publish there "
            "all the same."
        )
    return there


def changes(
    folder: Path, repo: str, private: bool = False, force: bool = False
) -> tuple[list[Operation], str, str | None]:
    """Return the operations and the message of the commit that publishes a bundle, and its parent, if any.

    Of the files there, those of an earlier bundle are replaced or deleted; of the card, what was written by
    hand stays. Raises HubError if `repo` is not one to push to or, unless `force`, the model there is better.
    """
    there = _look(repo, private, force)
    parent = there.sha if there else None
    files = {file.rfilename: file for file in there.siblings} if there else {}

    def published(name: str) -> Path | None:
        """Fetch a file there."""
        return Path(HfApi().hf_hub_download(repo, name, revision=parent)) if name in files else None

    description = bundle.read(folder).description
    try:
        text, message = card.model_card(description, repo), card.headline(description)
    except KeyError as error:
        raise bundle.BundleError(
            f"{bundle.DESCRIPTION} in {folder.name} lacks {error}, for its card."
        ) from error
    except ODD as error:
        raise bundle.BundleError(
            f"{bundle.DESCRIPTION} in {folder.name} is not as it was written; make the bundle again."
        ) from error
    earlier = _parsed(published(bundle.DESCRIPTION))
    if not force and earlier.get("classes") == description["classes"]:
        refuse_worse(earlier, description, repo, _command(folder, repo, ["--force"]))
    try:
        before = card.model_card(earlier, repo)
    except ODD:  # there is none, or none that is whole
        before = None
    here = bundle.actual_folder(folder)
    mine, theirs = here / bundle.CARD, published(bundle.CARD)
    where = repo if theirs else folder
    try:
        by_hand = (theirs or mine).read_text("utf-8") if theirs or mine.exists() else text
        text = card.updated(by_hand, text, before)
    except UnicodeDecodeError as error:
        raise HubError(f"The card in {where} is not valid UTF-8; correct it there first.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(
            f"The head of the card in {where} is no YAML mapping; correct it there first."
        ) from error
    ours = [*description["files"], bundle.DESCRIPTION]
    stale = files.keys() & earlier.get("files", {}).keys() - set(ours)
    additions = [CommitOperationAdd(name, here / name) for name in ours]
    additions.append(CommitOperationAdd(bundle.CARD, text.encode()))
    deletions = [CommitOperationDelete(name) for name in sorted(stale)]
    return deletions + [one for one in additions if not is_there(one, files)], message, parent


def is_there(addition: CommitOperationAdd, files: dict[str, RepoSibling]) -> bool:
    """Return whether the file to be added is already there, by the hash that the Hub knows it by."""
    there = files.get(addition.path_in_repo)
    if there is None:
        return False
    if there.lfs:
        return there.lfs.sha256 == addition.upload_info.sha256.hex()
    with addition.as_file() as file:
        return there.blob_id == git_hash(file.read())


def _parsed(file: Path | None) -> dict:
    """Return the bundle.json that is there; a missing or a damaged one, or none of ours, tells nothing."""
    try:
        description = json.loads(file.read_bytes()) if file else {}
    except (ValueError, RecursionError):
        return {}
    ours = isinstance(description, dict) and description.get("format_version") == bundle.FORMAT_VERSION
    whole = ours and all(isinstance(description.get(part, {}), dict) for part in ("files", "training"))
    return description if whole else {}


def _tag(repo: str, revision: str, unchanged: Path | None) -> bool:
    """Give a commit the next free version, unless it has one; return whether it got it.

    Nor does it get one if the last version has the `unchanged` bundle, if given: then the commit is somebody
    else's, who changed other files.
    """
    api = HfApi()
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo).tags}
    versions = {int(name[1:]): commit for name, commit in tags.items() if re.fullmatch(r"v\d+", name)}
    if revision in versions.values():
        return False
    if unchanged and versions:
        last = api.model_info(repo, revision=versions[max(versions)], files_metadata=True, timeout=TIMEOUT)
        description = CommitOperationAdd(bundle.DESCRIPTION, unchanged / bundle.DESCRIPTION)
        if is_there(description, {file.rfilename: file for file in last.siblings}):
            return False
    api.create_tag(repo, tag=f"v{1 + max(versions, default=0)}", revision=revision)
    return True


def persist(attempt: Callable[[], Result], repo: str, consolation: str) -> Result:
    """Return what `attempt` returns, trying again while the Hub is busy or can't be reached.

    It should look at what is there anew each time: an answer that was lost may have been a yes. Raises
    HubError, a sentence that ends with a consolation.
    """
    require_repo_id(repo)
    check_token()
    try:
        return _insist(attempt, repo, consolation)
    except KeyboardInterrupt as error:
        raise HubError(f"Stopped while publishing {repo}; {consolation}.") from error


def _insist(attempt: Callable[[], Result], repo: str, consolation: str) -> Result:
    for wait in (*WAITS, None):
        try:
            return attempt()
        except HubError:
            raise
        except FAILURES as error:
            busy = not isinstance(error, HfHubHTTPError) or error.response.status_code in BUSY
            if wait is None or not busy:
                raise HubError(f"{_what_failed(error, repo)}; {consolation}.") from error
            time.sleep(wait)
        except OSError as error:  # of the Hub's cache here
            raise HubError(f"{disk.trouble(error) or error}; {consolation}.") from error
        except ValueError as error:
            if not isinstance(error.__cause__, BadRequestError):
                raise
            reason = " ".join(str(error).split())
            raise HubError(
                f"The Hub does not take the card of {repo}: {reason} (its license is a line of "
                f"{bundle.DESCRIPTION}); {consolation}."
            ) from error


def _what_failed(error: Exception, repo: str) -> str:
    if not isinstance(error, HfHubHTTPError):
        return f"The Hub can't be reached to publish {repo}"
    status = error.response.status_code
    if status in CHANGED:
        return f"Somebody else changed {repo} at the same time"
    why = "refused the token" if status in REFUSED else f"answered {status}"
    return f"The Hub {why} when asked to publish {repo}"
