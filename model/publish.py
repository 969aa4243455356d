"""A bundle to a model repo of the Hub: whole or not at all, tagged, and no worse one unless asked to."""

import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelCard
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)

from model import bundle, card
from model.evaluation import HELD_OUT
from model.hub import FAILURES, HubError, check_token, require_repo_id, require_token

WAITS = (1, 2, 4)  # seconds before asking again a Hub that is busy or can't be reached
BUSY = (408, 429, 500, 502, 503, 504)
CHANGED = (409, 412)  # another commit is being made, or was made since we looked
COMPARED = {"macro_recall": "macro recall", "declined": "other pictures declined"}

Operation = CommitOperationAdd | CommitOperationDelete
Result = TypeVar("Result")


def push(folder: Path, repo: str, private: bool = False, force: bool = False) -> str:
    """Publish a bundle in one commit, creating the repo if it is missing, and tag it v1, v2, ...

    A model that is worse than the one there is refused unless `force`. Returns the repo's address. Raises
    HubError or bundle.BundleError with a sentence.
    """
    require_token()
    bundle.check_files(folder)

    def commit() -> tuple[str, str]:
        api = HfApi()
        url = api.create_repo(repo, private=private, exist_ok=True)
        operations, message, parent = changes(folder, repo, force)
        # Not upload_folder, which may cut a large folder into several commits.
        done = api.create_commit(repo, operations, commit_message=message, parent_commit=parent)
        return str(url), done.oid

    flags = ["--private"] * private + ["--force"] * force
    command = ["python", "-m", "model", "push", str(folder), repo, *flags]
    again = f"try again with: {shlex.join(command)}"
    url, revision = persist(commit, repo, f"the bundle is safe in {folder}, {again}")
    persist(lambda: _tag(repo, revision), repo, f"the model is there, but not tagged, {again}")
    return url


def check(repo: str, name: str | None) -> None:
    """Raise HubError if `repo` is no Hub id, there is no token, or the Hub knows no licence of that name."""
    require_repo_id(repo)
    require_token()
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


def changes(folder: Path, repo: str, force: bool) -> tuple[list[Operation], str, str | None]:
    """Return the operations and the message of the commit that publishes a bundle, and its parent, if any.

    Of the files there, those of an earlier bundle are replaced or deleted; of the card, what was written by
    hand stays. Raises HubError if the model is worse than the one there, unless `force`.
    """
    api = HfApi()
    try:
        there = api.model_info(repo)
        parent, files = there.sha, {file.rfilename for file in there.siblings}
    except RepositoryNotFoundError:
        parent, files = None, set()

    def published(name: str) -> str | None:
        """Return the text of a file there."""
        if name not in files:
            return None
        return Path(api.hf_hub_download(repo, name, revision=parent)).read_text("utf-8")

    description = bundle.read(folder).description
    try:
        text, message = card.model_card(description, repo), card.headline(description)
    except KeyError as error:
        raise bundle.BundleError(
            f"{bundle.DESCRIPTION} in {folder.name} lacks {error}, for its card."
        ) from error
    earlier = _parsed(published(bundle.DESCRIPTION))
    if not force and earlier.get("classes") == description["classes"]:
        _refuse_worse(earlier, description, repo)
    try:
        before = card.model_card(earlier, repo)
    except KeyError:  # there is none, or none that is whole
        before = None
    mine = folder / bundle.CARD
    by_hand = published(bundle.CARD) or (mine.read_text("utf-8") if mine.exists() else text)
    try:
        text = card.updated(by_hand, text, before)
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(
            f"The head of the card in {repo} is no YAML mapping; correct it there first."
        ) from error
    ours = [*description["files"], bundle.DESCRIPTION]
    stale = files & earlier.get("files", {}).keys() - set(ours)
    operations = [CommitOperationDelete(name) for name in sorted(stale)]
    operations += [CommitOperationAdd(name, folder / name) for name in ours]
    operations.append(CommitOperationAdd(bundle.CARD, text.encode()))
    return operations, message, parent


def _parsed(text: str | None) -> dict:
    """Return the bundle.json that is there; a missing or a damaged one, or none of ours, tells nothing."""
    try:
        description = json.loads(text or "{}")
    except ValueError:
        return {}
    ours = isinstance(description, dict) and description.get("format_version") == bundle.FORMAT_VERSION
    return description if ours else {}


def _refuse_worse(earlier: dict, description: dict, repo: str) -> None:
    """Raise HubError if a figure lies below the 95 % interval of the same figure there.

    Sets of one name are taken for the same photos, but for leaves held out that are known to be others.
    """
    before, after = earlier.get("figures", {}), description["figures"]
    held_out = {d.get("training", {}).get("held_out") for d in (earlier, description)} - {None}
    for name in (name for name in before if name in after):
        others = name.startswith(HELD_OUT) and len(held_out) > 1
        how = "though measured on different photos" if others else "by more than chance"
        old, new = (row | row.get("not_potato", {}) for row in (before[name], after[name]))
        for key, words in COMPARED.items():
            if key in old and key in new and new[key] < old[key + "_interval"][0]:
                raise HubError(
                    f"This model is worse than the one in {repo}, {how}: {words}, {name}, "
                    f"{new[key]:.1%} instead of {old[key]:.1%}; add --force to publish it anyway."
                )


def _tag(repo: str, revision: str) -> None:
    """Give a commit the next free version, unless it has one."""
    api = HfApi()
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo).tags}
    versions = {int(name[1:]): commit for name, commit in tags.items() if re.fullmatch(r"v\d+", name)}
    if revision not in versions.values():
        api.create_tag(repo, tag=f"v{1 + max(versions, default=0)}", revision=revision)


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
    why = "refused the token" if status in (401, 403) else f"answered {status}"
    return f"The Hub {why} when asked to publish {repo}"
