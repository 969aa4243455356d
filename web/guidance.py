"""What to do about a verdict: what to check, how it spreads, what helps, and who says so.

Statements are keys of web/texts, each with the source it is taken from.
"""

from collections.abc import Sequence
from pathlib import Path

from model.verdict import DIAGNOSIS
from web.texts import class_key, class_name, text

SOURCES = {
    "usu": (
        "Utah State University Extension: Late blight",
        "https://extension.usu.edu/vegetableguide/potato/late-blight",
    ),
    "cfsa": (
        "Carolina Farm Stewardship Association: Identifying and managing late blight",
        "https://www.carolinafarmstewards.org/identifying-and-managing-late-blight/",
    ),
    "attra": (
        "ATTRA: Organic alternatives for late blight control in potatoes",
        "https://attra.ncat.org/attra-pub/lateblight.html",
    ),
    "cornell": (
        "Cornell University: Resource guide for organic insect and disease management",
        "https://web.pppmb.cals.cornell.edu/resourceguide/",
    ),
    "uc": (
        "University of California IPM: Early blight",
        "https://ipm.ucanr.edu/PMG/GARDEN/VEGES/DISEASES/earlyblight.html",
    ),
    "gnb": (
        "Government of New Brunswick: Early blight",
        "https://www2.gnb.ca/content/gnb/en/departments/10/agriculture/content/crops/potatoes/diseases/"
        "early_blight.html",
    ),
    "miller": (
        "Miller Research, in Potato Grower: Early blight found in Magic Valley",
        "https://www.potatogrower.com/2011/07/early-blight-found-in-magic",
    ),
    "news": ("Potatoes News: Alternaria", "https://potatoes.news/?p=38143"),
}

# The class -> the heading -> (statement, source); a statement about the model itself has no source.
STATEMENTS = {
    "late_blight": {
        "signs": [
            ("late.signs.greasy", "usu"),
            ("late.signs.mould", "cfsa"),
            ("late.signs.stems", "cfsa"),
        ],
        "spread": [
            ("late.spread.wind", "usu"),
            ("late.spread.weather", "usu"),
            ("late.spread.tubers", "usu"),
        ],
        "now": [("late.now.remove", "cfsa"), ("late.now.dry", "cfsa"), ("late.now.harvest", "usu")],
        "substances": [("late.substances.organic", "cfsa"), ("late.substances.chemical", "usu")],
        "next": [("late.next.heaps", "usu"), ("late.next.varieties", "attra")],
        "expert": [("late.expert.fast", "cornell")],
    },
    "early_blight": {
        "signs": [("early.signs.spots", "uc"), ("early.signs.rings", "uc"), ("early.signs.yellow", "uc")],
        "spread": [
            ("early.spread.survives", "uc"),
            ("early.spread.weather", "uc"),
            ("early.spread.stress", "gnb"),
        ],
        "now": [("early.now.care", "uc")],
        "substances": [("early.substances.chemical", "miller"), ("early.substances.when", "gnb")],
        "next": [("early.next.rotation", "gnb"), ("early.next.seed", "gnb"), ("early.next.varieties", "uc")],
        "expert": [("early.expert.doubt", "news")],
    },
    "healthy": {
        "signs": [("healthy.signs.look", None)],
        "now": [("healthy.now.scout", "cfsa")],
        "next": [("healthy.next.seed", "gnb")],
    },
}
DRAWINGS = {
    name: (Path(__file__).parent / "drawings" / f"{name}.svg").read_text("utf-8") for name in STATEMENTS
}

# Statements carry the numbers of their sources. The drawing is the project's own SVG and not escaped.
TEMPLATE = """{{#if value}}<div class="guidance">{{{value.drawing}}}
{{#each value.parts}}<section><h3>{{this.title}}</h3><ul>{{#each this.points}}
<li>{{this.text}}{{#if this.source}}<sup>{{this.source}}</sup>{{/if}}</li>{{/each}}</ul></section>{{/each}}
{{#if value.sources}}<section class="sources"><h3>{{value.sources_title}}</h3><ol>{{#each value.sources}}
<li><a href="{{this.url}}" target="_blank" rel="noopener noreferrer">{{this.name}}</a></li>
{{/each}}</ol></section>{{/if}}</div>{{/if}}"""

BETTER_PHOTO = ("better.one", "better.light", "better.sharp", "better.plain")


def guidance(language: str, verdict: str, label: str) -> dict | None:
    """Return what to do about a verdict, for the page to lay out; None about classes we know nothing of.

    {"drawing": SVG or None, "parts": [{"title", "points": [{"text", "source": number or None}]}],
    "sources": [{"number", "name", "url"}], "sources_title"}
    """
    if verdict == DIAGNOSIS:
        return about(language, [label])
    points = [{"text": text(language, key), "source": None} for key in BETTER_PHOTO]
    parts = [{"title": text(language, "better"), "points": points}]
    return {"drawing": None, "parts": parts, "sources": [], "sources_title": ""}


def about(language: str, labels: Sequence[str], named: bool = False) -> dict | None:
    """Return what to do about classes, as `guidance` does, each part with its class's name if wanted."""
    known = [label for label in labels if class_key(label) in STATEMENTS]
    if not known:
        return None
    used, parts = [], []
    for label in known:
        for heading, statements in STATEMENTS[class_key(label)].items():
            used += dict.fromkeys(source for _, source in statements if source and source not in used)
            points = [
                {"text": text(language, key), "source": used.index(source) + 1 if source else None}
                for key, source in statements
            ]
            if heading == "substances":
                points.append({"text": text(language, "label"), "source": None})
            name = f" ({class_name(language, label)})" if named else ""
            parts.append({"title": text(language, heading) + name, "points": points})
    return {
        "drawing": DRAWINGS[class_key(known[0])],
        "parts": parts,
        "sources": [
            {"number": number, "name": SOURCES[source][0], "url": SOURCES[source][1]}
            for number, source in enumerate(used, 1)
        ],
        "sources_title": text(language, "sources"),
    }
