"""Whether a model is worse than another one, by what their bundle.json say."""

from model.evaluation import HELD_OUT
from model.hub import HubError

ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # what reading an odd description ends in
COMPARED = {"macro_recall": "macro recall", "declined": "other pictures declined"}


def refuse_worse(earlier: dict, description: dict, repo: str, anyway: str) -> None:
    """Raise HubError if a figure lies below the 95 % interval of the same figure there.

    Sets of one name are taken for the same photos, but for leaves held out that are known to be others.
    `anyway` is the command that does not ask.
    """
    before, now = (d.get("training", {}).get("held_out") for d in (earlier, description))
    for name in description["figures"]:
        others = name.startswith(HELD_OUT) and before and now and before != now
        how = "though measured on different photos" if others else "by more than chance"
        for key, words in COMPARED.items():
            old, new = (_figure(d, name, key) for d in (earlier, description))
            if old and new and new[0] < old[1]:
                raise HubError(
                    f"This model is worse than the one in {repo}, {how}: {words}, {name}, "
                    f"{new[0]:.1%} instead of {old[0]:.1%}; publish it anyway with: {anyway}."
                )


def _figure(description: dict, name: str, key: str) -> tuple[float, float] | None:
    """Return a figure of a set, and where its interval begins; None if there is none, or none of ours."""
    try:
        row = description["figures"][name]
        row = row if key in row else row["not_potato"]
        return float(row[key]), float(row[f"{key}_interval"][0])
    except ODD:
        return None
