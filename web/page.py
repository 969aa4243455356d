"""The page: a photo in; the verdict in words, the probabilities and the heat map out."""

import os
from pathlib import Path

import gradio as gr
from PIL import Image

from model.classifier import Classifier, Diagnosis
from model.photo import PhotoError
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web import heatmap

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

INTRODUCTION = """# Blightcheck
Show it a photo of **one potato leaf**, and see what it looks like, how sure that is, and where it shows."""
PLACEHOLDER = """# Drop a photo of a leaf
or paste it, or tap here to choose one or take one"""

BETTER_PHOTO = "one leaf filling most of the picture, in daylight, sharp, its upper side up."
ADVICE = {
    DIAGNOSIS: "The model gives it {confidence}. It knows only the answers listed here, so look at the whole "
    "plant too before you act on it.",
    UNSURE: "It could be {likeliest} ({confidence}{doubt}), but that is not sure enough to rely on. "
    f"Try another photo: {BETTER_PHOTO}",
    NOT_POTATO: "The model sees no potato leaf here; the figures below count only if it is one after all. "
    f"Try another photo: {BETTER_PHOTO}",
}
# A verdict is a dictionary: the page shows it as a card (Handlebars escapes its texts), the API hands it on.
CARD = """<div class="card {{value.verdict}}" data-class="{{value.class}}" role="status">
<h2>{{value.class}}</h2><p>{{value.advice}}</p></div>"""
WAITING = {
    "verdict": "waiting",
    "class": "The answer appears here",
    "advice": f"A good photo shows {BETTER_PHOTO}",
}


def build(classifier: Classifier, notice: str | None) -> gr.Blocks:
    """Lay out the page."""

    # Gets the file as it was sent: the photo room alone decides whether and how to decode it.
    def diagnose(photo: dict | None) -> tuple[dict, dict[str, float], Image.Image | None]:
        """Diagnose a photo of a potato leaf: the verdict, each class's probability and a heat map."""
        if photo is None:
            return WAITING, {}, None
        try:
            file = _uploaded(photo, Path(picture.GRADIO_CACHE))
            diagnosis = classifier.diagnose(file)
            drawing = None if diagnosis.verdict == NOT_POTATO else heatmap.draw(file, diagnosis.heat)
        except PhotoError as error:
            return {"verdict": "error", "class": "That didn't work", "advice": str(error)}, {}, None
        return _verdict(diagnosis), diagnosis.probabilities, drawing

    # The photos people send are deleted within two hours.
    with gr.Blocks(title="Blightcheck", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as blocks:
        # gradio checks that a file was uploaded only in apps it launched itself; this one is mounted.
        blocks.has_launched = True
        gr.Markdown(INTRODUCTION, elem_id="introduction")
        if notice:
            gr.HTML(
                {"verdict": "notice", "class": "Another model answers", "advice": notice}, html_template=CARD
            )
        with gr.Row(equal_height=False):
            with gr.Column():
                picture = gr.Image(
                    sources=["upload", "webcam", "clipboard"],
                    label="Photo",
                    alt_text="Your photo",
                    placeholder=PLACEHOLDER,
                    height=360,
                    buttons=["fullscreen"],
                    elem_id="photo",
                )
            with gr.Column():
                verdict = gr.HTML(
                    WAITING,
                    label="Verdict",
                    html_template=CARD,
                    js_on_load=(HERE / "page.js").read_text("utf-8"),
                    elem_id="verdict",
                )
                verdict.api_info = lambda: {
                    "type": "object"
                }  # not a string, as gradio would tell its clients
                with gr.Column(elem_id="details"):
                    label = gr.Label(label="How likely", show_heading=False, elem_id="probabilities")
                    heat = gr.Image(
                        label="Where the model looked",
                        alt_text="Heat map over the photo",
                        format="jpeg",
                        height=280,
                        buttons=["fullscreen"],
                        interactive=False,
                        elem_id="heat",
                    )
        picture.input(
            diagnose,
            inputs=picture,
            outputs=[verdict, label, heat],
            api_name="predict",
            preprocess=False,
            # A photo dropped over another one is two events: cleared, then a new photo. The last must count.
            trigger_mode="always_last",
            concurrency_limit=os.cpu_count(),
            show_progress="minimal",
        )
    return blocks


def _uploaded(photo: dict, folder: Path) -> Path:
    """Return the photo's file. Raises PhotoError unless it lies in `folder`: a caller may name any path."""
    file = Path(photo["path"] or "").resolve()
    if not (file.is_relative_to(folder.resolve()) and file.is_file()):
        raise PhotoError("The photo did not arrive; please send it again.")
    return file


def _verdict(diagnosis: Diagnosis) -> dict[str, str]:
    likeliest = max(diagnosis.probabilities, key=diagnosis.probabilities.get)
    advice = ADVICE[diagnosis.verdict].format(
        likeliest=likeliest,
        confidence=f"{round(diagnosis.confidence * 100)}%",
        doubt=" if it is a potato leaf at all" if diagnosis.leaf < 0.5 else "",
    )
    return {"verdict": diagnosis.verdict, "class": diagnosis.label, "advice": advice}
