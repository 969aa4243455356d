"""Publishing a bundle: one commit and a tag, nothing lost, nothing worse, whatever the Hub does meanwhile."""

import json
import os
import shutil
import signal
import threading
from functools import partial

import pytest
from conftest import run, run_here
from huggingface_hub import ModelCard, constants
from loopback_repo import Repo

import train
from model import bundle, card, data, publish
from model.comparison import refuse_worse

REPO = "someone/leaf"


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    """Do not wait long for the Hub."""
    monkeypatch.setattr(publish, "WAITS", (0.01, 0.01, 0.01))


def changed(folder, change, source=bundle.DEFAULT):
    """Copy a bundle to `folder` with another description."""
    shutil.copytree(source, folder)
    description = json.loads((folder / "bundle.json").read_text())
    change(description)
    (folder / "bundle.json").write_text(json.dumps(description))
    return folder


def files_of(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refusal(folder=bundle.DEFAULT, **options) -> str:
    with pytest.raises((publish.HubError, bundle.BundleError)) as caught:
        publish.push(folder, REPO, **options)
    return str(caught.value)


def safe(folder=bundle.DEFAULT) -> str:
    """What the sentence of a failure ends with."""
    return f"the bundle is safe in {folder}, try again with: python -m model push {folder} {REPO}."


def test_a_push_is_one_commit_with_the_figures_and_a_tag(hub, here):
    assert publish.push(bundle.DEFAULT, REPO, private=True) == f"Published {hub.url}/{REPO}"
    repo = hub.repos["model", REPO]
    assert repo.private
    _, commit = repo.commits  # the one that made the repo, and ours
    description = bundle.read(bundle.DEFAULT).description
    assert commit.message == card.headline(description)
    assert repo.tags == {"v1": commit.sha}
    ours = files_of(bundle.DEFAULT) | {"README.md": commit.files["README.md"]}
    assert {path: commit.files[path] for path in ours} == ours
    assert commit.files["README.md"].decode() == card.updated(
        (bundle.DEFAULT / "README.md").read_text(), card.model_card(description, REPO)
    )
    nothing = f"Nothing to publish: {hub.url}/{REPO} has this model already."
    assert publish.push(bundle.DEFAULT, REPO) == nothing
    assert (len(repo.commits), list(repo.tags)) == (2, ["v1"])
    repo.commit("main", "by hand", repo.at("main").files | {"notes.txt": b"mine"})
    assert publish.push(bundle.DEFAULT, REPO) == nothing
    assert (len(repo.commits), list(repo.tags)) == (3, ["v1"])


def test_what_an_earlier_bundle_left_goes_and_what_people_wrote_stays(hub, here, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(bundle.DEFAULT, old)
    (old / "figures" / "old.png").write_bytes(b"old")
    bundle.seal(old, json.loads((old / "bundle.json").read_text()))
    publish.push(old, REPO)
    repo = hub.repos["model", REPO]
    files = repo.at("main").files
    mine = files["README.md"].decode().replace("tags:", "license: mit\ntags:", 1) + "\nMy words.\n"
    repo.commit("main", "by hand", files | {"README.md": mine.encode(), "notes.txt": b"mine"})
    repo.tags["v7"] = repo.at("main").sha
    publish.push(bundle.DEFAULT, REPO)
    now = repo.at("main").files
    assert files.keys() - now.keys() == {"figures/old.png"}
    assert now.keys() - files.keys() == {"notes.txt"}
    written = ModelCard(now["README.md"].decode())
    assert written.data.license == "mit"
    assert written.text.endswith("\nMy words.\n")
    assert "![Old]" not in written.text
    assert repo.tags["v8"] == repo.at("main").sha


def test_a_worse_model_is_refused_unless_forced(hub, here, tmp_path):
    publish.push(bundle.DEFAULT, REPO)
    sets = bundle.read(bundle.DEFAULT).description["figures"]
    name, low = "held-out leaves", sets["held-out leaves"]["macro_recall_interval"][0]

    def with_recall(share):
        return lambda description: description["figures"][name].update(macro_recall=share)

    worse = changed(tmp_path / "worse", with_recall(low - 0.001))
    assert refusal(worse) == (
        f"This model is worse than the one in {REPO}, by more than chance: macro recall, {name}, "
        f"{low - 0.001:.1%} instead of {sets[name]['macro_recall']:.1%}; publish it anyway with: "
        f"python -m model push {worse} {REPO} --force."
    )
    eager = changed(tmp_path / "eager", lambda d: d["figures"][name]["not_potato"].update(declined=0.5))
    before = sets[name]["not_potato"]["declined"]
    assert f"other pictures declined, {name}, 50.0% instead of {before:.1%}" in refusal(eager)
    unlike = changed(tmp_path / "unlike", lambda d: d["training"].update(held_out="others"), worse)
    assert "worse than the one in someone/leaf, though measured on different photos: macro" in refusal(unlike)
    repo = hub.repos["model", REPO]
    assert len(repo.commits) == 2
    # A figure that is none of ours does not keep the others from being compared.
    odd = sets | {name: sets[name] | {"macro_recall_interval": None}}
    files = repo.at("main").files
    repo.commit("main", "by hand", files | {"bundle.json": with_odd(figures=odd)})
    assert f"other pictures declined, {name}, 50.0% instead of {before:.1%}" in refusal(eager)
    repo.commit("main", "by hand", files)
    publish.push(changed(tmp_path / "by chance", with_recall(low + 0.001)), REPO)
    publish.push(worse, REPO, force=True)
    assert list(repo.tags) == ["v1", "v2", "v3"]
    other = changed(tmp_path / "other", lambda d: (with_recall(0.1)(d), d["classes"][0].update(label="Rust")))
    publish.push(other, REPO)  # another task: nothing to compare


def with_odd(**values: object) -> bytes:
    """The bundle.json of a bundle of the same classes, with other values."""
    description = json.loads((bundle.DEFAULT / "bundle.json").read_text())
    return json.dumps(description | values).encode()


@pytest.mark.parametrize(
    "description",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"files": ["of another program"]}',
        with_odd(training=None),
        with_odd(training=[]),
        with_odd(figures=[]),
        with_odd(figures={"held-out leaves": None}),
        with_odd(figures={"held-out leaves": {"macro_recall": 1}}),
        with_odd(files=["model.tflite"]),
    ],
)
def test_a_damaged_description_there_is_no_hindrance(hub, here, description):
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    repo.commit("main", "oops", repo.at("main").files | {"bundle.json": description})
    publish.push(bundle.DEFAULT, REPO)
    assert repo.at("main").files["bundle.json"] == (bundle.DEFAULT / "bundle.json").read_bytes()


def test_a_bundle_whose_writer_was_killed_is_published(hub, here, tmp_path):
    shutil.copytree(bundle.DEFAULT, tmp_path / ".leaf.retired")
    assert publish.push(tmp_path / "leaf", REPO) == f"Published {hub.url}/{REPO}"
    assert publish.push(tmp_path / "leaf", REPO).startswith("Nothing to publish: ")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_another_model_is_not_replaced_unless_forced(hub, here, file, caplog):
    repo = hub.repos["model", REPO] = Repo("model", REPO)
    repo.commit("main", "of another program", {file: b"{}", "README.md": b"Theirs.\n"})
    sentence = (
        f"{REPO} holds another model ({file}); choose another name, or add --force to publish there all the "
        "same."
    )
    assert refusal() == sentence
    with pytest.raises(publish.HubError) as caught:
        publish.check(REPO, None)
    assert str(caught.value) == sentence
    assert len(repo.commits) == 1
    publish.push(bundle.DEFAULT, REPO, force=True)
    assert repo.at("main").files["README.md"].endswith(b"Theirs.\n")
    assert not caplog.records


def test_what_is_to_be_private_is_not_published_openly(hub, here):
    publish.push(bundle.DEFAULT, REPO)
    sentence = f"{REPO} is public already; choose another name, or make it private on the Hub first."
    assert refusal(private=True) == sentence
    with pytest.raises(publish.HubError) as caught:
        publish.check(REPO, None, private=True)
    assert str(caught.value) == sentence


def test_a_token_that_may_not_write_is_told_before_the_work(hub, here, monkeypatch):
    hub.role = "read"
    with pytest.raises(publish.HubError, match=r"^The token may only read; set HF_TOKEN to one that may"):
        train.main(["--push", REPO, "--data", "nowhere"])
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(publish.HubError, match=r"^The Hub refused the token; set HF_TOKEN to one that may"):
        train.main(["--push", REPO, "--data", "nowhere"])
    hub.fail("GET", "/whoami-v2", 429)  # may be asked rarely; and it may answer after the training
    with pytest.raises(data.DataError, match=r"^There is no folder nowhere"):
        train.main(["--push", REPO, "--data", "nowhere"])


def test_a_hub_that_never_answers_is_not_waited_for_for_ever(silent, monkeypatch):
    monkeypatch.setattr(publish, "WAITS", ())
    assert refusal() == f"The Hub can't be reached to publish {REPO}; {safe()}"


def test_a_cache_that_cannot_be_written_is_told_with_the_bundle_s_place(hub, here, tmp_path, monkeypatch):
    publish.push(bundle.DEFAULT, REPO)
    (tmp_path / "closed").write_bytes(b"")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "closed" / "hf"))
    told = refusal(changed(tmp_path / "other", lambda description: description.update(image_size=96)))
    assert str(tmp_path / "closed") in told
    assert told.endswith("; " + safe(tmp_path / "other"))


# The client itself goes on after faults of the other requests (test_loopback_hub).
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/repos/create"),
        ("GET", f"/api/models/{REPO}"),
        ("POST", "/validate-yaml"),
        ("POST", "/objects/verify"),
        ("POST", "/commit/"),
        ("GET", "/refs"),
        ("POST", "/tag/"),
    ],
)
def test_a_hub_that_fails_three_times_gets_the_whole_bundle_all_the_same(hub, here, method, path):
    hub.fail(method, path, 503, times=2)
    hub.cut(method, path, 0)
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    assert (len(repo.commits), repo.tags) == (2, {"v1": repo.at("main").sha})
    assert repo.at("main").files["model.tflite"] == (bundle.DEFAULT / "model.tflite").read_bytes()


def test_whatever_a_busy_hub_says_it_is_asked_again(hub, here):
    for path, status in (("/repos/create", 408), ("/commit/", 429), ("/commit/", 500), ("/tag/", 504)):
        hub.fail("POST", path, status)
    hub.fail("GET", "/refs", 502)
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    assert repo.tags == {"v1": repo.at("main").sha}


def test_a_commit_whose_answer_is_lost_is_made_once(hub, here):
    hub.lose("POST", "/commit/")
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    assert (len(repo.commits), repo.tags) == (2, {"v1": repo.at("main").sha})
    assert [path for _, path in hub.requests if "/commit/" in path] == [f"/api/models/{REPO}/commit/main"]


def test_a_connection_cut_during_an_upload_is_got_over(hub, here):
    hub.cut("PUT", "/lfs/", 1000)
    publish.push(bundle.DEFAULT, REPO)
    assert len([path for method, path in hub.requests if method == "PUT"]) == 1 + len(hub.lfs)


def test_a_push_that_is_stopped_tells_how_to_go_on(hub, here, monkeypatch, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let what runs behind ignore it
    request.addfinalizer(partial(signal.signal, signal.SIGINT, before))
    stop = partial(os.kill, os.getpid(), signal.SIGINT)
    hub.before("POST", "/commit/", stop)
    stopped = f"Stopped while publishing {REPO}; {safe().removesuffix('.')} --private."
    assert refusal(private=True) == stopped

    def stop_soon() -> None:  # while it waits for a Hub that is busy
        threading.Timer(0.5, stop).start()

    monkeypatch.setattr(publish, "WAITS", (60,))
    hub.before("GET", "/refs", stop_soon, 503)
    assert refusal().startswith(
        f"Stopped while publishing {REPO}; the model is there, but not tagged, try again"
    )


def test_a_change_meanwhile_is_not_run_over(hub, here):
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    repo.commit("main", "damage", repo.at("main").files | {"bundle.json": b"{}"})
    theirs = repo.at("main").files | {"notes.txt": b"theirs"}
    hub.before("POST", "/commit/", lambda: repo.commit("main", "theirs", theirs))
    assert refusal() == f"Somebody else changed {REPO} at the same time; {safe()}"
    assert repo.at("main").message == "theirs"
    hub.fail("POST", "/commit/", 409)
    assert refusal() == f"Somebody else changed {REPO} at the same time; {safe()}"
    publish.push(bundle.DEFAULT, REPO)
    assert repo.at("main").files["notes.txt"] == b"theirs"


def test_what_can_t_be_published_is_one_sentence_and_changes_nothing(hub, here, tmp_path, monkeypatch):
    hub.fail("POST", "/commit/", 503, times=9)
    assert refusal() == f"The Hub answered 503 when asked to publish {REPO}; {safe()}"
    hub.recover()
    odd = changed(tmp_path / "odd", lambda description: description.update(license="mine"))
    assert refusal(odd).startswith(
        f"The Hub does not take the card of {REPO}: Invalid metadata in README.md."
    )
    bare = changed(tmp_path / "bare", lambda description: description.pop("figures"))
    assert refusal(bare) == "bundle.json in bare lacks 'figures', for its card."
    repo = hub.repos["model", REPO]
    damaged = {"README.md": b"---\n- a list\n---\n"}
    repo.commit("main", "by hand", damaged)
    assert refusal() == f"The head of the card in {REPO} is no YAML mapping; correct it there first."
    repo.commit("main", "by hand", {"README.md": b"\xff"})
    assert refusal() == f"The card in {REPO} is not valid UTF-8; correct it there first."
    repo.branches["main"] = repo.commits[0].sha
    null = changed(tmp_path / "null", lambda description: description.update(training=None))
    assert refusal(null) == "bundle.json in null is not as it was written; make the bundle again."
    monkeypatch.setenv("HF_TOKEN", "hf_\u0440")
    assert refusal() == "HF_TOKEN holds letters that no token has; copy it again."
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert refusal() == f"The Hub refused the token when asked to publish {REPO}; {safe()}"
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert refusal() == f"The Hub can't be reached to publish {REPO}; {safe()}"
    (odd / "config.json").write_text("{}")
    assert refusal(odd) == "config.json in odd is not the file it was written with; make the bundle again."
    with pytest.raises(publish.HubError, match=r"^no repo is not a Hub id like user/repo"):
        publish.push(bundle.DEFAULT, "no repo")
    monkeypatch.setenv("HF_TOKEN", "hf_пароль")
    assert refusal() == "HF_TOKEN holds letters that no token has; copy it again."
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert refusal() == "Set HF_TOKEN to a token that may write (or run `hf auth login`), then try again."
    assert repo.at("main").files.keys() == {".gitattributes"}  # never half


def test_a_license_that_the_hub_does_not_know_is_told_before_the_work(hub, here, monkeypatch):
    with pytest.raises(publish.HubError, match=r"^The Hub takes no license mine; choose one it knows, such"):
        train.main(["--push", REPO, "--license", "mine", "--data", "nowhere"])
    with pytest.raises(data.DataError, match=r"^There is no folder nowhere"):
        train.main(["--push", REPO, "--license", "mit", "--data", "nowhere"])
    hub.fail("POST", "/validate-yaml", 503, times=9)
    with pytest.raises(publish.HubError, match=r"^The Hub can't be asked about the license mit; try again"):
        publish.check(REPO, "mit")


def test_a_model_that_can_t_be_tagged_is_there_and_the_next_push_tags_it(hub, here):
    hub.fail("POST", "/tag/", 503, times=4)
    again = f"try again with: python -m model push {bundle.DEFAULT} {REPO}."
    assert refusal() == (
        f"The Hub answered 503 when asked to publish {REPO}; the model is there, but not tagged, {again}"
    )
    publish.push(bundle.DEFAULT, REPO)
    repo = hub.repos["model", REPO]
    assert (len(repo.commits), repo.tags) == (2, {"v1": repo.at("main").sha})


def test_the_command_lists_and_publishes(hub, at, here, tmp_path):
    command = ["-m", "model", "push", bundle.DEFAULT, REPO]
    listed = run_here(*command, "--dry-run", HF_TOKEN="")
    headline, *rows = listed.stdout.splitlines()
    assert headline == card.headline(bundle.read(bundle.DEFAULT).description)
    sizes = {name: size for size, name in (row.split() for row in rows)}
    assert sizes.keys() == files_of(bundle.DEFAULT).keys()
    assert int(sizes["model.tflite"]) == (bundle.DEFAULT / "model.tflite").stat().st_size
    assert not hub.repos
    nowhere = run_here("-m", "model", "push", tmp_path / "nowhere", REPO)
    sentence = f"There is no folder {tmp_path / 'nowhere'}; give the one that train.py wrote."
    assert nowhere.stderr == f"python -m model: {sentence}\n"
    published = run(*command, "--private", **at)
    assert published.stdout == f"Published {hub.url}/{REPO}\n"
    assert hub.repos["model", REPO].private
    again = run_here(*command, "--dry-run")
    assert again.stdout == f"{headline}\nNothing to upload: all files are in {REPO} already.\n"


def test_a_figure_that_only_one_of_two_models_has_is_not_compared():
    has = {"figures": {"field": {"not_potato": {"declined": 0.9, "declined_interval": [0.8, 1]}}}}
    for earlier, newer in ((has, {"figures": {"field": {}}}), ({"figures": {}}, has)):
        refuse_worse(earlier, newer, "someone/leaf", "--force")
