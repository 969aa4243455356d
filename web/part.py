"""A part of the page, as page.py puts it together: a card that says the answer, and what belongs to it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import gradio as gr
from gradio.components import Component

from model.photo import PhotoError
from web.texts import LANGUAGES, text

# A verdict is a dictionary; Handlebars escapes its texts.
CARD = """<div role="status" {{#if value.language}}lang="{{value.language}}"{{/if}}
class="card {{value.verdict}}{{#if value.healthy}} healthy{{/if}}{{#if value.pending}} pending{{/if}}">
{{#if value.earlier}}<p class="earlier">{{value.earlier}}</p>{{/if}}
<h2>{{value.title}}</h2><p>{{value.advice}}</p>{{#if value.caution}}<p>{{value.caution}}</p>{{/if}}
{{#if value.severity}}<p>{{value.severity}}</p>{{/if}}</div>
{{#if value.another}}<button type="button" class="another">{{value.another}}</button>{{/if}}"""

# "pending": an answer to come will take its place.
NOTHING_YET = {
    code: {"verdict": "waiting", "pending": True, "title": text(code, "looking"), "advice": ""}
    for code in LANGUAGES
}
# Tells what a card is that stands in the browser.
DISPLAYED = '({ verdict, pending }) => (pending ? "pending" : verdict)'


class Part(NamedTuple):
    """What is shown (the server's state, and the card in the browser), and how to say it in a language.

    say(language, displayed, shown) returns the updates of `components`, in order.
    """

    state: gr.State
    card: gr.HTML
    components: list[Component]
    say: Callable[[str, str, object], list]


def anew(say: Callable[[object], Sequence], displayed: str, shown: object, lost: PhotoError) -> list[dict]:
    """Return, as updates, what a card and what belongs to it say in another language.

    `displayed` tells which card the browser shows (see DISPLAYED); `shown` is what the server remembers. The
    browser may show another one: while an answer is still to come, or the error `lost`. An answer that is
    still to come, and one that a server since restarted has forgotten, stay as they are.
    """
    if displayed == "pending" or (shown is None and displayed not in ("waiting", "error")):
        return [{} for _ in say(None)]
    said = say(shown)
    if displayed == "error" and said[0]["verdict"] != "error":
        said = say(lost)
    return [{"value": value} for value in said]
