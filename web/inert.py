"""Other people's texts, made harmless for gr.HTML."""


def inert(value: object) -> object:
    """Return a value of dictionaries, lists and texts as one that gr.HTML shows and runs nothing of.

    Handlebars escapes what HTML would take for a tag; but gradio then evaluates the whole as a JavaScript
    template literal, in which ${...} is code and a backslash an escape.
    """
    if isinstance(value, dict):
        return {key: inert(part) for key, part in value.items()}
    if isinstance(value, list):
        return [inert(part) for part in value]
    return value.replace("\\", "\\\\").replace("$", "\\$") if isinstance(value, str) else value
