"""A Space gets what serves, and nothing else."""

from conftest import run
from huggingface_hub import RepoCard
from loopback_repo import Repo

REPO = "someone/leaf"
SPACE = "someone/page"


def test_a_space_gets_the_model_it_is_given_and_nothing_it_does_not_need(hub, at):
    with_default = run("-m", "model", "space", SPACE, **at)
    assert with_default.stdout.strip() == f"Published {hub.url}/spaces/{SPACE}"
    space = hub.repos["space", SPACE]
    assert "model/default/model.tflite" in space.at("main").files
    commits = len(space.commits)
    ended = run("-m", "model", "space", SPACE, "--model", REPO, **at)
    sentence = f"There is no model {REPO} on the Hub that we may see; push it first."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    assert (len(space.commits), space.variables) == (commits, {})
    hub.repos["model", REPO] = Repo("model", REPO, private=False)
    hub.repos["model", REPO].commit("main", "initial commit", {})
    assert run("-m", "model", "space", SPACE, "--model", REPO, **at).returncode == 0
    assert len(space.commits) == commits + 1
    assert space.variables == {"MODEL_REPO": REPO}
    files = space.at("main").files
    assert not any(path.startswith(("tests", "train")) for path in files)
    # What answers when the Hub can't be reached, and no more of it.
    default = {path for path in files if path.startswith("model/default")}
    assert default == {"model/default/bundle.json", "model/default/model.tflite"}
    assert b"tensorflow" not in files["requirements.txt"]
    card = RepoCard(files["README.md"].decode())
    assert (card.data.sdk, card.data.app_file, card.data.models) == ("gradio", "app.py", [REPO])
    assert run("-m", "model", "space", SPACE, **at).returncode == 0  # and the default one again
    assert space.variables == {}


def test_a_dry_run_lists_and_uploads_nothing(hub, at):
    ended = run("-m", "model", "space", SPACE, "--model", REPO, "--dry-run", **at)
    paths = [line.split()[1] for line in ended.stdout.splitlines()]
    assert {"app.py", "README.md", "requirements.txt", "model/classifier.py", "web/texts/hi.json"} <= set(
        paths
    )
    assert hub.requests == []


def test_a_space_that_can_t_be_published_is_one_sentence(hub, at):
    ended = run("-m", "model", "space", SPACE, **at | {"HF_TOKEN": "hf_wrong"})
    sentence = (
        f"The Hub refused the token when asked to publish {SPACE}; run it again once that is put right."
    )
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    ended = run("-m", "model", "space", SPACE, **at | {"HF_TOKEN": "hf_пароль"})
    assert ended.stderr == "python -m model: HF_TOKEN holds letters that no token has; copy it again.\n"
    ended = run("-m", "model", "space", SPACE, "--model", "mine", "--dry-run", **at)
    sentence = "mine is no Hub id like user/repo."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
