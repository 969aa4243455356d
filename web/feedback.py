"""The question whether an answer was right: with the visitor's consent, and where the host wants it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.components import Component

from model import photo
from model.bundle import ClassName
from model.classifier import Diagnosis
from model.feedback import Feedback
from web.texts import ENGLISH, LANGUAGES, class_name, explain, in_language, text
from web.uploads import LostError, opened

ELSE = "something_else"  # the folder of leaves, and other things, that are none of the classes
SIZE = 512  # pixels, of the photos kept: enough to train on, and without what a file says of place and owner


class Form(NamedTuple):
    """The components, and a function that says them all in a language."""

    components: list[Component]
    say: Callable[[str], list]


def lay_out(
    classes: Sequence[ClassName],
    feedback_store: Feedback | None,
    picture: gr.Image,
    language: Component,
    about: gr.State,
    shown: gr.State,
) -> Form:
    """Lay out the question about the photo in `picture`; nothing if it can't be kept.

    `shown` holds the answer, and `about` the name of the photo that was answered.
    """
    if feedback_store is None:
        return Form([], lambda _: [])

    def choices(language: str) -> list[tuple[str, str]]:
        named = [(class_name(language, name.label), name.folder) for name in classes]
        return [*named, (text(language, "feedback.else"), ELSE)]

    def send(
        sent: dict | None,
        said: str | None,
        consent: bool,
        language: str,
        answered_photo: str | None,
        answered: Diagnosis | None,
    ) -> tuple:
        known = [folder for _, folder in choices(language)]  # a caller may name any
        if not (sent and said in known and consent):
            return text(language, "feedback.incomplete"), said, consent
        try:
            with opened(sent, Path(picture.GRADIO_CACHE)) as file:
                if file.parent.name != answered_photo:  # its answer is still to come, or of another session
                    raise LostError
                pixels = photo.prepare(file, SIZE)
        except LostError:
            return text(language, "feedback.gone"), said, consent
        except photo.PhotoError as error:
            return explain(language, error), said, consent
        told = {"verdict": answered.verdict, "probabilities": answered.probabilities, "leaf": answered.leaf}
        try:
            feedback_store.keep(pixels, said, told)
        except OSError as error:
            print(f"app.py: feedback is lost: {error}", file=sys.stderr)
            return text(language, "feedback.failed"), said, consent
        return text(language, "feedback.thanks"), None, False

    with gr.Column(elem_id="feedback"):
        right = gr.Radio(choices(ENGLISH), label=text(ENGLISH, "feedback.ask"))
        consent = gr.Checkbox(label=text(ENGLISH, "feedback.consent"))
        button = gr.Button(text(ENGLISH, "feedback.send"), size="sm")
        reply = gr.HTML("", html_template='<p role="status">{{value}}</p>', elem_id="reply")
    gone = {code: text(code, "feedback.gone") for code in LANGUAGES}
    button.click(
        send,
        [picture, right, consent, language, about, shown],
        [reply, right, consent],
        preprocess=False,
        queue=False,
        show_progress="minimal",
        show_progress_on=reply,
        api_visibility="private",
    ).failure(None, language, reply, js=in_language(gone), api_visibility="private")
    # Another photo, another question.
    picture.input(None, None, [reply, right, consent], js="() => ['', null, false]", api_visibility="private")

    def say(language: str) -> list:
        return [
            gr.Radio(choices(language), label=text(language, "feedback.ask")),
            gr.Checkbox(label=text(language, "feedback.consent")),
            gr.Button(text(language, "feedback.send")),
            "",
        ]

    return Form([right, consent, button, reply], say)
