"""Several leaves of one plant or field -> one joint answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.classifier import LABELS, Diagnosis
from model.diseases import is_healthy
from model.names import spelled
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE

AGREEMENT = 0.7  # the least pooled probability for a joint diagnosis of leaves that don't all say the same
LEAST = 0.02  # no leaf rules a class out: a single mistake must not outvote all others


@dataclass(frozen=True)
class Joint:
    """What several leaves say together.

    verdict, label, confidence, probabilities: as of one Diagnosis; photos: how many there were; voters: how
    many had a say; counts: photos by their own label; severity: their mean where they agree, 0 to 1, or None;
    found: the diseases that some of the voters show; suspects: these, except the joint answer, and then those
    that other leaves look like. Late blight, which can't wait, comes first, then the commonest.
    """

    verdict: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    photos: int
    voters: int
    counts: dict[str, int]
    severity: float | None
    found: tuple[str, ...]
    suspects: tuple[str, ...]


def joint_answer(diagnoses: Sequence[Diagnosis]) -> Joint:
    """Combine the answers to photos, at least one, of leaves of one plant or field.

    The probabilities are pooled by their geometric mean (a logarithmic opinion pool: Genest & Zidek 1986,
    Statistical Science 1, p. 114), of three classes 0.96 at most, since no leaf rules a class out. It is the
    product that independent witnesses would have, tempered by their number: leaves of one plant, photographed
    alike, mislead alike. Leaves without a diagnosis don't vote.
    Healthy leaves never outvote a diseased one, nor one that looks diseased but has no diagnosis: blight
    begins on a few leaves.
    """
    voters = [d for d in diagnoses if d.verdict == DIAGNOSIS]
    asked = voters or [d for d in diagnoses if d.verdict == UNSURE] or diagnoses
    least = LEAST if len(asked) > 1 else np.finfo(float).tiny  # one alone says what it says
    logs = np.log([[max(p, least) for p in d.probabilities.values()] for d in asked])
    pooled = np.exp(logs.mean(axis=0))
    pooled /= pooled.sum()
    labels = list(diagnoses[0].probabilities)
    best = int(pooled.argmax())
    found = _most_urgent_first([d.label for d in voters if not is_healthy(d.label)])
    looks_like = [disease for d in diagnoses for disease in d.suspicions]
    suspected = _most_urgent_first([disease for disease in looks_like if disease not in found])
    if voters:
        agreed = len({d.label for d in voters}) == 1 or pooled[best] >= AGREEMENT
        diseased = bool(found or suspected)
        verdict = UNSURE if not agreed or (diseased and is_healthy(labels[best])) else DIAGNOSIS
    else:
        verdict = NOT_POTATO if all(d.verdict == NOT_POTATO for d in diagnoses) else UNSURE
    label = labels[best] if verdict == DIAGNOSIS else LABELS[verdict]
    measured = [d.severity for d in voters if d.severity is not None and d.label == label]
    return Joint(
        verdict=verdict,
        label=label,
        confidence=float(pooled[best]),
        probabilities=dict(zip(labels, map(float, pooled), strict=True)),
        photos=len(diagnoses),
        voters=len(voters),
        counts=dict(Counter(d.label for d in diagnoses).most_common()),
        severity=float(np.mean(measured)) if measured else None,
        found=tuple(found),
        suspects=tuple(disease for disease in found + suspected if disease != label),
    )


def _most_urgent_first(diseases: Sequence[str]) -> list[str]:
    commonest = [disease for disease, _ in Counter(diseases).most_common()]
    return sorted(commonest, key=lambda disease: spelled(disease) != "late blight")
