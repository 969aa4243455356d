"""What other sites show of a link to the page, instead of gradio's name and picture."""

import re

from fastapi.templating import Jinja2Templates
from jinja2 import FunctionLoader

from web.texts import ENGLISH, text

THEIRS = re.compile(r'<meta\s+(property|name)="(og|twitter):[^>]*>')
OURS = """<meta property="og:type" content="website" />
<meta property="og:title" content="Blightcheck" />
<meta property="og:description" name="description" content="{}" />
</head>"""


def of_our_own(templates: Jinja2Templates) -> None:
    """Let gradio's pages say of themselves what they are."""
    theirs = templates.env.loader
    about = text(ENGLISH, "introduction").partition("\n")[2].replace("*", "")

    def load(name: str) -> str:
        source, *_ = theirs.get_source(templates.env, name)
        return THEIRS.sub("", source).replace("</head>", OURS.format(about), 1)

    templates.env.loader = FunctionLoader(load)
