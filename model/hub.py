"""Bundles from Hugging Face repos, and which bundle to serve."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, get_token, set_client_factory, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id
from huggingface_hub.utils._http import default_client_factory

from model import bundle, disk

# Asking the Hub may raise these: there is no answer, or something on the way, such as a proxy, gives its own.
NO_ANSWER = (httpx2.HTTPError, json.JSONDecodeError)  # HfHubHTTPError among them
# Moving files may raise these as well.
FAILURES = (
    *NO_ANSWER,
    ConnectionError,
    LocalEntryNotFoundError,  # a file could not be fetched
    RuntimeError,  # a large file could not be uploaded
)
SERVED_FILES = [bundle.DESCRIPTION, bundle.LITERT_MODEL]  # all that serving needs of a repo
TIMEOUT = 10  # seconds for the Hub's first answer
PATIENCE = 60  # seconds for each further one; its client by itself would wait for ever

# What its client warns of here is no news, or told in our own words: a repo holds none of the files we want,
# or a card written by hand no metadata.
for name in ("_snapshot_download", "repocard"):
    logging.getLogger(f"huggingface_hub.{name}").setLevel(logging.ERROR)


def patient_client() -> httpx2.Client:
    """Return the Hub's own client, but one that does not wait for ever."""
    client = default_client_factory()
    client.timeout = httpx2.Timeout(PATIENCE, connect=TIMEOUT)
    return client


set_client_factory(patient_client)


class HubError(RuntimeError):
    """The Hub did not do what we asked; the message is one sentence for the user."""


class UnreachableError(HubError):
    """The Hub does not answer, or not with what we asked for."""


@dataclass(frozen=True)
class Found:
    """A bundle on this machine: its folder, name, commit (if of a Hub repo) and what to tell the user.

    is_local: it was asked for by its folder.
    """

    folder: Path
    name: str
    revision: str | None = None
    notice: str | None = None
    is_local: bool = False


def find(name: str | None) -> Found:
    """Find the bundle `name`, as `fetch` does, but do without the Hub if it can't be reached.

    Then it is the cached revision, or else the default bundle, with a notice. Raises HubError if there is no
    such repo or revision, and OSError if the disk is full or closed to us.
    """
    try:
        return fetch(name)
    except UnreachableError as error:
        repo, revision = split_revision(name)
        try:
            folder = Path(
                snapshot_download(repo, revision=revision, allow_patterns=SERVED_FILES, local_files_only=True)
            )
        except LocalEntryNotFoundError:
            return Found(bundle.DEFAULT, "default", notice=f"{error} The default model answers instead.")
        return Found(folder, repo, folder.name, f"{error} The copy fetched earlier answers.")


def fetch(name: str | None, files: list[str] | None = SERVED_FILES) -> Found:
    """Fetch the bundle `name`, of a Hub repo only `files`, if given: by default what serving needs.

    It is a folder, or a Hub id with an optional @revision; None is the default bundle. Raises
    UnreachableError or HubError, and OSError if the disk is full or closed to us.
    """
    if not name:
        return Found(bundle.DEFAULT, "default")
    folder = Path(disk.at_home(name))
    if bundle.actual_folder(folder).is_dir():
        return Found(folder.resolve(), folder.absolute().name or str(folder), is_local=True)
    if folder.is_file():
        raise HubError(f"{name} is a file; name the folder of a bundle.")
    repo, revision = split_revision(name)
    require_repo_id(repo, or_folder=True)
    folder = download(repo, revision, "model", files)
    return Found(folder, repo, folder.name)


def split_revision(name: str) -> tuple[str, str | None]:
    """Split user/repo@revision into the repo and the revision, if there is one."""
    repo, _, revision = name.partition("@")
    return repo, revision or None


def whole_bundle(name: str) -> Path:
    """Return the folder with all files of a bundle.

    It is called "default", or by its folder, or by a Hub id with an optional @revision. Raises what `fetch`
    does.
    """
    return fetch(None if name == "default" else name, None).folder


def download(repo: str, revision: str | None, repo_type: str, files: list[str] | None = None) -> Path:
    """Fetch a repo (only `files`, if given) into the Hub's cache; return its folder, named by its commit.

    Raises UnreachableError or HubError, and OSError if the disk is full or closed to us.
    """
    require_repo_id(repo)
    check_token()
    try:
        # Asked first: snapshot_download would quietly hand out an old copy when the Hub can't be reached.
        newest = HfApi().repo_info(repo, revision=revision, repo_type=repo_type, timeout=TIMEOUT).sha
        wanted = {"repo_type": repo_type, "allow_patterns": files}
        folder = Path(snapshot_download(repo, revision=newest, **wanted))
        # Only now, with all of it here, may the cache note that the branch has this commit: by it `find`
        # looks for the copy fetched earlier.
        snapshot_download(repo, revision=revision, **wanted)
        return folder
    except RevisionNotFoundError as error:
        raise HubError(f"{repo} has no revision {revision} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"There is no {repo_type} {repo} on the Hub that we may see; check it and HF_TOKEN."
        ) from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise UnreachableError(f"The Hub refused us {repo}; check HF_TOKEN.") from error
        raise UnreachableError(f"The Hub failed to give us {repo}.") from error
    except (*NO_ANSWER, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise UnreachableError(f"The Hub can't be reached for {repo}.") from error
    except (RuntimeError, OSError) as error:  # of Xet, which is another host; of a file that came short
        if disk.trouble(error):
            raise
        raise UnreachableError(f"The Hub gave us only a part of {repo}.") from error


def require_repo_id(name: str, or_folder: bool = False) -> None:
    """Raise HubError unless `name` is a Hub id, user/repo; the Hub itself would take a mere name, too.

    or_folder: a folder would have done as well, which the sentence then says.
    """
    try:
        validate_repo_id(name)
        whole = "/" in name
    except HFValidationError:
        whole = False
    if not whole:
        what = "neither a folder here nor a Hub id" if or_folder else "not a Hub id"
        raise HubError(f"{name or 'A blank name'} is {what} like user/repo.")


def check_token() -> None:
    """Raise HubError if HF_TOKEN can't be one; none at all will do."""
    if not (get_token() or "").isascii():
        raise HubError("HF_TOKEN holds letters that no token has; copy it again.")


def require_token() -> None:
    """Raise HubError if there is no token to publish with."""
    check_token()
    if not get_token():
        raise HubError("Set HF_TOKEN to a token that may write (or run `hf auth login`), then try again.")
