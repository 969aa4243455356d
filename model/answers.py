"""Answers as programs read them: JSON objects, and rows of CSV files."""

from collections.abc import Sequence

from model.classifier import Diagnosis
from model.plant import Joint


def _shared(answered: Diagnosis | Joint) -> dict:
    return {
        "class": answered.label,
        "confidence": answered.confidence,
        "verdict": answered.verdict,
        "probabilities": answered.probabilities,
        "severity": answered.severity,
    }


def one_as_json(diagnosis: Diagnosis) -> dict:
    """Return the answer to one photo."""
    return _shared(diagnosis) | {"leaf_probability": diagnosis.leaf}


def together_as_json(joint: Joint) -> dict:
    """Return the joint answer to several photos."""
    return _shared(joint) | {"voters": joint.voters, "suspects": list(joint.suspects)}


def columns(labels: Sequence[str]) -> list[str]:
    """Name the columns, given the labels of the classes."""
    return ["photo", "class", "confidence", "verdict", "leaf_probability", "severity", *labels, "error"]


def row(name: str, answered: Diagnosis | Exception) -> dict[str, str]:
    """Return the row of a photo: its diagnosis, or why there is none."""
    if isinstance(answered, Exception):
        return {"photo": name, "error": str(answered)}
    severity = "" if answered.severity is None else f"{answered.severity:.3f}"
    return {
        "photo": name,
        "class": answered.label,
        "confidence": f"{answered.confidence:.4f}",
        "verdict": answered.verdict,
        "leaf_probability": f"{answered.leaf:.4f}",
        "severity": severity,
        **{label: f"{share:.4f}" for label, share in answered.probabilities.items()},
    }
