"""What holds for every picture and every file, not only for those we thought of."""

import numpy as np
import pytest
from fuzz_photo import Fuzzer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from making import LEAF, encode
from PIL import Image

from model import bundle, photo
from model.classifier import Classifier
from model.verdict import DIAGNOSIS

FILES = [encode(LEAF, form) for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")]
FILES += [
    encode(LEAF.convert("P")),
    encode(LEAF, "JPEG", progressive=True),
    encode(LEAF.convert("CMYK"), "JPEG"),
]
PLENTY = settings(max_examples=300, deadline=None, derandomize=True)
FEW = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Files with some bytes changed, lost or put in, mostly near the beginning, where the headers are."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, draw(st.sampled_from((64, 600, len(data)))))) % (len(data) or 1)
        data[at : at + draw(st.integers(0, 40))] = draw(st.binary(max_size=20))
    return bytes(data)


@PLENTY
@given(damaged_files())
def test_a_damaged_file_is_answered_or_refused_with_a_sentence(data):
    try:
        pixels = photo.prepare(data, 64)
    except photo.PhotoError as error:
        assert str(error).endswith(".")
    else:
        assert (pixels.shape, pixels.dtype) == ((64, 64, 3), np.uint8)


def test_some_fuzzing_finds_nothing():
    fuzzer = Fuzzer(corpus=None)
    fuzzer.run(seed=1, most=5000)  # for longer: python tests/fuzz_photo.py
    assert not fuzzer.bad, fuzzer.report()
    assert fuzzer.outcomes.total() == 5000


@PLENTY
@given(st.binary(max_size=400))
def test_any_bytes_are_answered_or_refused(data):
    with pytest.raises(photo.PhotoError):
        photo.prepare(data, 64)


@pytest.fixture(scope="module")
def classifier(tiny) -> Classifier:
    return Classifier(bundle.read(tiny))


@FEW
@given(pixels=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_gets_probabilities_that_sum_to_1(classifier, pixels):
    diagnosis = classifier.diagnose(encode(Image.fromarray(pixels)))
    assert sum(diagnosis.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert 0 <= diagnosis.leaf <= 1
    assert diagnosis.confidence == max(diagnosis.probabilities.values())
    assert (diagnosis.verdict == DIAGNOSIS) == (diagnosis.label in classifier.labels)
