"""What a visitor takes home of several leaves: a CSV file and a page to print."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from model.answers import columns, row
from model.classifier import Diagnosis
from model.photo import PhotoError
from web.pictures import data_url
from web.texts import text

REPORT = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Blightcheck</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 720px; margin: 24px auto; padding: 0 16px;
overflow-wrap: anywhere; }}
figure {{ display: inline-block; width: 160px; margin: 0 12px 16px 0; vertical-align: top; }}
figure, section {{ break-inside: avoid; }} small {{ color: #555; }}
img {{ width: 160px; border-radius: 8px; }}</style>
<main><h1>{title}</h1>{paragraphs}{counts}{leaves}{guidance}<p><small>{made}</small></p></main></html>"""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how one begins


@dataclass(frozen=True)
class Leaf:
    """One of the photos: its file's name, its diagnosis without arrays or why there is none, a thumbnail."""

    name: str
    answered: Diagnosis | PhotoError
    picture: str | None


def table(leaves: Sequence[Leaf]) -> str:
    """Return the answers as a CSV file's data URL, in which a spreadsheet takes no name for a formula."""
    labels = next((list(x.answered.probabilities) for x in leaves if isinstance(x.answered, Diagnosis)), [])
    file = io.StringIO()
    rows = csv.DictWriter(file, columns(labels))
    rows.writeheader()
    for leaf in leaves:
        rows.writerow(row("'" * leaf.name.startswith(FORMULA) + leaf.name, leaf.answered))
    return data_url("text/csv", file.getvalue().encode("utf-8-sig"))


def printout(language: str, shown: dict, advice: dict | None) -> str:
    """Return a page to print, which needs nothing else, as a data URL; `shown` is what the page shows."""
    advice = advice or {"parts": [], "sources": []}
    leaves = "".join(
        "<figure>"
        + (f'<img src="{leaf["picture"]}" alt="">' if leaf["picture"] else "")
        + f"<figcaption><b>{escape(leaf['title'])}</b> {escape(leaf['chance'])}<br>"
        + (f"{escape(leaf['severity'])}<br>" if leaf["severity"] else "")
        + f"<small>{escape(leaf['name'])}</small></figcaption></figure>"
        for leaf in shown["leaves"]
    )
    parts = "".join(
        f"<section><h2>{escape(part['title'])}</h2><ul>"
        + "".join(
            f"<li>{escape(point['text'])}<sup>{point['source'] or ''}</sup></li>" for point in part["points"]
        )
        + "</ul></section>"
        for part in advice["parts"]
    )
    sources = "".join(
        f"<li>{escape(source['name'])}<br><small>{escape(source['url'])}</small></li>"
        for source in advice["sources"]
    )
    if sources:
        parts += f"<section><h2>{escape(advice['sources_title'])}</h2><ol>{sources}</ol></section>"
    counts = "".join(
        f"<li>{escape(count['title'])} <b>{count['count']}</b></li>" for count in shown["counts"]
    )
    paragraphs = (shown.get(key) for key in ("advice", "caution", "severity"))
    page = REPORT.format(
        language=language,
        title=escape(shown["title"]),
        paragraphs="".join(f"<p>{escape(told)}</p>" for told in paragraphs if told),
        counts=f"<ul>{counts}</ul>" if counts else "",
        leaves=leaves,
        guidance=parts,
        made=escape(text(language, "several.made", date=f"{datetime.now(UTC):%Y-%m-%d} (UTC)")),
    )
    return data_url("text/html", page.encode())
