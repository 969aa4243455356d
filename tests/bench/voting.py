"""Measure how much it helps to ask several leaves of one plant or field instead of one.

    python tests/bench/voting.py [--model FOLDER] [--held-out] NAME=FOLDER_OR_PATTERN...

Deals the photos of each class of a set into groups of 1, 3 and 6, again and again, and asks for their joint
answer, as the page and /predict/batch do. With --held-out only photos count that training kept for the
test.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluate import command_line, diagnose_all, named_sets

from model import bundle
from model.classifier import Classifier
from model.plant import joint_answer
from model.verdict import DIAGNOSIS

SIZES = (1, 3, 6)
ROUNDS = 500  # of dealing all photos out into groups


def main() -> None:
    """Print, for every set and size of group, the shares of groups answered and answered rightly."""
    options = command_line(__doc__).parse_args()
    classifier = Classifier(bundle.read(Path(options.model)))
    label_of = {name.folder: name.label for name in classifier.bundle.classes}
    for name, photos in named_sets(options, classifier.bundle.description):
        found = [p for p in photos if p.folder in label_of]
        answers = diagnose_all(classifier, [p.path for p in found])
        random = np.random.default_rng(1)  # anew, so that a set's figures don't depend on the others
        for size in SIZES:
            answered, right, groups = [], [], {}
            for folder, label in label_of.items():
                of_class = [a for a, p in zip(answers, found, strict=True) if p.folder == folder]
                groups[label] = len(of_class) // size
                for _ in range(ROUNDS):
                    order = random.permutation(len(of_class))
                    for start in range(0, len(order) - size + 1, size):
                        joint = joint_answer([of_class[i] for i in order[start : start + size]])
                        answered.append(joint.verdict == DIAGNOSIS)
                        right.append(joint.verdict == DIAGNOSIS and joint.label == label)
            if answered:
                print(
                    f"{name}, {size} photos: {np.mean(answered):.3f} answered, "
                    f"{np.sum(right) / max(1, np.sum(answered)):.3f} of these rightly; groups at a time: "
                    + ", ".join(f"{label} {number}" for label, number in groups.items())
                )


if __name__ == "__main__":
    main()
