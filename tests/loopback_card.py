"""What the Hugging Face Hub demands of the metadata at the head of a README.md."""

import re
from collections.abc import Iterator

import yaml

# Of https://huggingface.co/docs/hub/repositories-licenses, those that a model or a page like ours may have.
LICENSES = (
    "apache-2.0 mit openrail bsd bsd-2-clause bsd-3-clause cc cc0-1.0 cc-by-2.0 cc-by-3.0 cc-by-4.0 "
    "cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 "
    "gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 agpl-3.0 mpl-2.0 ecl-2.0 isc unlicense wtfpl zlib pddl "
    "odc-by odbl unknown other"
)
COLOURS = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"]
SDKS = ["gradio", "docker", "static"]


def problems(content: str, repo_type: str) -> list[str]:
    """Return what the Hub would find wrong with a README.md, in its words; nothing if it would take it."""
    block = re.match(r"\s*---\r?\n(.*?)\r?\n?---(\s|$)", content, re.DOTALL)
    try:
        metadata = yaml.safe_load(block[1]) if block else {}
    except yaml.YAMLError as error:
        return [f"not a mapping: {error}"]
    if not isinstance(metadata, dict):
        return [f"not a mapping: {metadata}"]
    checks = {"model": _of_model, "space": _of_space}.get(repo_type)
    return [*_of_all(metadata), *(checks(metadata) if checks else [])]


def _of_all(metadata: dict) -> Iterator[str]:
    known = metadata.get("license", "other")
    for name in known if isinstance(known, list) else [known]:
        if name not in LICENSES.split():
            yield f'"license" must be one of [{LICENSES.replace(" ", ", ")}]'
    for key in ("tags", "datasets", "metrics", "models"):
        words = metadata.get(key, [])
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            yield f'"{key}" must be an array of strings'


def _of_model(metadata: dict) -> Iterator[str]:
    for key in ("library_name", "pipeline_tag"):
        if not isinstance(metadata.get(key, ""), str):
            yield f'"{key}" must be a string'
    for i, model in enumerate(metadata.get("model-index", [])):
        at = f"model-index[{i}]"
        if not isinstance(model.get("name"), str):
            yield f'"{at}.name" must be a string'
        if not model.get("results"):
            yield f'"{at}.results" is required'
        for j, result in enumerate(model.get("results") or []):
            wanted = {"task": ["type"], "dataset": ["type", "name"]}
            for part, key in ((part, key) for part, keys in wanted.items() for key in keys):
                if not isinstance(result.get(part, {}).get(key), str):
                    yield f'"{at}.results[{j}].{part}.{key}" is required'
            for metric in result.get("metrics") or [{}]:
                if "type" not in metric or "value" not in metric:
                    yield f'"{at}.results[{j}].metrics" is required'


def _of_space(metadata: dict) -> Iterator[str]:
    allowed = {"sdk": SDKS, "colorFrom": COLOURS, "colorTo": COLOURS}
    for key, values in allowed.items():
        if metadata.get(key, values[0]) not in values:
            yield f'"{key}" must be one of [{", ".join(values)}]'
    for key in ("title", "emoji", "sdk_version", "python_version", "app_file", "short_description"):
        if not isinstance(metadata.get(key, ""), str):
            yield f'"{key}" must be a string'
    if len(str(metadata.get("short_description", ""))) > 60:
        yield '"short_description" length must be less than or equal to 60 characters long'
