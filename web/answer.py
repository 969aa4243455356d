"""What the page says of a photo: card, chances of the classes, guidance; and what browsers keep of it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from model.classifier import Diagnosis
from model.diseases import is_healthy
from model.photo import PhotoError
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web import guidance
from web.inert import inert
from web.texts import chance, class_key, class_name, class_names, explain, symptoms, text
from web.uploads import LostError

Share = Annotated[float, Field(ge=0, le=1)]


class Kept(BaseModel):
    """What a browser keeps of a diagnosis, and may send again."""

    verdict: Literal[DIAGNOSIS, UNSURE, NOT_POTATO]
    label: str
    confidence: Share
    probabilities: dict[str, Share] = Field(min_length=1)
    leaf: Share
    severity: Share | None


@dataclass(frozen=True)
class Earlier(Diagnosis):
    """One that a browser has kept; when: the time, as it is written there."""

    when: str


def answer(language: str, shown: Diagnosis | PhotoError | None) -> tuple[dict, list[dict], dict | None]:
    """Return the card, the chances of the classes and the guidance of what is shown, in a language."""
    if shown is None:
        title, advice = text(language, "waiting"), text(language, "waiting.advice")
        return {"verdict": "waiting", "title": title, "advice": advice}, [], None
    if isinstance(shown, PhotoError):
        said = {"title": text(language, "error"), "advice": explain(language, shown)}
        return {"verdict": "error"} | said, [], None
    key = shown.verdict
    if shown.verdict == UNSURE and shown.leaf < shown.confidence:
        key = "doubtful_leaf"
    elif shown.verdict == NOT_POTATO and shown.suspicions:
        key = "perhaps_potato"
    named = shown.suspicions if key == "perhaps_potato" else [shown.likeliest]
    card = {
        "verdict": shown.verdict,
        "class": class_key(shown.label),
        "healthy": is_healthy(shown.label),
        "title": class_name(language, shown.label),
        "advice": text(
            language,
            f"advice.{key}",
            likeliest=class_names(language, named),
            confidence=chance(language, shown.confidence),
        ),
        "severity": symptoms(language, "severity", shown.severity),
    }
    chances = [
        {"title": class_name(language, label), "share": share, "chance": chance(language, share)}
        for label, share in sorted(shown.probabilities.items(), key=lambda item: -item[1])
        if shown.verdict != NOT_POTATO  # of which they say nothing
    ]
    return card, chances, guidance.guidance(language, shown.verdict, shown.label, shown.suspicions)


def on_page(language: str, shown: Diagnosis | PhotoError | None) -> tuple[dict, list[dict], dict | None]:
    """Return an answer as the page shows it: card, chances and guidance.

    The card has a way on and names its language, and no text in it runs as code.
    """
    card, chances, advice = answer(language, shown)
    card["language"] = language
    if isinstance(shown, Earlier):
        card["earlier"] = text(language, "history.earlier", when=shown.when)
    if shown is not None:
        card["another"] = text(language, "photo.another")
    return inert(card), inert(chances), advice


def recalled(check: dict | None) -> Earlier | PhotoError:
    """Return the diagnosis that a browser has kept, or an error if it is none."""
    try:
        kept = Kept.model_validate((check or {}).get("kept"))
    except (AttributeError, ValidationError):
        return LostError()
    return Earlier(**dict(kept), pixels=None, heat=None, when=str(check.get("when", "")))
