"""Where the model looked: the photo, and over it the heat, which heat.js fades in and out with a slider."""

from pathlib import Path

import gradio as gr

from model.classifier import Diagnosis
from model.diseases import is_healthy
from model.verdict import NOT_POTATO
from web.pictures import heat_layer, thumbnail
from web.texts import ENGLISH, TEXTS

SCRIPT = Path(__file__).parent / "heat.js"

# The photo here is the small one that the model saw; heat.js puts the visitor's own in its place.
TEMPLATE = """{{#if value}}<figure>
<figcaption>{{#if value.healthy}}{{texts.healthy}}{{else}}{{texts.heat}}{{/if}}</figcaption>
<div><img class="photo" src="{{value.photo}}" alt="{{texts.photo}}">
<img class="layer" src="{{value.layer}}" alt="{{texts.alt}}"></div>
<label>{{texts.photo}}<input type="range" min="0" max="100" value="100">
{{texts.short}}</label></figure>{{/if}}"""


def lay_out() -> gr.HTML:
    """Lay out this part."""
    return gr.HTML(
        None,
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text("utf-8"),
        elem_id="heat",
        texts=spoken(ENGLISH),
    )


def seen(diagnosis: Diagnosis) -> dict | None:
    """Return what this part shows of a diagnosis: nothing if the model doesn't tell, or saw no leaf."""
    if diagnosis.heat is None or diagnosis.verdict == NOT_POTATO:
        return None
    return {
        "photo": thumbnail(diagnosis.pixels),
        "layer": heat_layer(diagnosis),
        "healthy": is_healthy(diagnosis.likeliest),
    }


def spoken(language: str) -> dict[str, str]:
    """Return what this part says in a language."""
    said = TEXTS[language]
    return {
        "heat": said["heat"],
        "healthy": said["heat.healthy"],
        "short": said["heat.short"],
        "photo": said["photo"],
        "alt": said["heat.alt"],
    }
