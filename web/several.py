"""The part of the page for several leaves of one plant or field: each answer, and the joint one."""

import base64
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.components import Component
from PIL import Image

from model import photo
from model.classifier import Classifier, Diagnosis
from model.plant import joint_answer
from model.verdict import DIAGNOSIS
from web import guidance, report
from web.inert import inert
from web.one_leaf import CARD
from web.report import Leaf
from web.texts import ENGLISH, class_name, text
from web.uploads import uploaded

MOST = 32  # photos at once
THUMBNAIL = 160  # pixels
NO_PROGRESS = gr.Progress()  # gradio puts a visible one in its place

# Handlebars escapes every text; names of files are whatever their senders called them.
SUMMARY = (
    f"{CARD}\n"
    + """{{#if value.leaves}}
<ul class="counts">{{#each value.counts}}<li><span>{{this.title}}</span>
<meter max="{{../value.photos}}" value="{{this.count}}" aria-label="{{this.title}}"></meter>
<b>{{this.count}}</b></li>{{/each}}</ul>
<div class="leaves">{{#each value.leaves}}<figure class="card {{this.verdict}}" data-class="{{this.class}}">
{{#if this.picture}}<img src="{{this.picture}}" alt="">{{/if}}
<figcaption><b>{{this.title}}</b> {{this.chance}}<br><small>{{this.name}}</small></figcaption></figure>
{{/each}}</div>
<p class="downloads"><a download="blightcheck.csv" href="{{value.csv}}">{{value.csv_title}}</a>
<a download="blightcheck.html" href="{{value.report}}">{{value.report_title}}</a></p>{{/if}}"""
)


def lay_out(
    classifier: Classifier, language: Component
) -> tuple[gr.State, list[Component], Callable[[str, Sequence[Leaf] | str | None], list]]:
    """Lay out this part.

    Returns the state, which holds what is shown (leaves, an error's sentence, or None); the components; and a
    function that says them all in a language.
    """

    def diagnose(photos: list[dict] | None, language: str, progress: gr.Progress = NO_PROGRESS) -> tuple:
        if not photos:
            shown = None
        elif len(photos) > MOST:
            shown = text(language, "several.many", most=MOST, photos=len(photos))
        else:
            try:
                folder = Path(pictures.GRADIO_CACHE)
                named = [(p.get("orig_name") or "", uploaded(p, folder)) for p in photos]
                shown = diagnose_all(classifier, named, progress)
            except photo.PhotoError as error:
                shown = str(error)
        return *summarise(language, shown), shown

    def translate(language: str, shown: Sequence[Leaf] | str | None) -> list:
        return [
            gr.File(label=text(language, "several.photos")),
            *summarise(language, shown),
        ]

    shown = gr.State(None)
    with gr.Column(elem_id="several"):
        with gr.Row(equal_height=False):
            with gr.Column():
                pictures = gr.File(
                    file_count="multiple", label=text(ENGLISH, "several.photos"), elem_id="photos"
                )
            with gr.Column():
                joint = gr.HTML(
                    summarise(ENGLISH, None)[0], label="Together", html_template=SUMMARY, elem_id="joint"
                )
        advice = gr.HTML(None, label="What to do together", html_template=guidance.TEMPLATE)
    pictures.change(
        diagnose,
        inputs=[pictures, language],
        outputs=[joint, advice, shown],
        api_visibility="private",
        preprocess=False,
        trigger_mode="always_last",
        concurrency_limit=1,
        show_progress_on=joint,
    )
    return shown, [pictures, joint, advice], translate


def diagnose_all(
    classifier: Classifier, files: Sequence[tuple[str, Path]], progress: gr.Progress
) -> list[Leaf]:
    """Diagnose photos, given as (name, file), on all cores, in order."""

    def one(named: tuple[str, Path]) -> Leaf:
        name, file = named
        try:
            diagnosis = replace(classifier.diagnose(file), heat=None)
            return Leaf(name, diagnosis, _data_url(photo.prepare(file, THUMBNAIL)))
        except photo.PhotoError as error:
            return Leaf(name, str(error), None)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(progress.tqdm(pool.map(one, files), total=len(files)))


def summarise(language: str, leaves: Sequence[Leaf] | str | None) -> tuple[dict, dict | None]:
    """Return what is shown of the leaves, or of a sentence about them, and what to do."""
    if leaves is None:
        card = {"verdict": "waiting", "title": text(language, "several.waiting")}
        return card | {"advice": text(language, "several.advice")}, None
    if isinstance(leaves, str):
        return {"verdict": "error", "title": text(language, "error"), "advice": leaves}, None
    diagnoses = [leaf.answered for leaf in leaves if isinstance(leaf.answered, Diagnosis)]
    shown = {
        "photos": len(leaves),
        "leaves": [_caption(language, leaf) for leaf in leaves],
        "counts": [],
        "csv": report.table(leaves),
        "csv_title": text(language, "several.csv"),
        "report_title": text(language, "several.report"),
    }
    if not diagnoses:
        advice = text(language, "several.nobody", photos=len(leaves))
        shown |= {"verdict": "error", "title": text(language, "error"), "advice": advice, "severity": None}
        return inert(shown | {"report": report.printable(language, shown, None)}), None
    joint = joint_answer(diagnoses)
    key = "several.voters" if joint.voters else "several.nobody"
    shown |= {
        "verdict": joint.verdict,
        "class": joint.label,
        "title": class_name(language, joint.label),
        "advice": text(
            language,
            key,
            voters=joint.voters,
            photos=len(leaves),
            confidence=f"{class_name(language, max(joint.probabilities, key=joint.probabilities.get))} "
            f"{round(joint.confidence * 100)}%",
        ),
        "severity": None
        if joint.severity is None
        else text(language, "several.severity", percent=round(joint.severity * 100)),
        "counts": [
            {"title": class_name(language, label), "count": count} for label, count in joint.counts.items()
        ],
    }
    advice = guidance.guidance(language, joint.verdict, joint.label)
    return inert(shown | {"report": report.printable(language, shown, advice)}), advice


def _caption(language: str, leaf: Leaf) -> dict:
    if isinstance(leaf.answered, str):
        caption = {"verdict": "error", "class": "", "title": leaf.answered, "chance": ""}
    else:
        sure = leaf.answered.verdict == DIAGNOSIS
        caption = {
            "verdict": leaf.answered.verdict,
            "class": leaf.answered.label,
            "title": class_name(language, leaf.answered.label),
            "chance": f"{round(leaf.answered.confidence * 100)}%" if sure else "",
        }
    return caption | {"name": leaf.name, "picture": leaf.picture}


def _data_url(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
