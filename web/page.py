"""The page: a photo in; the verdict in words, the probabilities, the heat map and what to do out."""

import os
from dataclasses import replace
from pathlib import Path

import gradio as gr

from model.classifier import Classifier, Diagnosis
from model.photo import PhotoError
from model.severity import grade
from model.verdict import NOT_POTATO, UNSURE
from web import heatmap
from web.guidance import guidance
from web.texts import ENGLISH, LANGUAGES, TEXTS, choose, class_name, text

HERE = Path(__file__).parent

# How mount_gradio_app is to dress the page. System fonts: nothing is loaded from another host.
LOOKS = {
    "theme": gr.themes.Soft(
        primary_hue="green",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    ).set(background_fill_primary="*neutral_50", block_label_text_color="*primary_700"),
    "css_paths": [HERE / "style.css"],
    "footer_links": ["api"],
    "run_history": False,
}
HOUR = 3600  # seconds
REAR_CAMERA = {"video": {"facingMode": "environment"}}

# A verdict is a dictionary: the page shows it as a card (Handlebars escapes its texts), the API hands it on.
CARD = """<div class="card {{value.verdict}}" data-class="{{value.class}}" role="status">
<h2>{{value.title}}</h2><p>{{value.advice}}</p>{{#if value.severity}}<p>{{value.severity}}</p>{{/if}}</div>"""
# Statements carry the numbers of their sources. The drawing is the project's own SVG and not escaped.
GUIDANCE = """{{#if value}}<div class="guidance">{{{value.drawing}}}
{{#each value.parts}}<section><h3>{{this.title}}</h3><ul>{{#each this.points}}<li>{{this.text}}
{{#if this.source}}<sup>{{this.source}}</sup>{{/if}}</li>{{/each}}</ul></section>{{/each}}
{{#if value.sources}}<section class="sources"><h3>{{value.sources_title}}</h3><ol>{{#each value.sources}}
<li><a href="{{this.url}}" target="_blank" rel="noopener noreferrer">{{this.name}}</a></li>
{{/each}}</ol></section>{{/if}}</div>{{/if}}"""


def build(classifier: Classifier, notice: str | None) -> gr.Blocks:
    """Lay out the page."""

    # Gets the file as it was sent: the photo room alone decides whether and how to decode it.
    def diagnose(photo: dict | None, language: str = ENGLISH) -> tuple:
        """Diagnose a photo of a potato leaf: the verdict, each class's probability, a heat map, what to do.

        The language is one of en, es, fr, hi, sw, zh.
        """
        language = choose(language, None)
        if photo is None:
            return *_answer(language, None), None, None
        try:
            file = _uploaded(photo, Path(picture.GRADIO_CACHE))
            diagnosis = classifier.diagnose(file)
            drawing = None if diagnosis.verdict == NOT_POTATO else heatmap.draw(file, diagnosis.heat)
        except PhotoError as error:
            return *_answer(language, str(error)), None, str(error)
        summary = replace(diagnosis, heat=None)
        return *_answer(language, summary), drawing, summary

    def translate(language: str, shown: Diagnosis | str | None) -> list:
        """Say everything on the page in a language."""
        card, chances, advice = _answer(language, shown)
        return [
            text(language, "introduction"),
            gr.Dropdown(label=text(language, "choose")),
            gr.Image(
                label=text(language, "photo"),
                alt_text=text(language, "photo.alt"),
                placeholder=text(language, "photo.place"),
            ),
            gr.HTML(value=card, texts=_spoken(language)),
            gr.Label(label=text(language, "chances"), value=chances),
            gr.Image(label=text(language, "heat"), alt_text=text(language, "heat.alt")),
            advice,
        ]

    def greet(request: gr.Request) -> str:
        """Choose the language at the start: the link's ?lang=, or the browser's."""
        return choose(request.query_params.get("lang"), request.headers.get("accept-language"))

    # The photos people send are deleted within two hours.
    with gr.Blocks(title="Blightcheck", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as blocks:
        # gradio checks that a file was uploaded only in apps it launched itself; this one is mounted.
        blocks.has_launched = True
        shown = gr.State(None)  # a diagnosis without its heat, an error's sentence, or nothing yet
        with gr.Row(elem_id="top"):
            introduction = gr.Markdown(text(ENGLISH, "introduction"), elem_id="introduction")
            language = gr.Dropdown(
                [(name, code) for code, name in LANGUAGES.items()],
                value=ENGLISH,
                label=text(ENGLISH, "choose"),
                show_label=False,
                container=False,
                filterable=False,
                elem_id="language",
            )
        if notice:
            said = {"verdict": "notice", "title": text(ENGLISH, "notice"), "advice": notice}
            gr.HTML(said, html_template=CARD)
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
                card, _, _ = _answer(ENGLISH, None)
                verdict = gr.HTML(
                    card,
                    label="Verdict",
                    html_template=CARD,
                    js_on_load=(HERE / "page.js").read_text("utf-8"),
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
        advice = gr.HTML(None, label="What to do", html_template=GUIDANCE, elem_id="guidance")
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
        whole = [introduction, language, picture, verdict, label, heat, advice]
        quietly = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
        blocks.load(greet, None, language, **quietly)
        language.change(translate, [language, shown], whole, **quietly)
    return blocks


def _answer(language: str, shown: Diagnosis | str | None) -> tuple[dict, dict[str, float], dict | None]:
    """Return the card, the probabilities and the guidance of what is shown, in a language."""
    if shown is None:
        title, advice = text(language, "waiting"), text(language, "waiting.advice")
        return {"verdict": "waiting", "class": "", "title": title, "advice": advice}, {}, None
    if isinstance(shown, str):
        return {"verdict": "error", "class": "", "title": text(language, "error"), "advice": shown}, {}, None
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
    return card, chances, guidance(language, shown.verdict, shown.label)


def _uploaded(photo: dict, folder: Path) -> Path:
    """Return the photo's file. Raises PhotoError unless it lies in `folder`: a caller may name any path."""
    file = Path(photo["path"] or "").resolve()
    if not (file.is_relative_to(folder.resolve()) and file.is_file()):
        raise PhotoError("The photo did not arrive; please send it again.")
    return file


def _spoken(language: str) -> dict[str, str]:
    """Return what page.js says by itself."""
    keys = ("error", "error.large", "error.again")
    return {"code": language} | {key: TEXTS[language][key] for key in keys}
