"""The part of the page for one leaf: a photo in; the verdict, its chances, the heat map and advice out."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr
from gradio.components import Component

from model.classifier import Classifier, Diagnosis
from model.photo import PhotoError
from model.severity import grade
from model.verdict import NOT_POTATO, UNSURE
from web import guidance, heatmap
from web.inert import inert
from web.texts import ENGLISH, TEXTS, choose, class_name, text
from web.uploads import uploaded

SCRIPT = Path(__file__).parent / "page.js"
REAR_CAMERA = {"video": {"facingMode": "environment"}}

# A verdict is a dictionary: the page shows it as a card (Handlebars escapes its texts), the API hands it on.
CARD = """<div class="card {{value.verdict}}" data-class="{{value.class}}" role="status">
<h2>{{value.title}}</h2><p>{{value.advice}}</p>{{#if value.severity}}<p>{{value.severity}}</p>{{/if}}</div>"""


def lay_out(
    classifier: Classifier, language: Component
) -> tuple[gr.State, list[Component], Callable[[str, Diagnosis | str | None], list]]:
    """Lay out this part.

    Returns the state, which holds what is shown (a diagnosis without its heat, an error's sentence, or None);
    the components; and a function that says them all in a language.
    """

    # Gets the file as it was sent: the photo room alone decides whether and how to decode it.
    def diagnose(photo: dict | None, language: str = ENGLISH) -> tuple:
        """Diagnose a photo of a potato leaf: the verdict, each class's probability, what to do, a heat map.

        The language is one of en, es, fr, hi, sw, zh.
        """
        language = choose(language, None)
        if photo is None:
            return *answer(language, None), None, None
        try:
            file = uploaded(photo, Path(picture.GRADIO_CACHE))
            diagnosis = classifier.diagnose(file)
            drawing = None if diagnosis.verdict == NOT_POTATO else heatmap.draw(file, diagnosis.heat)
        except PhotoError as error:
            return *answer(language, str(error)), None, str(error)
        shown = replace(diagnosis, heat=None)
        card, chances, advice = answer(language, shown)
        # Tells page.js which photo this is about; said anew in another language, an answer has no photo.
        return card | {"photo": file.parent.name}, chances, advice, drawing, shown

    def translate(language: str, shown: Diagnosis | str | None) -> list:
        card, chances, advice = answer(language, shown)
        return [
            gr.Image(
                label=text(language, "photo"),
                alt_text=text(language, "photo.alt"),
                placeholder=text(language, "photo.place"),
            ),
            gr.HTML(value=card, texts=_spoken(language)),
            gr.Label(label=text(language, "chances"), value=chances),
            advice,
            gr.Image(label=text(language, "heat"), alt_text=text(language, "heat.alt")),
        ]

    shown = gr.State(None)
    with gr.Column(elem_id="one"):
        with gr.Row(equal_height=False):
            with gr.Column():
                picture = gr.Image(
                    sources=["upload", "webcam", "clipboard"],
                    webcam_options=gr.WebcamOptions(mirror=False, constraints=REAR_CAMERA),
                    label=text(ENGLISH, "photo"),
                    alt_text=text(ENGLISH, "photo.alt"),
                    placeholder=text(ENGLISH, "photo.place"),
                    height=360,
                    buttons=["fullscreen"],
                    elem_id="photo",
                )
            with gr.Column():
                verdict = gr.HTML(
                    answer(ENGLISH, None)[0],
                    label="Verdict",
                    html_template=CARD,
                    js_on_load=SCRIPT.read_text("utf-8"),
                    elem_id="verdict",
                    texts=_spoken(ENGLISH),
                )
                with gr.Column(elem_id="details"):
                    label = gr.Label(
                        label=text(ENGLISH, "chances"), show_heading=False, elem_id="probabilities"
                    )
                    heat = gr.Image(
                        label=text(ENGLISH, "heat"),
                        alt_text=text(ENGLISH, "heat.alt"),
                        format="jpeg",
                        height=280,
                        buttons=["fullscreen"],
                        interactive=False,
                        elem_id="heat",
                    )
        advice = gr.HTML(None, label="What to do", html_template=guidance.TEMPLATE, elem_id="guidance")
    for told in (verdict, advice):  # not strings, as gradio would tell its clients
        told.api_info = lambda: {"type": "object"}
    picture.input(
        diagnose,
        inputs=[picture, language],
        outputs=[verdict, label, advice, heat, shown],
        api_name="predict",
        preprocess=False,
        # A photo dropped over another one is two events: cleared, then a new photo. The last must count.
        trigger_mode="always_last",
        concurrency_limit=os.cpu_count(),
        show_progress="minimal",
    )
    return shown, [picture, verdict, label, advice, heat], translate


def answer(language: str, shown: Diagnosis | str | None) -> tuple[dict, dict[str, float], dict | None]:
    """Return the card, the probabilities and the guidance of what is shown, in a language."""
    if shown is None:
        title, advice = text(language, "waiting"), text(language, "waiting.advice")
        return {"verdict": "waiting", "class": "", "title": title, "advice": advice}, {}, None
    if isinstance(shown, str):
        said = {"verdict": "error", "class": "", "title": text(language, "error"), "advice": shown}
        return inert(said), {}, None
    likeliest = max(shown.probabilities, key=shown.probabilities.get)
    doubtful = shown.verdict == UNSURE and shown.leaf < 0.5
    card = {
        "verdict": shown.verdict,
        "class": shown.label,
        "title": class_name(language, shown.label),
        "advice": text(
            language,
            "advice.doubtful_leaf" if doubtful else f"advice.{shown.verdict}",
            likeliest=class_name(language, likeliest),
            confidence=f"{round(shown.confidence * 100)}%",
        ),
        "severity": None,
    }
    if shown.severity is not None:
        start, end = grade(shown.severity)
        percent = round(shown.severity * 100)
        card["severity"] = text(language, "severity", percent=percent, **{"from": start, "to": end})
    chances = {class_name(language, label): chance for label, chance in shown.probabilities.items()}
    return inert(card), chances, guidance.guidance(language, shown.verdict, shown.label)


def _spoken(language: str) -> dict[str, str]:
    """Return what page.js says by itself."""
    keys = ("error", "error.large", "error.again")
    return {"code": language} | {key: TEXTS[language][key] for key in keys}
