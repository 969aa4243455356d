"""The part of the page for several leaves of one plant or field: each answer, and the joint one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import gradio as gr
from gradio.components import Component

from model.classifier import LABELS, Diagnosis
from model.cores import CORES
from model.diseases import is_healthy
from model.photo import PhotoError
from model.plant import Joint, joint_answer
from model.serving import Serving
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web import guidance, report
from web.answer import on_page
from web.environment import MAX_PHOTOS
from web.inert import inert
from web.part import CARD, NOTHING_YET, Part, anew
from web.pictures import thumbnail
from web.report import Leaf
from web.texts import (
    ENGLISH,
    LANGUAGES,
    TEXTS,
    chance,
    class_name,
    class_names,
    explain,
    in_language,
    sentences,
    symptoms,
    text,
)
from web.uploads import LostError, opened

Shown = Sequence[Leaf] | PhotoError | None


class TooManyError(PhotoError):
    """A photo beyond those that are answered at once."""

    reason = "too_many"
    sentence = TEXTS[ENGLISH]["refused.too_many"]


class LostPhotosError(PhotoError):
    """The uploads are gone: too old, or of before a restart; they stay so, however often one asks."""

    reason = "lost_photos"
    sentence = TEXTS[ENGLISH]["refused.lost_photos"]


# Handlebars escapes every text; names of files are whatever their senders called them.
SUMMARY = (
    f"{CARD}\n"
    + """{{#if value.leaves}}
<ul class="counts">{{#each value.counts}}<li><span>{{this.title}}</span>
<meter max="{{../value.photos}}" value="{{this.count}}" aria-label="{{this.title}}"></meter>
<b>{{this.count}}</b></li>{{/each}}</ul>
<p class="downloads"><a download="blightcheck.csv" href="{{value.csv}}">{{value.csv_title}}</a>
<a download="blightcheck.html" href="{{value.report}}">{{value.report_title}}</a></p>
<div class="leaves">{{#each value.leaves}}
<figure class="card {{this.verdict}}{{#if this.healthy}} healthy{{/if}}">
{{#if this.picture}}<img src="{{this.picture}}" alt="">{{/if}}
<figcaption><b>{{this.title}}</b> {{this.chance}}<br>{{#if this.severity}}{{this.severity}}<br>{{/if}}
<small>{{this.name}}</small></figcaption></figure>
{{/each}}</div>{{/if}}"""
)

# On a phone the answer is below the photos, out of sight. (Said anew in another language, it may stay there.)
# page.js looks whether it is in the language chosen meanwhile.
INTO_VIEW = """let before = "waiting";
watch("value", () => {
  const { verdict } = props.value;
  const answered = before === "waiting" && verdict !== "waiting";
  if (answered) element.querySelector(".card").scrollIntoView({ block: "nearest" });
  before = verdict;
  document.dispatchEvent(new Event("blightcheck:said"));
});"""


def lay_out(serving: Serving, language: Component) -> Part:
    """Lay out this part; its state holds the leaves that are shown, or None."""

    def diagnose(photos: list[dict] | None) -> list[Leaf] | None:
        return diagnose_all(serving, photos, Path(pictures.GRADIO_CACHE)) if photos else None

    def translate(language: str, displayed: str, shown: Shown) -> list:
        return [
            gr.File(label=text(language, "several.photos")),
            gr.Button(text(language, "several.add")),
            *(
                gr.update(**said)
                for said in anew(partial(summarise, language), displayed, shown, LostPhotosError())
            ),
        ]

    shown = gr.State(None)
    with gr.Column(elem_id="several"):
        with gr.Row():
            with gr.Column():
                pictures = gr.File(
                    file_count="multiple", label=text(ENGLISH, "several.photos"), elem_id="photos"
                )
                add = gr.Button(text(ENGLISH, "several.add"), size="md", elem_id="add")
            with gr.Column():
                joint = gr.HTML(
                    summarise(ENGLISH, None)[0],
                    html_template=SUMMARY,
                    js_on_load=INTO_VIEW,
                    elem_id="joint",
                )
        advice = gr.HTML(None, html_template=guidance.TEMPLATE)
    add.click(
        None,
        js="() => document.querySelector('#photos input[type=file]').click()",
        api_visibility="private",
    )
    # At once, and in the browser: an answer never stands beside other photos, whatever becomes of those.
    pictures.change(
        None,
        language,
        [joint, advice],
        js=in_language({code: [card, None] for code, card in NOTHING_YET.items()}),
        api_visibility="private",
    )
    answering = pictures.change(
        diagnose,
        inputs=pictures,
        outputs=shown,
        api_visibility="private",
        preprocess=False,
        trigger_mode="always_last",
        queue=False,  # one request instead of three, which page.js sends again if it is lost
        show_progress="minimal",
        show_progress_on=joint,
    )
    answering.success(  # in the language that is chosen by then
        summarise,
        inputs=[language, shown],
        outputs=[joint, advice],
        api_visibility="private",
        trigger_mode="always_last",  # or it would be left out while the one of before is on its way
        queue=False,
        show_progress="hidden",
    )
    # The button that had the focus is gone; keys would begin at the page's top again.
    focus = "() => {{ setTimeout(() => document.querySelector('{}')?.focus()); }}"
    pictures.delete(None, js=focus.format("#add"), api_visibility="private")
    pictures.clear(None, js=focus.format("#photos button"), api_visibility="private")
    lost = {code: summarise(code, LostPhotosError())[0] for code in LANGUAGES}
    answering.failure(None, language, joint, js=in_language(lost), api_visibility="private")
    return Part(shown, joint, [pictures, add, joint, advice], translate)


def diagnose_all(serving: Serving, photos: Sequence[dict], folder: Path) -> list[Leaf]:
    """Diagnose photos that lie in `folder`, as gradio describes them, on all cores, in order."""

    def one(photo: dict, number: int) -> Leaf:
        name = photo.get("orig_name") or ""
        try:
            if number >= MAX_PHOTOS:
                raise TooManyError(most=MAX_PHOTOS)
            with opened(photo, folder) as file:
                diagnosis = serving.diagnose(file)
            return Leaf(name, diagnosis.without_arrays(), thumbnail(diagnosis.pixels))
        except LostError:  # "send it again" would not do: the list still has the one that is gone
            return Leaf(name, LostPhotosError(), None)
        except PhotoError as error:
            return Leaf(name, error, None)

    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(one, photos, count()))


def summarise(language: str, leaves: Shown) -> tuple[dict, dict | None]:
    """Return what is shown of the leaves, or of an error, and what to do."""
    if leaves is None:
        card = {"verdict": "waiting", "title": text(language, "several.waiting")}
        return card | {"advice": text(language, "several.advice", most=MAX_PHOTOS)}, None
    if isinstance(leaves, PhotoError):
        # Without a button for another photo: the list of photos has its own.
        return on_page(language, leaves)[0] | {"another": None}, None
    diagnoses = [leaf.answered for leaf in leaves if isinstance(leaf.answered, Diagnosis)]
    if diagnoses:
        said, to_do = _said_together(language, joint_answer(diagnoses), len(leaves))
    else:
        advice = text(language, "several.unread", photos=len(leaves))
        said = {"verdict": "error", "title": text(language, "error"), "advice": advice, "counts": []}
        to_do = None
    shown = said | {
        "language": language,
        "photos": len(leaves),
        "leaves": [_caption(language, leaf) for leaf in leaves],
        "csv": report.table(leaves),
        "csv_title": text(language, "several.csv"),
        "report_title": text(language, "several.report"),
    }
    return inert(shown | {"report": report.printout(language, shown, to_do)}), to_do


def _said_together(language: str, joint: Joint, photos: int) -> tuple[dict, dict | None]:
    """Return what the card says of a joint answer to so many photos, and what to do."""
    key = "several.voters" if joint.voters else "several.nobody"
    advice = [text(language, key, voters=joint.voters, photos=joint.photos)]
    if unanswered := photos - joint.photos:
        advice.append(text(language, "several.unanswered", count=unanswered))
    if joint.voters and (rejected := joint.counts.get(LABELS[NOT_POTATO])):
        advice.append(text(language, "several.rejected", count=rejected))
    caution = []
    disagree = joint.found not in ((), (joint.label,))
    suspected = [disease for disease in joint.suspects if disease not in joint.found]
    some = class_names(language, joint.found)
    if disagree:
        caution.append(text(language, "several.found", disease=some))
    if suspected:
        caution.append(text(language, "several.suspect", disease=class_names(language, suspected)))
    if joint.voters:
        caution.append(text(language, "several.look", classes=class_names(language, joint.probabilities)))
    name = class_name(language, joint.label)
    said = {
        # What some leaves show is no less of a diagnosis because the leaves don't agree on one.
        "verdict": DIAGNOSIS if joint.found else joint.verdict,
        "healthy": is_healthy(joint.label),
        "title": text(language, "several.some", disease=some) if disagree else name,
        "advice": sentences(language, advice),
        "caution": sentences(language, caution),
        "severity": symptoms(language, "several.severity", joint.severity),
        "counts": [
            {"title": class_name(language, label), "count": count} for label, count in joint.counts.items()
        ],
    }
    if joint.found:
        return said, guidance.about(language, joint.found, suspected)
    return said, guidance.guidance(language, joint.verdict, joint.label, suspected)


def _caption(language: str, leaf: Leaf) -> dict:
    if isinstance(leaf.answered, PhotoError):
        why = explain(language, leaf.answered)
        caption = {"verdict": "error", "title": why, "chance": "", "severity": None}
    else:
        caption = {
            "verdict": leaf.answered.verdict,
            "healthy": is_healthy(leaf.answered.label),
            "title": class_name(language, leaf.answered.label),
            "chance": {
                DIAGNOSIS: chance(language, leaf.answered.confidence),
                UNSURE: text(language, "perhaps", disease=class_name(language, leaf.answered.likeliest)),
                NOT_POTATO: "",
            }[leaf.answered.verdict],
            "severity": symptoms(language, "severity", leaf.answered.severity),
        }
    return caption | {"name": leaf.name, "picture": leaf.picture}
