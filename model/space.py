"""A Space: the part of this project that serves, on the Hub, with the model it is to use."""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from model.bundle import DEFAULT
from model.hub import SERVED_FILES, HubError, require_repo_id, require_token, split_revision
from model.publish import persist

ROOT = Path(__file__).parents[1]
TRAINING = "# Training"  # the line of requirements.txt from which on serving needs nothing
KEPT = ".gitattributes"  # the Hub's own


def space_files(model: str | None) -> dict[str, bytes]:
    """Return the files of a Space that serves `model`, a Hub id, or else the default one: {path: content}.

    Raises HubError if it is no Hub id.
    """
    repo = split_revision(model)[0] if model else None
    if repo is not None:
        require_repo_id(repo)
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in _served()}
    files["requirements.txt"] = (ROOT / "requirements.txt").read_text("utf-8").split(TRAINING)[0].encode()
    card = RepoCard((ROOT / "README.md").read_text("utf-8"))
    if repo:
        card.data.models = [repo]
    return files | {"README.md": str(card).encode()}


def _served() -> Iterator[Path]:
    yield from (ROOT / name for name in ("app.py", "LICENSE", ".github/page.png"))
    yield from (ROOT / "model").glob("*.py")
    yield from (
        path for path in (ROOT / "web").rglob("*") if path.suffix in (".py", ".js", ".css", ".json", ".svg")
    )
    yield from (DEFAULT / name for name in SERVED_FILES)  # also for when the Hub can't be reached


def _require_model(api: HfApi, model: str) -> None:
    repo, revision = split_revision(model)
    try:
        api.model_info(repo, revision=revision)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise HubError(f"There is no model {model} on the Hub that we may see; push it first.") from error


def push_space(space: str, model: str | None, private: bool) -> str:
    """Create or update a Space in one commit, and set the model it serves; return its address.

    Raises HubError with a sentence.
    """
    files = space_files(model)
    require_token()

    def commit() -> str:
        api = HfApi()
        if model:
            _require_model(api, model)
        url = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        if model:
            api.add_space_variable(space, "MODEL_REPO", model)
        elif "MODEL_REPO" in api.get_space_variables(space):  # of an earlier time
            api.delete_space_variable(space, "MODEL_REPO")
        there = api.space_info(space)
        stale = {file.rfilename for file in there.siblings} - files.keys() - {KEPT}
        operations = [CommitOperationDelete(path) for path in sorted(stale)]
        operations += [CommitOperationAdd(path, content) for path, content in sorted(files.items())]
        message = f"Blightcheck, serving {model or 'its default model'}"
        api.create_commit(
            space, operations, commit_message=message, repo_type="space", parent_commit=there.sha
        )
        return str(url)

    return persist(commit, space, "run it again once that is put right")
