"""The page: a photo in; the verdict in words, the probabilities and the heat map out."""

import html
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData

from model import photo
from model.classifier import Classifier, Diagnosis
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web import heatmap

# How mount_gradio_app is to dress the page. System fonts: nothing is loaded from another host.
LOOKS = {
    "theme": gr.themes.Soft(primary_hue="green", font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    "css_paths": [Path(__file__).parent / "style.css"],
    "footer_links": ["api"],
    "run_history": False,
}

INTRODUCTION = """# Blightcheck
Drop a photo of **one potato leaf**, and see how likely it has early blight, late blight or is healthy."""

BETTER_PHOTO = (
    "Try another photo: one leaf filling most of the picture, in daylight, sharp, its upper side up."
)
ADVICE = {
    DIAGNOSIS: "The model thinks it is likeliest <b>{likeliest}</b> ({confidence:.0%}). Compare with the plant "
    "itself; it knows no other disease.",
    UNSURE: "The photo could be <b>{likeliest}</b>, but not surely enough to say so. " + BETTER_PHOTO,
    NOT_POTATO: "The model sees no potato leaf here. " + BETTER_PHOTO,
}


class PhotoInput(gr.Image):
    """An image input that hands over the file as it was sent: `photo` decides whether and how to decode it."""

    is_template = True  # to the browser it is a gr.Image

    def preprocess(self, payload: ImageData | None) -> Path | None:
        return Path(payload.path) if payload else None


def build(classifier: Classifier, notice: str | None) -> gr.Blocks:
    """Lay out the page."""

    def diagnose(file: Path | None) -> tuple[str, dict[str, float] | None, str]:
        """Diagnose a photo of a potato leaf: the verdict, each class's probability and a heat map, as HTML."""
        if file is None:
            return "", None, ""
        try:
            diagnosis = classifier.diagnose(file)
            seen = heatmap.data_url(file, diagnosis.heat)
        except photo.PhotoError as error:
            return _card("error", "Can't read this", html.escape(str(error))), None, ""
        return _verdict(diagnosis), diagnosis.probabilities, _heat(diagnosis, seen)

    with gr.Blocks(title="Blightcheck: is it blight?", analytics_enabled=False) as blocks:
        gr.Markdown(INTRODUCTION)
        if notice:
            gr.HTML(_card("notice", "Another model answers", html.escape(notice)))
        with gr.Row():
            with gr.Column():
                picture = PhotoInput(
                    type="filepath",
                    sources=["upload", "webcam", "clipboard"],
                    label="Photo of a leaf",
                    height=340,
                    elem_id="photo",
                )
            with gr.Column():
                verdict = gr.HTML(elem_id="verdict")
                label = gr.Label(label="How likely", show_heading=False, elem_id="probabilities")
                heat = gr.HTML(elem_id="heat")
        gr.on(
            [picture.upload, picture.clear, picture.stream],
            diagnose,
            inputs=picture,
            outputs=[verdict, label, heat],
            api_name="predict",
            show_progress="minimal",
        )
    return blocks


def _card(kind: str, title: str, text: str) -> str:
    return f'<div class="card {kind}" role="status"><h2>{title}</h2><p>{text}</p></div>'


def _verdict(diagnosis: Diagnosis) -> str:
    likeliest = html.escape(max(diagnosis.probabilities, key=diagnosis.probabilities.get))
    advice = ADVICE[diagnosis.verdict].format(likeliest=likeliest, confidence=diagnosis.confidence)
    return _card(diagnosis.verdict, html.escape(diagnosis.label), advice)


def _heat(diagnosis: Diagnosis, drawing: str) -> str:
    if diagnosis.verdict == NOT_POTATO:
        return ""
    return (
        f'<figure><img src="{drawing}" alt="Heat map over the photo">'
        "<figcaption>The redder, the more it spoke for the likeliest class.</figcaption></figure>"
    )
