"""The part of the page for one leaf: a photo in; the verdict, its chances, the heat map and advice out."""

from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component
from gradio.data_classes import JsonData

from model.answers import one_as_json
from model.classifier import Diagnosis
from model.feedback import Feedback
from model.photo import PhotoError
from model.serving import Serving
from web import feedback, guidance, heat
from web.answer import Kept, answer, on_page, recalled
from web.environment import MAX_PHOTOS
from web.fetching import Picture, ToldError
from web.part import CARD, NOTHING_YET, Part, anew
from web.texts import (
    ENGLISH,
    LANGUAGES,
    TEXTS,
    choose,
    explain,
    in_language,
    text,
)
from web.uploads import LostError, opened


class JsonText(JsonData):
    """JSON data whose string is JSON, not Python's notation: agents get the string."""

    def __str__(self) -> str:
        return self.model_dump_json()


class JsonOutput(gr.JSON):
    """gr.JSON that agents can read as well."""

    is_template = True  # looks as gr.JSON does

    def postprocess(self, value: dict) -> JsonText:
        """Return the value in a form that agents can read."""
        return JsonText(value)


SCRIPT = Path(__file__).parent / "page.js"
REAR_CAMERA = {"video": {"facingMode": "environment"}}

CHANCES = """{{#if value}}<h3>{{texts.chances}}</h3><ul class="counts">{{#each value}}
<li><span>{{this.title}}</span><meter max="1" value="{{this.share}}" aria-hidden="true"></meter>
<b>{{this.chance}}</b></li>{{/each}}</ul>{{/if}}"""


def lay_out(serving: Serving, language: Component, feedback_store: Feedback | None) -> Part:
    """Lay out this part; `feedback_store` is where visitors' feedback goes, if anywhere.

    Its state holds what is shown: a diagnosis without arrays, an error, or None.
    """

    # Gets the file as it was sent: model.photo alone decides whether and how to decode it.
    def diagnose(photo: dict | None, language: str) -> tuple:
        if photo is None:
            return *on_page(language, None), None, None, None
        try:
            with opened(photo, Path(picture.GRADIO_CACHE)) as file:
                diagnosis = serving.diagnose(file, explain=True)
        except PhotoError as error:
            return *on_page(language, error), None, error, None
        card, chances, to_do = on_page(language, diagnosis)
        name = file.parent.name  # tells page.js which photo this is about; said anew, an answer names none
        kept = Kept.model_validate(vars(diagnosis)).model_dump()
        card |= {"photo": name, "kept": kept}
        return card, chances, to_do, heat.seen(diagnosis), diagnosis.without_arrays(), name

    def recall(check: dict | None, language: str) -> tuple:
        shown = recalled(check)
        return *on_page(language, shown), None, shown, None, None

    def predict(photo: dict, language: str = ENGLISH) -> dict:
        """Tell early blight, late blight and healthy potato leaves apart on a photo.

        Answers with the class, or that it is unsure or no potato leaf, the probability of each class, the
        share of the leaf that shows symptoms, and what to do, with sources.

        Args:
            photo: one potato leaf that fills most of the picture: its address, or a data URL
            language: of the advice: en, es, fr, hi, sw or zh
        """
        language = choose(language, None)
        try:
            with opened(photo or {}, Path(picture.GRADIO_CACHE)) as file:
                diagnosis = serving.diagnose(file)
        except PhotoError as error:
            raise ToldError(explain(language, error), print_exception=False) from error
        card, _, advice = answer(language, diagnosis)
        to_do = {key: advice[key] for key in ("parts", "sources")} if advice else None
        return one_as_json(diagnosis) | {"advice": card["advice"], "what_to_do": to_do}

    def translate(language: str, displayed: str, shown: Diagnosis | PhotoError | None) -> list:
        card, chances, to_do = anew(partial(on_page, language), displayed, shown, LostError())
        return [
            gr.Image(
                label=text(language, "photo"),
                alt_text=text(language, "photo.alt"),
                placeholder=text(language, "photo.place"),
            ),
            gr.update(texts=_spoken(language), **card),
            gr.update(texts={"chances": text(language, "chances")}, **chances),
            gr.update(**to_do),
            gr.HTML(texts=heat.spoken(language)),
            gr.Button(text(language, "photo.take")),
            *form.say(language),
        ]

    shown, about = gr.State(None), gr.State(None)  # an answer, and the name of the photo it is about
    with gr.Column(elem_id="one"):
        with gr.Row(elem_id="answer"):
            with gr.Column():
                picture = Picture(
                    sources=["upload", "webcam"],
                    webcam_options=gr.WebcamOptions(mirror=False, constraints=REAR_CAMERA),
                    label=text(ENGLISH, "photo"),
                    alt_text=text(ENGLISH, "photo.alt"),
                    placeholder=text(ENGLISH, "photo.place"),
                    height=360,
                    buttons=["fullscreen"],
                    elem_id="photo",
                )
                take = gr.Button(text(ENGLISH, "photo.take"), elem_id="take")
                looked = heat.lay_out()
            with gr.Column():
                verdict = gr.HTML(
                    answer(ENGLISH, None)[0],
                    html_template=CARD,
                    js_on_load=SCRIPT.read_text("utf-8"),
                    elem_id="verdict",
                    texts=_spoken(ENGLISH),
                )
                with gr.Column(elem_id="details"):
                    chances = gr.HTML(
                        None,
                        html_template=CHANCES,
                        elem_id="probabilities",
                        texts={"chances": text(ENGLISH, "chances")},
                    )
                what_to_do = gr.HTML(None, html_template=guidance.TEMPLATE, elem_id="guidance")
        form = feedback.lay_out(serving.bundle.classes, feedback_store, picture, language, about, shown)
    lost = {code: on_page(code, LostError())[0] for code in LANGUAGES}
    # At once, and in the browser: an answer never stands beside another photo, whatever becomes of that.
    waiting = {code: on_page(code, None)[0] | {"pending": True} for code in LANGUAGES}
    picture.input(
        None,
        [picture, language],
        verdict,
        js=f"(photo, language) => (photo ? {in_language(NOTHING_YET)} : {in_language(waiting)})(language)",
        api_visibility="private",
    )
    take.click(
        None, js="() => { document.dispatchEvent(new Event('blightcheck:take')); }", api_visibility="private"
    )
    # The button that had the focus is gone; keys would begin at the page's top again.
    picture.clear(
        None,
        js="""() => {
          document.dispatchEvent(new Event("blightcheck:cleared"));
          setTimeout(() => document.querySelector("#photo button.upload-container")?.focus());
        }""",
        api_visibility="private",
    )
    picture.input(
        diagnose,
        inputs=[picture, language],
        outputs=[verdict, chances, what_to_do, looked, shown, about],
        api_visibility="private",
        preprocess=False,
        # A photo dropped over another one is two events: cleared, then a new photo. The last must count.
        trigger_mode="always_last",
        queue=False,  # one request instead of three; the classifier itself keeps the order
        show_progress="minimal",
        show_progress_on=verdict,
    ).failure(None, language, verdict, js=in_language(lost), api_visibility="private")
    # history.js presses it, and says which check is to be shown again.
    gr.Button(visible="hidden", elem_id="recall").click(
        recall,
        inputs=[gr.JSON(visible=False), language],
        outputs=[verdict, chances, what_to_do, looked, shown, about, picture],
        js="(_, language) => [document.querySelector('#recall').check, language]",
        api_visibility="private",
        trigger_mode="always_last",  # or the second of two quick taps would be lost
        queue=False,
        show_progress="hidden",
    )
    # For programs: gradio's clients and, as an MCP tool, agents.
    gr.Button(visible=False).click(
        predict,
        [picture, language],
        JsonOutput(label="answer", visible=False),
        api_name="predict",
        preprocess=False,
        queue=False,
    )
    components = [picture, verdict, chances, what_to_do, looked, take, *form.components]
    return Part(shown, verdict, components, translate)


def _spoken(language: str) -> dict[str, str | int]:
    """Return what page.js says by itself."""
    keys = ("error.large", "error.unread", "error.many", "error.offline", "error.slow", "error.camera")
    keys += ("refused.lost", "photo.preparing", "several.preparing")
    keys += ("part", "feedback.ask")  # what the choices are called, for screen readers
    return {"code": language, "most": MAX_PHOTOS} | {key: TEXTS[language][key] for key in keys}
