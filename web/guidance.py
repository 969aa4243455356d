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
    "umaine": (
        "University of Maine Cooperative Extension: Protecting potato tubers from late blight",
        "https://extension.umaine.edu/publications/2417e",
    ),
    "manitoba": (
        "Manitoba Agriculture: Integrated management of late blight in potatoes",
        "https://gov.mb.ca/agriculture/crops/plant-diseases/mgmt-late-blight-potatoes.html",
    ),
    "msu": (
        "Michigan State University Extension: Gardeners and small-scale potato growers can help prevent late "
        "blight",
        "https://www.canr.msu.edu/news/gardeners_and_small_scale_potato_growers_can_help_prevent_late_blight",
    ),
    "spudman": (
        "Spudman: Late blight continues to spread in Idaho",
        "https://spudman.com/news/late-blight-continues-to-spread-in-idaho/",
    ),
    "usablight": (
        "USABlight: Information about late blight for gardeners",
        "https://usablight.org/managing-late-blight/information-about-late-blight-for-gardeners/",
    ),
    "usablight_id": ("USABlight: Identifying the pathogen", "https://usablight.org/id"),
    "olanya": (
        "Olanya and others, in African Crop Science Journal: Phytophthora infestans in Sub-Saharan Africa",
        "https://bioline.org.br/request?cs01047",
    ),
    "hamm": (
        "Hamm, in Potato Grower: Late blight confirmed in WA",
        "https://www.potatogrower.com/2010/07/late-blight-confirmed-in-wa",
    ),
    "cpm": (
        "Crop Production Magazine: Resistant strains of late blight",
        "https://www.cpm-magazine.co.uk/?p=47524",
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
    "shtienberg": (
        "Shtienberg and Fry, in Plant Disease: Initial appearance of potato early blight",
        "https://www.apsnet.org/publications/plantdisease/backissues/Documents/1990Abstracts/PD_74_849.htm",
    ),
    "news": ("Potatoes News: Alternaria", "https://potatoes.news/?p=38143"),
}

# The class, the most urgent first -> the heading -> (statement, source); one about the model has no source.
STATEMENTS = {
    "late_blight": {
        "signs": [
            ("late.signs.greasy", "usu"),
            ("late.signs.mould", "cfsa"),
            ("late.signs.test", "usablight_id"),
            ("late.signs.stems", "cfsa"),
        ],
        "now": [
            ("late.now.remove", "cfsa"),
            ("late.now.spray", "spudman"),
            ("late.now.tell", "usablight"),
            ("late.now.dry", "cfsa"),
            ("late.now.harvest", "umaine"),
        ],
        "expert": [("late.expert.fast", "cornell")],
        "substances": [
            ("late.substances.protect", "manitoba"),
            ("late.substances.organic", "cfsa"),
            ("late.substances.chemical", "hamm"),
            ("late.substances.resistance", "cpm"),
        ],
        "spread": [
            ("late.spread.wind", "usu"),
            ("late.spread.weather", "usu"),
            ("late.spread.tubers", "usu"),
            ("late.spread.always", "olanya"),
        ],
        "next": [
            ("late.next.heaps", "usu"),
            ("late.next.seed", "msu"),
            ("late.next.varieties", "attra"),
            ("late.next.warnings", "cpm"),
        ],
    },
    "early_blight": {
        "signs": [
            ("early.signs.spots", "uc"),
            ("early.signs.rings", "uc"),
            ("early.signs.yellow", "uc"),
            ("early.signs.mould", "news"),
        ],
        "now": [("early.now.care", "uc")],
        "expert": [("early.expert.doubt", "news")],
        "substances": [("early.substances.chemical", "miller"), ("early.substances.when", "gnb")],
        "spread": [
            ("early.spread.survives", "uc"),
            ("early.spread.weather", "uc"),
            ("early.spread.stress", "gnb"),
        ],
        "next": [
            ("early.next.rotation", "gnb"),
            ("early.next.tomatoes", "shtienberg"),
            ("early.next.seed", "gnb"),
            ("early.next.varieties", "uc"),
        ],
    },
    "healthy": {
        "signs": [("healthy.signs.look", None)],
        "now": [("healthy.now.scout", "cfsa"), ("healthy.now.protect", None)],
        "next": [("healthy.next.seed", "gnb")],
    },
}
DRAWINGS = {
    name: (Path(__file__).parent / "drawings" / f"{name}.svg").read_text("utf-8") for name in STATEMENTS
}

URGENT = ("signs", "now", "expert")  # the headings of what can't wait

# Statements carry the numbers of their sources. The drawings are the project's own SVG and not escaped.
_DRAWINGS = "{{#each value.drawings}}{{{this}}}{{/each}}"
_PART = """<section><h3>{{this.title}}</h3><ul>{{#each this.points}}
<li>{{this.text}}{{#if this.source}}<sup>{{this.source}}</sup>{{/if}}</li>{{/each}}</ul></section>"""
_SOURCES = """{{#if value.sources}}<section><h3>{{value.sources_title}}</h3><ol>{{#each value.sources}}
<li><a href="{{this.url}}" target="_blank" rel="noopener noreferrer">{{this.name}}</a></li>
{{/each}}</ol></section>{{/if}}"""


# What can't wait, and the rest: style.css may put them in two places.
TEMPLATE = f"""{{{{#if value}}}}<div class="guidance urgent">{_DRAWINGS}
{{{{#each value.parts}}}}{{{{#if this.urgent}}}}{_PART}{{{{/if}}}}{{{{/each}}}}</div>
<div class="guidance">{{{{#each value.parts}}}}{{{{#unless this.urgent}}}}{_PART}{{{{/unless}}}}{{{{/each}}}}
{_SOURCES}</div>{{{{/if}}}}"""

BETTER_PHOTO = ("better.one", "better.light", "better.sharp", "better.plain")
SUSPICION = ("signs", "expert")  # the headings that help with a disease that is not sure


def guidance(language: str, verdict: str, label: str, suspicions: Sequence[str]) -> dict | None:
    """Return what to do about an answer, for the page to lay out; None about classes we know nothing of.

    Without a diagnosis it is how to take a better photo and, of diseases that it looks like, what to look
    for. {"drawings": [SVG], "parts": [{"title", "urgent", "points": [{"text", "source": number or None}]}],
    "sources": [{"number", "name", "url"}], "sources_title"}
    """
    if verdict == DIAGNOSIS:
        return about(language, [label])
    told = about(language, [], suspicions)
    told = told or {"drawings": [], "parts": [], "sources": [], "sources_title": ""}
    points = [{"text": text(language, key), "source": None} for key in BETTER_PHOTO]
    better = {"title": text(language, "better"), "urgent": True, "points": points}
    return told | {"parts": [*told["parts"], better]}


def about(language: str, found: Sequence[str], suspected: Sequence[str] = ()) -> dict | None:
    """Return what to do about classes found, and what to look for of those suspected, as `guidance` does.

    Each part's title has its class's name behind it, unless there is only one class, and it is found.
    """
    headings = {label: None for label in found} | {label: SUSPICION for label in suspected}
    known = [label for key in STATEMENTS for label in headings if class_key(label) == key]
    if not known:
        return None
    named = len(headings) > 1 or bool(suspected)
    used, parts, warned = [], [], False
    for label in known:
        for heading, statements in STATEMENTS[class_key(label)].items():
            if headings[label] and heading not in headings[label]:
                continue
            used += dict.fromkeys(source for _, source in statements if source and source not in used)
            points = [
                {"text": text(language, key), "source": used.index(source) + 1 if source else None}
                for key, source in statements
            ]
            if heading == "substances" and not warned:  # first: not all named below is allowed everywhere
                points.insert(0, {"text": text(language, "label"), "source": None})
                warned = True
            name = text(language, "named", name=class_name(language, label)) if named else ""
            title = text(language, heading) + name
            parts.append({"title": title, "urgent": heading in URGENT, "points": points})
    return {
        "drawings": [DRAWINGS[class_key(label)] for label in known],
        "parts": parts,
        "sources": [
            {"number": number, "name": SOURCES[source][0], "url": SOURCES[source][1]}
            for number, source in enumerate(used, 1)
        ],
        "sources_title": text(language, "sources"),
    }
