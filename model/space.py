"""A Space: the part of this project that serves, on the Hub, with the model it is to use.

Nobody else's app is replaced.
"""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo, RepoCard
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from model.bundle import DEFAULT
from model.hub import SERVED_FILES, TIMEOUT, HubError, require_repo_id, require_token, split_revision
from model.publish import Operation, is_there, persist, require_private

ROOT = Path(__file__).parents[1]
TRAINING = "# Training"  # the line of requirements.txt from which on serving needs nothing
KEPT = ".gitattributes"  # the Hub's own
OURS = "model/bundle.py"  # by which a Space of ours is known
INCLUDED = "the model that comes with it"  # what is served without MODEL_REPO
AGAIN = "run it again once that is put right"


def space_files(model: str | None) -> dict[str, bytes]:
    """Return the files of a Space that serves `model`, a Hub id, or else the default one: {path: content}.

    Raises HubError if it is not a Hub id.
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


def _require_model(model: str) -> ModelInfo:
    """Return what the Hub knows of a model. Raises HubError unless it can be served."""
    repo, revision = split_revision(model)
    try:
        there = HfApi().model_info(repo, revision=revision, timeout=TIMEOUT)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise HubError(f"There is no model {model} on the Hub that we may see; push it first.") from error
    if missing := set(SERVED_FILES) - {file.rfilename for file in there.siblings}:
        raise HubError(f"{model} is not a Blightcheck model: it has no {min(missing)}; choose another.")
    return there


def _model_of(space: str) -> str | None:
    """Return what a Space is set to serve, in words; None if there is no such Space."""
    try:
        repo = HfApi().get_space_variables(space).get("MODEL_REPO")
    except RepositoryNotFoundError:
        return None
    return repo.value if repo else INCLUDED


def changes(space: str, model: str | None, private: bool) -> tuple[list[Operation], str, str | None]:
    """Return the operations and message of the commit that makes or updates a Space, and its parent, if any.

    Raises HubError if another app is there, or a public Space that is to be private, or if `model` can't be
    served.
    """
    files = space_files(model)
    api = HfApi()
    if model:
        _require_model(model)
    try:
        there = api.space_info(space, files_metadata=True, timeout=TIMEOUT)
        parent, present = there.sha, {file.rfilename: file for file in there.siblings}
        if private:
            require_private(there)
    except RepositoryNotFoundError:
        parent, present = None, {}
    if present.keys() - {KEPT, "README.md"} and OURS not in present:
        raise HubError(f"{space} holds another app; choose another name, or delete it first.")
    deletions = [CommitOperationDelete(path) for path in sorted(present.keys() - files.keys() - {KEPT})]
    additions = [CommitOperationAdd(path, content) for path, content in sorted(files.items())]
    message = f"Blightcheck, serving {model or 'its default model'}"
    return deletions + [one for one in additions if not is_there(one, present)], message, parent


def push_space(space: str, model: str | None, private: bool) -> str:
    """Create or update a Space in one commit, and set the model it serves; tell where, and which before.

    Raises HubError with a sentence.
    """
    require_token()

    def commit() -> str:
        api = HfApi()
        operations, message, parent = changes(space, model, private)
        url = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        if model:
            api.add_space_variable(space, "MODEL_REPO", model)
        elif "MODEL_REPO" in api.get_space_variables(space):  # of an earlier time
            api.delete_space_variable(space, "MODEL_REPO")
        if operations:
            api.create_commit(
                space, operations, commit_message=message, repo_type="space", parent_commit=parent
            )
        return str(url)

    before = persist(lambda: _model_of(space), space, AGAIN)
    told = f"{persist(commit, space, AGAIN)}, which serves {model or INCLUDED}"
    if before not in (None, model or INCLUDED):
        told += f", and served {before} before"
    if model and persist(lambda: _require_model(model).private, space, AGAIN):
        told += f"; {model} is private, so add HF_TOKEN to the secrets in the Space's settings"
    return told
