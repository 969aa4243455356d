"""The loopback hub, spoken to by the real huggingface_hub client."""

import os
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants, errors, get_session, snapshot_download
from loopback_hub import LoopbackHub

REPO = "someone/potatoes"
BIG = "weights/model 1.h5"
FILES = {"README.md": b"---\ntags: []\n---\nHello\n", "config.json": b'{"a": 1}', BIG: os.urandom(300_000)}


@pytest.fixture(autouse=True)
def no_xet(monkeypatch):
    # What HF_HUB_DISABLE_XET=1 does, even where another test has imported the client before.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture
def hub():
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.url, token="hf_loopback")


def push(api: HfApi, folder: Path, repo_type: str = "model") -> str:
    """Create the repo, upload FILES to it in one commit and return the commit's sha."""
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for _ in range(2):
        sdk = "gradio" if repo_type == "space" else None
        assert api.create_repo(REPO, repo_type=repo_type, space_sdk=sdk, exist_ok=True).repo_id == REPO
    return api.upload_folder(repo_id=REPO, folder_path=folder, repo_type=repo_type).oid


def read(folder: str) -> dict[str, bytes]:
    return {path: (Path(folder) / path).read_bytes() for path in FILES}


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_what_is_pushed_comes_back(hub, api, tmp_path, repo_type):
    sha = push(api, tmp_path / "push", repo_type)
    assert [commit.sha for commit in hub.repos[repo_type, REPO].commits[1:]] == [sha]
    assert api.repo_info(REPO, repo_type=repo_type).sha == sha
    assert [method for method, path in hub.requests if path.startswith("/lfs/")] == ["PUT"]
    assert read(api.snapshot_download(REPO, repo_type=repo_type, cache_dir=tmp_path / "cache")) == FILES
    assert set(api.list_repo_files(REPO, repo_type=repo_type)) == {".gitattributes", *FILES}


def test_tag_and_sha_stay_when_the_branch_moves(api, tmp_path):
    sha = push(api, tmp_path / "push")
    api.create_tag(REPO, tag="release/1")
    api.upload_file(repo_id=REPO, path_in_repo="config.json", path_or_fileobj=b"{}")
    for revision in ("release/1", sha):
        assert read(api.snapshot_download(REPO, revision=revision, cache_dir=tmp_path / revision)) == FILES
    assert Path(api.hf_hub_download(REPO, "config.json", cache_dir=tmp_path)).read_bytes() == b"{}"


def test_refusals(hub, api, tmp_path):
    push(api, tmp_path / "push")
    api.create_repo("someone/secret", private=True)
    assert api.whoami()["name"] == "someone"
    add = [CommitOperationAdd("new.txt", b"new")]
    for token in ("hf_wrong", False):
        with pytest.raises(errors.HfHubHTTPError, match="401"):
            HfApi(endpoint=hub.url, token=token).create_commit(REPO, add, commit_message="no")
    with pytest.raises(errors.RepositoryNotFoundError):
        snapshot_download("someone/secret", endpoint=hub.url, token=False, cache_dir=tmp_path)
    with pytest.raises(errors.RepositoryNotFoundError):
        api.snapshot_download("someone/nothing", cache_dir=tmp_path)
    with pytest.raises(errors.RevisionNotFoundError):
        api.snapshot_download(REPO, revision="nothing", cache_dir=tmp_path)
    with pytest.raises(errors.RemoteEntryNotFoundError):
        api.hf_hub_download(REPO, "nothing", cache_dir=tmp_path)
    with pytest.raises(errors.HfHubHTTPError, match="412"):
        old = hub.repos["model", REPO].commits[0].sha
        api.create_commit(REPO, add, commit_message="stale", parent_commit=old)
    with pytest.raises(ValueError, match="not a mapping"):
        api.upload_file(repo_id=REPO, path_in_repo="README.md", path_or_fileobj=b"---\n- a list\n---\n")
    assert get_session().put(f"{hub.url}/lfs/{'0' * 64}/3", content=b"abc").status_code == 400
    never_uploaded = CommitOperationAdd("a.h5", b"abc")
    never_uploaded._upload_mode, never_uploaded._is_uploaded = "lfs", True
    with pytest.raises(errors.BadRequestError, match="No LFS object"):
        api.create_commit(REPO, [never_uploaded], commit_message="no")


def test_faults_that_the_client_gets_over(hub, api, tmp_path):
    hub.fail("GET", "whoami", 503)
    with pytest.raises(errors.HfHubHTTPError, match="503"):
        api.whoami()
    hub.cut("PUT", "/lfs/", 1000)
    push(api, tmp_path / "push")
    hub.fail("GET", "/tree/", 503)
    hub.cut("GET", "model 1.h5", 100_000)
    assert read(api.snapshot_download(REPO, cache_dir=tmp_path / "cache")) == FILES
    for method, part in [("PUT", "/lfs/"), ("GET", "/tree/"), ("GET", "model 1.h5")]:
        assert [method for done, path in hub.requests if done == method and part in path] == [method] * 2
    rest = get_session().get(f"{hub.url}/{REPO}/resolve/main/{BIG}", headers={"Range": "bytes=299990-"})
    assert (rest.status_code, rest.content) == (206, FILES[BIG][-10:])


def test_after_its_end_it_cannot_be_reached(tmp_path):
    with LoopbackHub() as hub:
        api = HfApi(endpoint=hub.url, token="hf_loopback")
        push(api, tmp_path / "push")
        api.snapshot_download(REPO, cache_dir=tmp_path / "cache")
    assert read(api.snapshot_download(REPO, cache_dir=tmp_path / "cache")) == FILES
    with pytest.raises(errors.LocalEntryNotFoundError):
        api.snapshot_download(REPO, cache_dir=tmp_path / "other")
    with pytest.raises(httpx2.ConnectError):
        api.model_info(REPO)
