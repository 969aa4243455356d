"""Every text of the page, in every language: one JSON file a language, for a translator to edit."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from model.names import spelled
from model.photo import PhotoError

ENGLISH = "en"
CERTAIN = 0.99  # the largest probability that is shown: more would be read as 100 %, and nothing is certain
_FILES = sorted(Path(__file__).parent.glob("*.json"), key=lambda file: (file.stem != ENGLISH, file.stem))
TEXTS = {file.stem: json.loads(file.read_text("utf-8")) for file in _FILES}
LANGUAGES = {code: texts["language"] for code, texts in TEXTS.items()}  # code -> its own name
CODES = {code.lower(): code for code in LANGUAGES}  # in any case, as browsers and people write them


def text(language: str, key: str, **values: object) -> str:
    """Return a text with the values put in. Raises KeyError if there is no such text."""
    return TEXTS[language][key].format(**values)


def explain(language: str, error: PhotoError) -> str:
    """Say why a photo could not be answered."""
    return text(language, f"refused.{error.reason}", **error.values)


def in_language(said: dict[str, object]) -> str:
    """Return JavaScript that chooses what is said in a language."""
    return f"(language) => ({json.dumps(said)})[language]"


def percent(language: str, share: float) -> str:
    """Write a share, 0 to 1, as a percentage: of something, however little, at least 1."""
    return text(language, "percent", number=max(round(share * 100), int(share > 0)))


def chance(language: str, probability: float) -> str:
    """Write a probability, 0 to 1, as a percentage: nothing is certain, nor out of the question."""
    rounded = round(min(probability, CERTAIN) * 100)
    return text(language, "percent", number=rounded or "<1")


def symptoms(language: str, key: str, share: float | None) -> str | None:
    """Say with a text which share of a leaf, 0 to 1, shows symptoms; nothing if it is none or unknown."""
    return text(language, key, percent=percent(language, share)) if share else None


def class_key(label: str) -> str:
    """Return what our texts, statements and drawings call a class: "late_blight", however it is spelled."""
    return spelled(label).replace(" ", "_")


def class_name(language: str, label: str) -> str:
    """Name a class, or "Unsure" and the like, in a language; labels we have no word for stay as they are."""
    return TEXTS[language].get("class." + class_key(label), label)


def class_names(language: str, labels: Iterable[str]) -> str:
    """Name classes one after the other."""
    return text(language, "listed").join(class_name(language, label) for label in labels)


def sentences(language: str, said: Sequence[str]) -> str:
    """Put sentences one behind the other."""
    return text(language, "between").join(said)


def choose(asked: str | None, accept_language: str | None) -> str:
    """Choose a language: the one asked for, else the first of a browser's Accept-Language that we have."""
    ranked = []
    for position, part in enumerate((accept_language or "").split(",")):
        tag, _, quality = part.replace(" ", "").partition(";q=")
        try:
            ranked.append((-float(quality or 1), position, tag))
        except ValueError:  # no number: a header nobody's browser sends
            continue
    for tag in (asked or "", *(tag for quality, _, tag in sorted(ranked) if quality < 0)):
        parts = tag.strip().lower().replace("_", "-").split("-")
        for end in range(len(parts), 0, -1):  # zh-hant-tw, zh-hant, zh
            if code := CODES.get("-".join(parts[:end])):
                return code
    return ENGLISH
