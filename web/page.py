"""The page: its title and language, and its two parts, for one leaf and for several."""

from pathlib import Path

import gradio as gr

from model.feedback import Feedback
from model.serving import Serving
from web import history, one_leaf, several
from web.inert import inert
from web.part import CARD, DISPLAYED
from web.texts import ENGLISH, LANGUAGES, choose, text

HERE = Path(__file__).parent

# Gradio's own sizes, but of what the visitor's browser is set to, and the usual one a little larger.
TEXT = gr.themes.Size(
    xxs="0.6rem",
    xs="0.7rem",
    sm="0.8rem",
    md="0.9375rem",
    lg="1rem",
    xl="1.375rem",
    xxl="1.625rem",
    name="rem",
)

# How mount_gradio_app is to dress the page. System fonts: nothing is loaded from another host.
LOOKS = {
    "theme": gr.themes.Soft(
        primary_hue="green",
        neutral_hue="stone",
        text_size=TEXT,
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    ).set(
        background_fill_primary="*neutral_50",
        block_label_text_color="*primary_700",
        block_title_text_color="*primary_700",
        # Gradio's own borders, greens and blues are too pale to see or to read.
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        block_label_background_fill_dark="*primary_800",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_800",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_400",
        link_text_color_hover_dark="*primary_300",
        link_text_color_visited_dark="*primary_400",
        link_text_color_active_dark="*primary_400",
    ),
    "css_paths": [HERE / "style.css"],
    "favicon_path": str(HERE / "drawings" / "icon.svg"),
    "pwa": True,  # can be installed like an app
    "footer_links": ["api"],
    "run_history": False,
}
# The language chosen on the page, kept in the browser; the one of a link no longer counts then.
REMEMBER = """(language) => {
  const link = new URL(location);
  link.searchParams.delete("lang");
  history.replaceState(history.state, "", link);
  try {
    localStorage.setItem("blightcheck.language", language);
  } catch {
    // forbidden: it lasts as long as the page is open
  }
}"""
REMEMBERED = """() => {
  try {
    return localStorage.getItem("blightcheck.language") ?? "";
  } catch {
    return "";
  }
}"""


def build(serving: Serving, feedback_store: Feedback | None) -> gr.Blocks:
    """Lay out the page; `feedback_store` is where visitors' feedback goes, if anywhere."""

    def told(language: str) -> gr.HTML:
        """Say what there is to say of the model now, if anything."""
        card = {"verdict": "notice", "title": text(language, "notice"), "advice": serving.notice}
        return gr.HTML(inert(card), visible=bool(serving.notice))

    def greet(before: str | None, request: gr.Request) -> tuple[str, gr.HTML]:
        """Choose the language at the start: the link's ?lang=, that chosen before, or the browser's."""
        asked = request.query_params.get("lang") or before
        language = choose(asked, request.headers.get("accept-language"))
        return language, told(language)

    with gr.Blocks(title="Blightcheck", analytics_enabled=False) as blocks:
        # gradio checks that a file was uploaded only in apps it launched itself; this one is mounted.
        blocks.has_launched = True
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
        before = gr.Textbox(visible=False)
        # page.js presses it when an answer comes in another language than is chosen by then.
        again = gr.Button(visible="hidden", elem_id="again")
        about_model = gr.HTML(visible=False, html_template=CARD)
        # Not gradio's tabs, whose labels can't be changed to another language.
        chosen = gr.Radio(
            _parts(ENGLISH),
            value="one",
            label=text(ENGLISH, "part"),
            show_label=False,
            container=False,
            elem_id="part",
        )
        chosen.change(
            None, chosen, js="(part) => { document.body.dataset.part = part; }", api_visibility="private"
        )
        parts = [one_leaf.lay_out(serving, language, feedback_store), several.lay_out(serving, language)]
        earlier = history.lay_out()

        def translate(language: str, *of_parts: object) -> list:
            """Say everything on the page in a language, given the parts' states, and what their cards are."""
            said = [
                text(language, "introduction"),
                gr.Dropdown(label=text(language, "choose")),
                gr.Radio(_parts(language), label=text(language, "part")),
                told(language),
            ]
            for part, shown, displayed in zip(parts, of_parts[:2], of_parts[2:], strict=True):
                said += part.say(language, displayed, shown)
            return [*said, gr.HTML(texts=history.spoken(language))]

        states, cards = [part.state for part in parts], [part.card for part in parts]
        components = [introduction, language, chosen, about_model]
        components += [component for part in parts for component in part.components]
        components.append(earlier)
        quietly = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
        blocks.load(greet, before, [language, about_model], js=REMEMBERED, **quietly)
        gr.on(
            [language.change, again.click],
            translate,
            [language, *states, *cards],
            components,
            js=f"(language, one, several, ...cards) => [language, one, several, ...cards.map({DISPLAYED})]",
            **quietly,
        )
        language.input(None, language, js=REMEMBER, api_visibility="private")
    return blocks


def _parts(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"part.{part}"), part) for part in ("one", "several")]
