"""The REST API answers as its documentation says: photos, and whatever else is sent to it."""

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from making import AVIF, JPEG

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
FEW = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def documented(server) -> dict:
    """What is documented, by the path of the call."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return {found.ok().path: found.ok() for found in schema.get_all_operations()}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/health", "/ping"])
def test_whatever_is_sent_gets_a_documented_answer(documented, path):
    @FEW
    @given(case=documented[path].as_strategy())
    def send(case):
        case.call_and_validate(checks=CHECKS)

    send()


def test_photos_are_documented_as_files(server):
    forms = requests.get(f"{server.url}/openapi.json", timeout=60).json()["components"]["schemas"]
    one, several = (forms[f"Body_{call}"]["properties"] for call in ("predict", "predict_batch"))
    assert one["file"]["format"] == several["files"]["items"]["format"] == "binary"


def test_the_answers_to_photos_are_documented(documented, server):
    for path, photos in {
        "/predict": {"file": JPEG},
        "/predict?heatmap=true": {"file": JPEG},
        "/predict/batch": [("files", data) for data in (JPEG, AVIF, b"text")],
    }.items():
        answer = requests.post(server.url + path, files=photos, timeout=60)
        assert answer.status_code == 200
        documented[path.split("?")[0]].validate_response(answer)
