import base64
import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from model.classifier import Diagnosis
from model.photo import PhotoError
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web.answer import Earlier, answer, recalled
from web.guidance import SOURCES, STATEMENTS, about, guidance
from web.report import Leaf, table
from web.several import summarise
from web.texts import CODES, ENGLISH, LANGUAGES, TEXTS, chance, choose, class_name, percent, symptoms, text
from web.uploads import LostError

WEB = Path(__file__).parents[1] / "web"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_in_any_language(language):
    assert list(TEXTS[language]) == list(TEXTS[ENGLISH])
    for key, english in TEXTS[ENGLISH].items():
        said = TEXTS[language][key]
        assert said.strip() or key == "between"
        assert sorted(re.findall(r"{.*?}", said)) == sorted(re.findall(r"{.*?}", english)), key


def test_french_punctuation_never_begins_a_line():
    for key, said in TEXTS["fr"].items():
        assert not re.search(r"(?<!\u00a0)[;:?!%»]|«(?!\u00a0)", said), key


def test_every_text_is_used():
    code = "".join(file.read_text("utf-8") for file in [*WEB.rglob("*.py"), *WEB.glob("*.js")])
    for key in TEXTS[ENGLISH]:
        composed = key.startswith(("class.", "advice.", "part.", "refused.")) or key == "language"
        assert composed or f'"{key}"' in code, key


def test_every_refusal_has_a_text_that_says_what_programs_are_told():
    kinds = {error.reason: error.sentence for error in PhotoError.__subclasses__()}
    texts = {key.split(".")[1]: said for key, said in TEXTS[ENGLISH].items() if key.startswith("refused.")}
    assert texts == kinds


@pytest.mark.parametrize(
    ("asked", "accepted", "chosen"),
    [
        (None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, "de,pt;q=0.9,fr;q=0.4,zh-CN;q=0.7", "zh"),
        ("hi", "fr", "hi"),
        ("klingon", "sw", "sw"),
        (None, "fr; q=0.9", "fr"),
        (None, "de, fr;q=0, sw;q=0.1", "sw"),
        (None, "de, fr;q=0", "en"),
        (None, None, "en"),
        ("", "*;q=x,,;q=", "en"),
    ],
)
def test_the_language_is_what_the_visitor_reads(asked, accepted, chosen):
    assert choose(asked, accepted) == chosen


def test_a_language_of_one_country_comes_before_that_of_all(monkeypatch):
    monkeypatch.setitem(CODES, "pt-br", "pt-BR")
    assert choose("pt_BR", None) == choose(None, "pt-BR,es;q=0.9") == "pt-BR"
    assert choose(None, "pt-PT,es;q=0.9") == "es"


def test_classes_we_have_no_word_for_keep_their_labels():
    assert class_name("fr", "Late blight") == class_name("fr", "Late-blight") == "Mildiou"
    assert class_name("fr", "Septoria") == "Septoria"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("label", ["Early blight", "Late blight", "Healthy"])
def test_guidance_names_a_source_for_every_statement(language, label):
    told = guidance(language, DIAGNOSIS, label, None)
    assert [drawing[:4] for drawing in told["drawings"]] == ["<svg"]
    numbers = {source["number"] for source in told["sources"]}
    ours = {text(language, key) for key in ("label", "healthy.signs.look", "healthy.now.protect")}
    for part in told["parts"]:
        for point in part["points"]:
            assert point["source"] in numbers or point["text"] in ours
    assert all(source["url"].startswith("https://") for source in told["sources"])


@pytest.mark.parametrize(
    ("verdict", "leaf", "key"),
    [
        (DIAGNOSIS, 0.95, "diagnosis"),
        (UNSURE, 0.95, "unsure"),
        (UNSURE, 0.5, "doubtful_leaf"),
        (NOT_POTATO, 0.2, "perhaps_potato"),
        (NOT_POTATO, 0.01, "not_a_potato_leaf"),
    ],
)
def test_what_is_said_of_an_answer_tells_what_is_doubtful_about_it(verdict, leaf, key):
    chances = {"Late blight": 0.92, "Healthy": 0.08}
    card, *_ = answer("en", Diagnosis(verdict, "", 0.92, chances, leaf, None, None, None))
    assert card["advice"] == text("en", f"advice.{key}", likeliest="Late blight", confidence="92%")


def test_every_source_is_used():
    used = {source for parts in STATEMENTS.values() for points in parts.values() for _, source in points}
    assert used - {None} == set(SOURCES)


@pytest.mark.parametrize(("verdict", "suspicions"), [(UNSURE, []), (UNSURE, ["Septoria"]), (NOT_POTATO, [])])
def test_without_a_diagnosis_guidance_is_how_to_take_a_better_photo(verdict, suspicions):
    told = guidance("en", verdict, "", suspicions)
    assert [part["title"] for part in told["parts"]] == ["How to take a better photo"]
    assert told["drawings"] == []


@pytest.mark.parametrize(
    ("verdict", "leaf", "early", "late", "suspicions"),
    [
        (DIAGNOSIS, 0.9, 0, 0.9, []),
        (UNSURE, 0.01, 0, 0.9, ["Late blight"]),
        (UNSURE, 0.9, 0, 0.1, []),
        (UNSURE, 0.9, 0, 0.3, ["Late blight"]),  # healthy is likelier, but nobody should overlook it
        (UNSURE, 0.9, 0.6, 0.4, ["Early blight", "Late blight"]),
        (NOT_POTATO, 0.2, 0, 0.9, ["Late blight"]),
        (NOT_POTATO, 0.01, 0, 0.9, []),
    ],
)
def test_diseases_are_suspected_of_what_may_be_a_potato_leaf(verdict, leaf, early, late, suspicions):
    chances = {"Early blight": early, "Late blight": late, "Healthy": 1 - early - late}
    assert Diagnosis(verdict, "", 0.9, chances, leaf, None, None, None).suspicions == suspicions


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_may_be_a_blight_comes_with_what_to_look_for(language):
    told = guidance(language, UNSURE, "Unsure", ["Late blight"])
    signs, expert, better = told["parts"]
    assert [point["source"] for point in signs["points"] + expert["points"]] == [1, 2, 3, 2, 4]
    assert class_name(language, "Late blight") in signs["title"]
    assert better["title"] == text(language, "better")


def test_what_no_browser_of_ours_has_kept_is_not_shown_again():
    kept = {"verdict": DIAGNOSIS, "label": "Healthy", "confidence": 1.0, "leaf": 1.0, "severity": None}
    good = kept | {"probabilities": {"Healthy": 1.0}}
    earlier = recalled({"kept": good, "when": "May"})
    assert earlier == Earlier(**good, pixels=None, heat=None, when="May")
    wrong = (kept, good | {"leaf": 7}, good | {"verdict": "x"}, good | {"probabilities": {}}, "x", None)
    for check in (None, "x", [], {}, *({"kept": kept} for kept in wrong)):
        assert isinstance(recalled(check), LostError)


def test_of_other_classes_nothing_is_told():
    assert guidance("en", DIAGNOSIS, "Septoria", None) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_diseased_leaf_among_healthy_ones_is_named_with_what_to_do(language):
    chances = {"Late blight": 0.0, "Healthy": 1.0}
    healthy = Diagnosis(DIAGNOSIS, "Healthy", 1.0, chances, 1.0, None, None, None)
    chances = {"Late blight": 1.0, "Healthy": 0.0}
    diseased = Diagnosis(DIAGNOSIS, "Late blight", 1.0, chances, 1.0, 0.2, None, None)
    leaves = [Leaf("leaf.jpg", answered, None) for answered in (healthy, healthy, healthy, diseased)]
    card, advice = summarise(language, leaves)
    assert card["verdict"] == DIAGNOSIS
    for words in ("title", "caution"):  # and not "unsure": one was diagnosed
        assert class_name(language, "Late blight") in card[words]
    assert advice == about(language, ["Late blight"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_late_blight_comes_first_whatever_else_there_is(language):
    early = Diagnosis(
        DIAGNOSIS, "Early blight", 1.0, {"Early blight": 1.0, "Late blight": 0.0}, 1.0, *[None] * 3
    )
    late = Diagnosis(
        DIAGNOSIS, "Late blight", 1.0, {"Early blight": 0.0, "Late blight": 1.0}, 1.0, *[None] * 3
    )
    doubtful = replace(late, verdict=UNSURE, label="Unsure")
    card, advice = summarise(
        language, [Leaf("leaf.jpg", answered, None) for answered in (early, early, late)]
    )
    names = [class_name(language, label) for label in ("Late blight", "Early blight")]
    assert text(language, "listed").join(names) in card["title"]
    assert names[0] in advice["parts"][0]["title"]
    assert len(advice["drawings"]) == 2
    card, advice = summarise(language, [Leaf("leaf.jpg", answered, None) for answered in (early, doubtful)])
    assert card["title"] == names[1]
    assert text(language, "several.suspect", disease=names[0]) in card["caution"]
    assert advice == about(language, ["Early blight"], ["Late blight"])
    assert names[0] in advice["parts"][0]["title"]


def test_photos_that_could_not_be_answered_are_not_called_unclear():
    healthy = Diagnosis(DIAGNOSIS, "Healthy", 1.0, {"Late blight": 0.0, "Healthy": 1.0}, 1.0, *[None] * 3)
    card, _ = summarise("en", [Leaf("leaf.jpg", answered, None) for answered in (healthy, LostError())])
    assert "Photos clear enough to count: 1 of 1. Not answered, as said below: 1." in card["advice"]


def test_photos_not_taken_for_potato_leaves_are_told():
    healthy = Diagnosis(DIAGNOSIS, "Healthy", 1.0, {"Late blight": 0.0, "Healthy": 1.0}, 1.0, *[None] * 3)
    scene = replace(healthy, verdict=NOT_POTATO, label="Not a potato leaf", leaf=0.0)
    card, _ = summarise("en", [Leaf("leaf.jpg", answered, None) for answered in (healthy, scene)])
    assert "Not taken for potato leaves: 1." in card["advice"]
    card, _ = summarise("en", [Leaf("leaf.jpg", answered, None) for answered in (healthy, healthy)])
    assert "Not taken" not in card["advice"]


def test_a_spreadsheet_takes_no_name_for_a_formula():
    answered = Diagnosis(DIAGNOSIS, "Healthy", 1.0, {"Healthy": 1.0}, 1.0, None, None, None)
    names = ("=1+1.jpg", "+1.jpg", "-1.jpg", "@a.jpg", "\t=1.jpg", "leaf-1.jpg")
    encoded = table([Leaf(name, answered, None) for name in names]).split(",")[1]
    written = base64.b64decode(encoded)
    assert written.startswith("\ufeff".encode())  # by which a spreadsheet knows that it is UTF-8
    rows = csv.DictReader(io.StringIO(written.decode("utf-8-sig")))
    inert = ["'=1+1.jpg", "'+1.jpg", "'-1.jpg", "'@a.jpg", "'\t=1.jpg", "leaf-1.jpg"]
    assert [row["photo"] for row in rows] == inert


def test_what_unsure_leaves_may_have_comes_with_what_to_look_for_and_no_sprays():
    chances = {"Late blight": 0.9, "Healthy": 0.1}
    doubtful = Diagnosis(UNSURE, "Unsure", 0.9, chances, 0.5, None, None, None)
    chances = {"Late blight": 0.0, "Healthy": 1.0}
    healthy = Diagnosis(DIAGNOSIS, "Healthy", 1.0, chances, 1.0, None, None, None)
    card, advice = summarise("en", [Leaf("leaf.jpg", answered, None) for answered in (healthy, doubtful)])
    assert (card["verdict"], [leaf["chance"] for leaf in card["leaves"]]) == (
        UNSURE,
        ["99%", "(Late blight?)"],
    )
    assert "Some leaves look like: Late blight." in card["caution"]
    assert advice == guidance("en", UNSURE, "Unsure", ["Late blight"])


def test_of_two_diseases_it_is_told_what_to_do_about_each():
    advice = about("en", ["Early blight", "Septoria", "Late blight"])
    titles = [part["title"] for part in advice["parts"]]
    assert {title.rpartition(" (")[2] for title in titles} == {"Early blight)", "Late blight)"}
    said = [point["text"] for part in advice["parts"] for point in part["points"]]
    assert said.count(text("en", "label")) == 1
    numbers = {point["source"] for part in advice["parts"] for point in part["points"]} - {None}
    assert [source["number"] for source in advice["sources"]] == sorted(numbers)


def test_a_share_is_a_percentage_and_something_is_never_nothing():
    assert [percent("en", share) for share in (0, 0.001, 0.184, 1)] == ["0%", "1%", "18%", "100%"]
    assert [chance("en", probability) for probability in (0, 0.5, 1)] == ["<1%", "50%", "99%"]
    assert symptoms("en", "severity", 0.184) == "About 18% of the leaf shows symptoms."
    assert symptoms("en", "severity", 0.0) is symptoms("en", "severity", None) is None


def test_what_can_not_wait_is_marked_so():
    told = guidance("en", DIAGNOSIS, "Late blight", [])
    urgent = [part["title"] for part in told["parts"] if part["urgent"]]
    assert urgent == [text("en", heading) for heading in ("signs", "now", "expert")]
    assert guidance("en", UNSURE, "Unsure", [])["parts"][-1]["urgent"]
