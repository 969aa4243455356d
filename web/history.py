"""The part of the page for this browser's earlier checks, which history.js keeps."""

from pathlib import Path

import gradio as gr

from web.texts import ENGLISH, TEXTS

SCRIPT = Path(__file__).parent / "history.js"
TEMPLATE = """{{#if value.checks}}<details{{#if value.open}} open{{/if}}>
<summary>{{texts.history}}</summary><p>{{texts.kept}}
<button type="button" class="clear">{{texts.clear}}</button></p><div class="leaves">{{#each value.checks}}
<figure class="card {{this.verdict}}{{#if this.healthy}} healthy{{/if}}">
{{#if this.picture}}<img src="{{this.picture}}" alt="">{{/if}}
<figcaption>{{#if this.kept}}<button type="button" value="{{this.time}}">{{this.title}}</button>
{{else}}<b>{{this.title}}</b>{{/if}}<br><small>{{this.when}}</small></figcaption></figure>
{{/each}}</div></details>{{/if}}"""


def lay_out() -> gr.HTML:
    """Lay out this part."""
    return gr.HTML(
        {},
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text("utf-8"),
        elem_id="history",
        texts=spoken(ENGLISH),
    )


def spoken(language: str) -> dict[str, object]:
    """Return what this part says in a language."""
    said = TEXTS[language]
    classes = {key.removeprefix("class."): said[key] for key in said if key.startswith("class.")}
    return {
        "code": language,
        "classes": classes,
        "history": said["history"],
        "kept": said["history.kept"],
        "clear": said["history.clear"],
        "sure": said["history.sure"],
    }
