"""A Space gets what serves, and nothing else."""

from conftest import ROOT, run, run_here
from huggingface_hub import RepoCard
from loopback_repo import Repo

from model.space import push_space

REPO = "someone/leaf"
SPACE = "someone/page"


def test_a_space_gets_the_model_it_is_given_and_nothing_it_does_not_need(hub, at, here):
    with_default = run("-m", "model", "space", SPACE, **at)
    url = f"{hub.url}/spaces/{SPACE}"
    included = "the model that comes with it"
    assert with_default.stdout == f"Published {url}, which serves {included}\n"
    space = hub.repos["space", SPACE]
    assert "model/default/model.tflite" in space.at("main").files
    commits = len(space.commits)
    ended = run_here("-m", "model", "space", SPACE, "--model", REPO)
    sentence = f"There is no model {REPO} on the Hub that we may see; push it first."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    assert (len(space.commits), space.variables) == (commits, {})
    model = hub.repos["model", REPO] = Repo("model", REPO)
    model.commit("main", "of Keras", {"config.json": b"", "model.tflite": b""})
    ended = run_here("-m", "model", "space", SPACE, "--model", REPO)
    sentence = f"{REPO} is not a Blightcheck model: it has no bundle.json; choose another."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    assert (len(space.commits), space.variables) == (commits, {})
    model.commit("main", "ours", {"bundle.json": b"", "model.tflite": b""})
    with_model = run_here("-m", "model", "space", SPACE, "--model", REPO)
    assert with_model.stdout == f"Published {url}, which serves {REPO}, and served {included} before\n"
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
    model.private, model.tags["v1"] = True, model.branches["main"]
    with_version = run_here("-m", "model", "space", SPACE, "--model", f"{REPO}@v1")
    assert with_version.stdout == (
        f"Published {url}, which serves {REPO}@v1, and served {REPO} before; {REPO}@v1 is private, so add "
        "HF_TOKEN to the secrets in the Space's settings\n"
    )
    again = run_here("-m", "model", "space", SPACE)
    assert again.stdout == f"Published {url}, which serves {included}, and served {REPO}@v1 before\n"
    assert space.variables == {}


def test_a_dry_run_lists_and_changes_nothing(hub, here):
    command = "-m", "model", "space", SPACE, "--dry-run"
    ended = run_here(*command, HF_TOKEN="")
    headline, *rows = ended.stdout.splitlines()
    assert headline == "Blightcheck, serving its default model"
    sizes = {name: size for size, name in (row.split() for row in rows)}
    assert {"app.py", "README.md", "requirements.txt", "model/classifier.py", "web/texts/hi.json"} <= set(
        sizes
    )
    assert int(sizes["app.py"]) == (ROOT / "app.py").stat().st_size
    assert not hub.repos
    assert run_here("-m", "model", "space", SPACE).returncode == 0
    space = hub.repos["space", SPACE]
    space.commit("main", "by hand", space.at("main").files | {"old.py": b""})
    assert run_here(*command).stdout.splitlines() == [headline, "   delete old.py"]
    assert space.at("main").message == "by hand"


def test_another_app_is_not_replaced(hub, here):
    space = hub.repos["space", SPACE] = Repo("space", SPACE, variables={"MODEL_REPO": "someone/llama"})
    space.commit("main", "their app", {"README.md": b"", ".gitattributes": b"", "app.py": b"theirs"})
    for options in ([], ["--dry-run"]):
        ended = run_here("-m", "model", "space", SPACE, *options)
        sentence = f"{SPACE} holds another app; choose another name, or delete it first."
        assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    assert (space.at("main").message, space.variables) == ("their app", {"MODEL_REPO": "someone/llama"})
    space.commit("main", "empty", {"README.md": b"", ".gitattributes": b""})  # as the Hub makes them
    assert run_here("-m", "model", "space", SPACE).returncode == 0
    assert "model/bundle.py" in space.at("main").files


def test_a_space_that_can_t_be_published_is_one_sentence(hub, here):
    ended = run_here("-m", "model", "space", SPACE, HF_TOKEN="hf_wrong")
    sentence = (
        f"The Hub refused the token when asked to publish {SPACE}; run it again once that is put right."
    )
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    hub.repos["space", SPACE] = Repo("space", SPACE)
    hub.repos["space", SPACE].commit("main", "initial commit", {})
    ended = run_here("-m", "model", "space", SPACE, "--private")
    sentence = f"{SPACE} is public already; choose another name, or make it private on the Hub first."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
    ended = run_here("-m", "model", "space", SPACE, HF_TOKEN="hf_пароль")
    assert ended.stderr == "python -m model: HF_TOKEN holds letters that no token has; copy it again.\n"
    ended = run_here("-m", "model", "space", SPACE, "--model", "mine", "--dry-run")
    sentence = "mine is not a Hub id like user/repo."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"


def test_a_space_is_private_if_asked_and_loses_what_is_no_longer_ours_but_not_what_is_the_hub_s(hub, here):
    push_space(SPACE, None, private=True)
    space = hub.repos["space", SPACE]
    assert space.private
    ours = space.at("main").files
    of_the_hub = {".gitattributes": b"*.png filter=lfs"}
    space.commit("main", "as it was once", ours | of_the_hub | {"web/old.py": b"", "tests/old.py": b""})
    push_space(SPACE, None, private=True)
    assert space.at("main").files == ours | of_the_hub
    push_space("someone/public", None, private=False)
    assert not hub.repos["space", "someone/public"].private
