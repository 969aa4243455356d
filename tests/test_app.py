import base64
import errno
import gzip
import io
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pytest
from conftest import HTTP, Server, run, run_here, serve
from drawing import draw
from fastapi.testclient import TestClient
from making import JPEG, encode
from PIL import Image
from test_photo import REFUSED
from test_requests import SEND_PHOTOS

import app
from model import bundle, photo
from model.__main__ import photos_in
from model.classifier import Classifier
from model.cores import CORES
from model.serving import Serving
from web.pictures import heat_layer, heat_over

LEAF = draw("Potato___Late_blight", seed=99)


def test_predict_answers_with_the_full_distribution(server):
    answer = server.predict(encode(LEAF)).json()
    assert (answer["class"], answer["verdict"]) == ("Late blight", "diagnosis")
    assert list(answer["probabilities"]) == ["Early blight", "Late blight", "Healthy"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert answer["model"] == {"name": "bundle", "revision": None}
    assert 0 < answer["severity"] < 1
    assert "heatmap" not in answer
    leaves = [server.predict(encode(draw("Potato___healthy", seed))).json() for seed in range(90, 100)]
    assert {leaf["severity"] for leaf in leaves if leaf["class"] == "Healthy"} == {None}


def test_the_heat_map_is_a_picture(server):
    address = server.predict(encode(LEAF), heatmap="true").json()["heatmap"]
    assert address.startswith("data:image/png;base64,")
    assert pixels_of(address).shape == (320, 320, 3)


def pixels_of(address: str) -> np.ndarray:
    """Return the picture in a data URL."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@pytest.mark.parametrize(
    ("kind", "colour"), [("Potato___Late_blight", (230, 60, 20)), ("Potato___healthy", (30, 90, 230))]
)
def test_heat_is_red_of_a_disease_and_blue_of_a_healthy_leaf_and_lies_where_the_model_looked(
    tiny, kind, colour
):
    leaf = encode(draw(kind, seed=99))
    diagnosis = Classifier(bundle.read(tiny)).diagnose(leaf, explain=True)
    assert diagnosis.heat.shape == (16, 16)
    layer = pixels_of(heat_layer(diagnosis))[2::5, 2::5]  # the middles of the cells
    np.testing.assert_allclose(layer[..., 3], 0.7 * 255 * np.sqrt(diagnosis.heat), atol=1.5)
    hottest = np.unravel_index(diagnosis.heat.argmax(), diagnosis.heat.shape)
    np.testing.assert_allclose(layer[hottest][:3], colour, atol=1)
    over = pixels_of(heat_over(leaf, diagnosis))
    np.testing.assert_allclose(over[10::20, 10::20][hottest], colour, atol=85)  # and what is below it


def test_heat_covers_what_it_is_of_and_nothing_else(tiny):
    leaf = encode(LEAF)
    diagnosis = Classifier(bundle.read(tiny)).diagnose(leaf, explain=True)
    none, spot = np.zeros((16, 16), np.float32), np.zeros((16, 16), np.float32)
    spot[3, 10] = 1
    shown = [pixels_of(heat_over(leaf, replace(diagnosis, heat=heat))) for heat in (none, spot)]
    rows, columns = np.nonzero((shown[0] != shown[1]).any(axis=2))
    assert (rows.mean(), columns.mean()) == pytest.approx((70, 210), abs=2)
    assert max(np.ptp(rows), np.ptp(columns)) < 80  # as far as bicubic scaling reaches


def test_other_things_are_declined(server):
    verdicts = [server.predict(encode(draw("scenes", seed))).json() for seed in range(100, 110)]
    declined = [answer for answer in verdicts if answer["verdict"] != "diagnosis"]
    assert len(declined) >= 7
    assert {answer["class"] for answer in declined} <= {"Unsure", "Not a potato leaf"}


def test_exif_webp_animations_and_a_single_pixel_get_an_answer(server):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = server.predict(encode(LEAF.transpose(Image.Transpose.ROTATE_90), exif=exif)).json()
    assert turned["probabilities"] == pytest.approx(
        server.predict(encode(LEAF)).json()["probabilities"], abs=1e-3
    )
    for data in (
        encode(LEAF, "WEBP"),
        encode(LEAF, "GIF", save_all=True, append_images=[LEAF.rotate(9)]),
        encode(Image.new("RGB", (1, 1))),
    ):
        assert server.predict(data).status_code == 200


TOO_MUCH = (photo.TooLargeError, photo.TooLongError, photo.OverloadedError)
STATUS = dict.fromkeys(TOO_MUCH, 413) | {photo.UnreadTypeError: 415}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_with_which_status(server, name):
    data, error, sentence = REFUSED[name]
    response = server.predict(data)
    assert (response.status_code, response.json()) == (STATUS.get(error, 400), {"detail": sentence})
    assert server.predict(JPEG).status_code == 200


def test_text_in_place_of_photos_is_422(server):
    response = HTTP.post(f"{server.url}/predict/batch", files={"files": (None, "leaf.jpg")})
    assert (response.status_code, response.json()) == (422, {"detail": SEND_PHOTOS})


def test_of_two_photos_none_is_silently_left_out(server):
    response = HTTP.post(
        f"{server.url}/predict", files=[("file", ("a.jpg", JPEG)), ("file", ("b.jpg", JPEG))]
    )
    assert response.status_code == 422
    assert response.json() == {"detail": "Send one photo at a time, or several to /predict/batch."}


def test_the_app_takes_no_arguments_and_says_so():
    ended = run("app.py", "--port", 8000)
    assert ended.returncode == 2
    assert ended.stderr.endswith("app.py: error: unrecognized arguments: --port 8000\n")
    assert "GRADIO_SERVER_PORT" in run_here("app.py", "--help").stdout


def test_a_wrong_parameter_is_422(server):
    response = server.predict(JPEG, heatmap="banana")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("The parameter heatmap is either true or false.")


@pytest.fixture(scope="module")
def small(tiny) -> Iterator[Server]:
    """The app, taking photos of a megabyte at most."""
    with serve(MODEL_REPO=tiny, MAX_UPLOAD_MB=1) as running:
        yield running


def test_too_many_bytes_are_413_whether_announced_or_not(small):
    sentence = "The upload has more than 1 MB; please send a smaller photo."
    announced = small.predict(b"x" * 1_200_000)
    assert (announced.status_code, announced.json()) == (413, {"detail": sentence})

    def chunks():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.jpg"\r\n\r\n'
        yield from (b"x" * 100_000 for _ in range(12))
        yield b"\r\n--b--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    unannounced = HTTP.post(f"{small.url}/predict", content=chunks(), headers=form)
    assert (unannounced.status_code, unannounced.json()) == (413, {"detail": sentence})
    slightly = small.predict(b"x" * 1_050_000)
    assert slightly.json() == {"detail": "The photo has more than 1 MB; please send a smaller one."}
    assert small.predict(encode(LEAF)).status_code == 200


def test_several_photos_may_have_more_bytes_together_than_one_alone(small):
    three = [("files", JPEG + bytes(600_000))] * 3
    batch = HTTP.post(f"{small.url}/predict/batch", files=three)
    summary = batch.json()["summary"]
    assert (batch.status_code, summary["photos"], summary["errors"]) == (200, 3, 0)
    of_page = HTTP.post(f"{small.url}/gradio_api/upload", files=three)
    assert (of_page.status_code, len(of_page.json())) == (200, 3)
    too_large = {"files": JPEG + bytes(1_100_000)}
    assert HTTP.post(f"{small.url}/gradio_api/upload", files=too_large).status_code == 413


def test_a_batch_answers_all_and_names_the_bad_one(server):
    files = [("files", (f"{i}.png", encode(draw("Potato___healthy", 200 + i)))) for i in range(3)]
    files.insert(1, ("files", ("bad.jpg", b"text")))
    answer = HTTP.post(f"{server.url}/predict/batch", files=files).json()
    assert [result["file"] for result in answer["results"]] == ["0.png", "bad.jpg", "1.png", "2.png"]
    bad = answer["results"][1]
    assert (bad["status"], bad["error"]) == (400, REFUSED["text"][2])
    single = server.predict(files[0][1][1]).json()
    assert answer["results"][0]["probabilities"] == pytest.approx(single["probabilities"], abs=1e-6)
    assert answer["summary"]["photos"] == 4
    assert answer["summary"]["errors"] == 1
    assert sum(answer["summary"]["classes"].values()) == 3
    together = answer["summary"]["together"]
    assert sum(together["probabilities"].values()) == pytest.approx(1)
    assert together["voters"] == sum(r.get("verdict") == "diagnosis" for r in answer["results"])


def test_a_batch_has_a_limit(server):
    files = [("files", ("a.jpg", JPEG))] * 33
    response = HTTP.post(f"{server.url}/predict/batch", files=files)
    assert response.status_code == 413
    assert response.json() == {"detail": "At most 32 photos at once, please; these are 33."}


def test_ping_health_and_documentation(server):
    assert HTTP.get(f"{server.url}/ping").status_code == 200
    for path in ("/ping", "/health"):
        asked = HTTP.head(f"{server.url}{path}")
        assert (asked.status_code, asked.content) == (200, b"")
    health = HTTP.get(f"{server.url}/health").json()
    assert health["classes"] == ["Early blight", "Late blight", "Healthy"]
    assert health["notice"] is None
    documentation = HTTP.get(f"{server.url}/docs").text
    assert "swagger" in documentation
    hosts = set(re.findall(r"(?:src|href)=.https?://[^/\"']+", documentation))
    assert not hosts
    paths = HTTP.get(f"{server.url}/openapi.json").json()["paths"]
    assert set(paths) == {"/predict", "/predict/batch", "/ping", "/health"}


def test_the_page_can_be_installed_like_an_app(server):
    manifest = HTTP.get(f"{server.url}/manifest.json").json()
    assert (manifest["name"], manifest["display"]) == ("Blightcheck", "standalone")
    icon = HTTP.get(server.url + manifest["icons"][0]["src"])
    assert icon.headers["content-type"].startswith("image/svg")
    assert b"<svg" in icon.content
    assert "manifest.json" in HTTP.get(server.url).text


def test_many_at_once_are_all_answered(server):
    photos = [encode(draw("Potato___Early_blight", seed)) for seed in range(8)]
    alone = [server.predict(data).json()["probabilities"] for data in photos]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda data: server.predict(data).json()["probabilities"], photos * 4))
    for got, expected in zip(together, alone * 4, strict=True):
        assert got == pytest.approx(expected, abs=1e-6)


def test_beyond_its_places_it_says_so_at_once(tiny, monkeypatch):
    monkeypatch.setattr(app, "MAX_AT_ONCE", 1)
    serving = Serving(str(tiny))
    classifier, _ = serving.now
    client = TestClient(app.create_api(serving))
    idle = [classifier._plain.idle.get() for _ in range(CORES)]  # all interpreters are busy
    with ThreadPoolExecutor(2) as pool, client:
        both = [pool.submit(client.post, "/predict", files={"file": JPEG}) for _ in range(2)]
        done, waiting = wait(both, return_when=FIRST_COMPLETED)
        refused, answered = done.pop().result(), waiting.pop()
        for runner in idle:
            classifier._plain.idle.put(runner)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {"detail": "Too many photos at once; please try again."}
        assert answered.result().status_code == 200
        assert client.post("/predict", files={"file": JPEG}).status_code == 200


def test_other_sites_may_call_only_if_allowed(server, tiny):
    asked = {"Origin": "http://orchard.example"}
    assert "access-control-allow-origin" not in HTTP.get(f"{server.url}/ping", headers=asked).headers
    with serve(
        MODEL_REPO=tiny, ALLOWED_ORIGINS="http://farm.example, HTTP://Orchard.example/"
    ) as open_server:
        answer = HTTP.get(f"{open_server.url}/ping", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "http://orchard.example"
        other = HTTP.get(f"{open_server.url}/ping", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_every_answer_tells_browsers_to_trust_this_server_only(server):
    for path in ("/", "/ping", "/docs", "/nothing"):
        headers = HTTP.get(server.url + path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self' blob: data:;")
        assert "frame-ancestors 'self' https://huggingface.co" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_on_a_space_it_listens_to_the_world(space):
    listening = Path(f"/proc/{space.process.pid}/net/tcp").read_text()
    port = int(space.url.rsplit(":", 1)[1])
    assert f"00000000:{port:04X}" in listening
    assert f"0100007F:{port:04X} 00000000:0000 0A" not in listening


def test_serving_never_imports_tensorflow(server):
    server.predict(encode(LEAF))
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "ai_edge_litert" in mapped
    assert "tensorflow/" not in mapped.replace("ai_edge_litert", "")
    assert "_pywrap_tensorflow" not in mapped


def test_a_browser_keeps_the_scripts_of_the_page_and_nothing_else(server):
    page = HTTP.get(server.url)
    script = re.search(r"/assets/[\w-]+\.js", page.text)[0]
    assert "immutable" in HTTP.get(server.url + script).headers["cache-control"]
    for other in (page, HTTP.get(f"{server.url}/assets/none.js"), HTTP.get(f"{server.url}/health")):
        assert "immutable" not in other.headers.get("cache-control", "")


def test_the_page_travels_small(server):
    with HTTP.stream("GET", server.url, headers={"Accept-Encoding": "gzip"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert len(sent) < len(gzip.decompress(sent)) / 3


def test_serving_never_imports_matplotlib_though_gradio_would(server):
    with httpx2.Client(base_url=f"{server.url}/gradio_api", timeout=60) as client:
        path = client.post("/upload", files={"files": encode(LEAF)}).json()[0]
        sent = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, None]}
        assert client.post("/run/predict", json=sent).json()["data"][0]["class"] == "Late blight"
    assert "matplotlib/" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_a_link_to_the_page_is_shown_by_its_own_name(server):
    page = HTTP.get(server.url).text
    titles = re.findall(r'<meta\s+(?:property|name)="(?:og|twitter):title" content="([^"]*)"', page)
    assert titles == ["Blightcheck"]
    assert 'content="Show it a photo of one potato leaf, ' in page
    assert not re.search(r'<meta[^>]*content="[^"]*[Gg]radio', page)


def test_the_page_comes_up_without_type_stubs():
    code = (
        "import gc, sys; opened = []\n"
        "sys.addaudithook(lambda event, told: event == 'open' and opened.append(str(told[0])))\n"
        "import app; from model.serving import Serving\n"
        "app.create_page(Serving(None), app.photos_folder()); "
        "print([f for f in opened if f.endswith('.pyi')], gc.isenabled())"
    )
    told = run("-c", code)
    assert told.stdout == "[] True\n", told.stderr


def test_an_idle_server_rests(server):
    HTTP.get(server.url).raise_for_status()  # the page is there

    def wakings() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.split("nonvoluntary")[0].split("voluntary_ctxt_switches:")[1])

    before = wakings()
    time.sleep(1)
    assert wakings() - before < 200


def test_a_model_that_is_not_there_stops_the_app_with_one_sentence(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = run("app.py", MODEL_REPO=tmp_path / "empty")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "app.py: empty is not a Blightcheck model: it has no bundle.json."


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])  # the latter of a closed terminal
def test_it_stops_quietly_when_asked_and_leaves_no_photos(tiny, how, capfd):
    with serve(MODEL_REPO=tiny) as one:
        sent = HTTP.post(f"{one.url}/gradio_api/upload", files={"files": JPEG}).json()
        folder = Path(sent[0]).parents[1]
        assert folder.stat().st_mode & 0o777 == 0o700
        # As of a page that is open, which gradio would have the server wait for.
        with HTTP.stream("GET", f"{one.url}/gradio_api/heartbeat/page"):
            one.process.send_signal(how)
            assert one.process.wait(timeout=10) in (0, -signal.SIGTERM)
    assert "Traceback" not in capfd.readouterr().err
    assert not folder.exists()


def test_a_bundle_whose_model_does_not_fit_is_refused(tiny):
    good = bundle.read(tiny)
    for wrong in ({"image_size": 32}, {"classes": good.classes[:2]}, {"model": b"no model"}):
        with pytest.raises(
            bundle.BundleError, match=r"^model.tflite does not fit bundle.json; fetch or train"
        ):
            Classifier(bundle.Bundle(**(vars(good) | wrong)))


def test_the_command_line_writes_a_row_for_each_photo(tiny, server, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    LEAF.save(folder / "a.png")
    (folder / "b.jpg").write_bytes(b"text")
    (folder / os.fsdecode(b"bl\xe4tt.jpg")).write_bytes(b"text")  # named on a machine of another age
    ended = run("-m", "model", folder, "--csv", tmp_path / "out.csv", MODEL_REPO=tiny)
    assert ended.returncode == 1  # one could not be read
    header, good, bad, odd = (tmp_path / "out.csv").read_bytes().splitlines()
    assert b"bl\xe4tt.jpg" in odd
    header, good, bad = header.decode(), good.decode(), bad.decode()
    assert (
        header
        == "photo,class,confidence,verdict,leaf_probability,severity,Early blight,Late blight,Healthy,error"
    )
    expected = server.predict(folder / "a.png").json()
    answered = f"{folder / 'a.png'},Late blight,{expected['confidence']:.4f},diagnosis,"
    answered += f"{expected['leaf_probability']:.4f},{expected['severity']:.3f},"
    answered += ",".join(f"{share:.4f}" for share in expected["probabilities"].values())
    assert good == answered + ","
    assert "Together" not in ended.stderr  # one leaf alone
    assert bad.endswith(f'"{REFUSED["text"][2]}"')
    printed = run("-m", "model", folder / "a.png", MODEL_REPO=tiny)
    assert (printed.returncode, printed.stdout.splitlines()) == (0, [header, good])


def test_the_command_line_explains_mistakes(tiny):
    ended = run_here("-m", "model", "nothing.jpg", MODEL_REPO=tiny)
    assert ended.stderr.strip() == "python -m model: There is no photo or folder nothing.jpg."


def test_the_command_line_never_writes_its_table_over_a_photo(tiny, tmp_path):
    leaf, other = tmp_path / "leaf.dat", tmp_path / "other.PNG"
    LEAF.save(leaf, "JPEG")
    before = leaf.read_bytes()
    again = tmp_path / ".." / tmp_path.name / leaf.name
    for table in (leaf, again, other):  # two asked about, and one that a pattern left to --csv
        ended = run_here("-m", "model", leaf, "--csv", table, MODEL_REPO=tiny)
        assert ended.returncode == 1
        sentence = f"{table} is a photo, or called like one; --csv takes the name of a table to write."
        assert ended.stderr.splitlines()[-1] == f"python -m model: {sentence}"
    assert leaf.read_bytes() == before
    assert not other.exists()


def test_the_command_line_replaces_tables_only_and_counts_a_photo_once(tiny, tmp_path):
    leaf, work, table = tmp_path / "leaf.jpg", tmp_path / "work.py", tmp_path / "leaf.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    LEAF.save(leaf)
    (tmp_path / "._leaf.jpg").write_bytes(b"what macOS puts beside it")
    for file in (work, table):
        file.write_text("what was there before")
    ended = run_here("-m", "model", leaf, "--csv", work, MODEL_REPO=tiny)
    assert ended.stderr.splitlines()[-1].startswith(f"python -m model: {work} is there already")
    assert work.read_text() == "what was there before"
    ended = run_here("-m", "model", leaf, "--csv", "", MODEL_REPO=tiny)
    assert ended.stderr.splitlines()[-1] == "python -m model: --csv takes the name of a table to write."
    ended = run_here("-m", "model", leaf, "--csv", tmp_path / ("t" * 300), MODEL_REPO=tiny)
    assert ended.stderr.splitlines()[-1].endswith(f"{'t' * 300}: file name too long.")
    again = tmp_path / ".." / tmp_path.name / leaf.name
    draw("Potato___Late_blight", seed=91).save(tmp_path / "other.jpg")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "alias.jpg").symlink_to(leaf)
    ended = run_here("-m", "model", leaf, again, tmp_path, "--csv", link, MODEL_REPO=tiny)
    assert ended.returncode == 0
    assert link.is_symlink()
    rows = table.read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(leaf), str(tmp_path / "other.jpg")]
    assert "Together: Late blight (2 of 2 photos had a say)" in ended.stderr.splitlines()


def test_an_address_that_is_taken_is_told_before_anything_else(tiny):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("app.py", MODEL_REPO=tiny, GRADIO_SERVER_PORT=port)
    assert ended.returncode == 1
    assert ended.stdout == ""
    sentence = f"app.py: 127.0.0.1, port {port}, can't be used (address already in use); choose others with"
    assert ended.stderr.splitlines()[-1].startswith(sentence)


def test_what_the_command_line_may_not_read_is_told(tmp_path, monkeypatch):
    closed = tmp_path / "photos" / "closed"
    closed.mkdir(parents=True)

    def scandir(path):  # the tests may run as root, to whom nothing is closed
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        list(photos_in([str(tmp_path / "photos")]))
    with pytest.raises(FileNotFoundError, match="There is no photo or folder without a name"):
        list(photos_in([""]))


def test_patterns_that_the_shell_has_left_alone_are_filled_in(tmp_path):
    for name in ("b.jpg", "a.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    assert list(photos_in([str(tmp_path / "*.jpg")])) == [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for name in ("*.png", "[a].jpg", "gone.jpg"):
        with pytest.raises(FileNotFoundError, match="There is no photo or folder "):
            list(photos_in([str(tmp_path / name)]))
