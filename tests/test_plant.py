from dataclasses import replace

import pytest

from model.answers import together_as_json
from model.classifier import Diagnosis
from model.plant import joint_answer


def leaf(
    late: float, verdict: str = "diagnosis", severity: float | None = None, potato: float = 0.9
) -> Diagnosis:
    probabilities = {"Late blight": late, "Healthy": 1 - late}
    label = {"unsure": "Unsure", "not_a_potato_leaf": "Not a potato leaf"}.get(verdict)
    label = label or max(probabilities, key=probabilities.get)
    return Diagnosis(verdict, label, max(late, 1 - late), probabilities, potato, severity, None, None)


def test_leaves_that_agree_make_a_diagnosis_with_their_mean_severity():
    joint = joint_answer([leaf(0.9, severity=0.2), leaf(0.8, severity=0.4), leaf(0.95)])
    assert (joint.verdict, joint.label, joint.photos, joint.voters) == ("diagnosis", "Late blight", 3, 3)
    assert 0.8 < joint.confidence < 0.95
    assert sum(joint.probabilities.values()) == pytest.approx(1)
    assert joint.severity == pytest.approx(0.3)
    assert joint.counts == {"Late blight": 3}


def test_unsure_leaves_do_not_vote():
    joint = joint_answer([leaf(0.95), leaf(0.01, "unsure"), leaf(0.01, "not_a_potato_leaf")])
    assert (joint.verdict, joint.label, joint.voters) == ("diagnosis", "Late blight", 1)
    assert joint.confidence == pytest.approx(0.95)
    assert joint_answer([leaf(0.99)]).confidence == pytest.approx(0.99)  # one alone says what it says
    assert joint.counts == {"Late blight": 1, "Unsure": 1, "Not a potato leaf": 1}


def test_leaves_that_all_say_the_same_agree_however_sure_they_are():
    joint = joint_answer([leaf(0.6)] * 3)
    assert (joint.verdict, joint.label, joint.suspects) == ("diagnosis", "Late blight", ())


def test_one_mistaken_leaf_does_not_outvote_the_others_nor_lend_them_its_severity():
    joint = joint_answer([leaf(0.0, severity=0.9), *[leaf(0.9, severity=0.5)] * 4])
    assert (joint.label, joint.severity, joint.suspects) == ("Late blight", 0.5, ())
    assert joint_answer([leaf(0.6)]).label == "Late blight"


def test_healthy_leaves_do_not_outvote_a_diseased_one():
    joint = joint_answer([leaf(1.0, severity=0.5), *[leaf(0.0)] * 9])
    assert (joint.verdict, joint.label, joint.severity) == ("unsure", "Unsure", None)
    assert joint.suspects == ("Late blight",)
    assert joint.probabilities["Healthy"] > 0.9
    doubtful = joint_answer([leaf(0.9, "unsure"), *[leaf(0.0)] * 9])
    assert (doubtful.label, doubtful.voters, doubtful.suspects) == ("Unsure", 9, ("Late blight",))
    scene = leaf(0.9, "not_a_potato_leaf", potato=0.01)
    doubtful = joint_answer([leaf(0.1, "unsure"), scene, *[leaf(0.0)] * 9])
    assert (doubtful.label, doubtful.suspects) == ("Healthy", ())
    perhaps = leaf(0.9, "not_a_potato_leaf", potato=0.2)
    doubtful = joint_answer([perhaps, *[leaf(0.0)] * 9])
    assert (doubtful.label, doubtful.suspects) == ("Unsure", ("Late blight",))


def test_leaves_that_contradict_each_other_are_unsure():
    for leaves in ([leaf(0.95), leaf(0.05)], [leaf(0.95), leaf(0.01)], [leaf(0.99), leaf(0.05)]):
        joint = joint_answer(leaves)  # whichever of the two is the likelier by a hair
        assert (joint.verdict, joint.suspects) == ("unsure", ("Late blight",))


def test_diseases_that_are_not_the_joint_answer_are_named_late_blight_first():
    chances = {"Early blight": 0.98, "Late blight": 0.01, "Healthy": 0.01}
    early = Diagnosis("diagnosis", "Early blight", 0.98, chances, 0.9, None, None, None)
    chances = {"Early blight": 0.01, "Late blight": 0.98, "Healthy": 0.01}
    late = Diagnosis("diagnosis", "Late blight", 0.98, chances, 0.9, None, None, None)
    assert joint_answer([early, late]).suspects == ("Late blight", "Early blight")
    joint = joint_answer([early, late, early])
    assert (joint.label, joint.found) == ("Early blight", ("Late blight", "Early blight"))
    assert joint.suspects == ("Late blight",)
    hyphened = replace(late, label="Late-blight")  # as the folder of one's own photos may be called
    assert joint_answer([early, hyphened, early]).found == ("Late-blight", "Early blight")
    doubtful = replace(late, verdict="unsure", label="Unsure")
    joint = joint_answer([early, doubtful, early])
    assert (joint.label, joint.found) == ("Early blight", ("Early blight",))
    assert joint.suspects == ("Late blight",)


def test_without_voters_there_is_no_diagnosis():
    nothing = [leaf(0.9, "not_a_potato_leaf", potato=0.01)] * 2
    assert joint_answer(nothing).label == "Not a potato leaf"
    joint = joint_answer([*nothing, leaf(0.9, "unsure")])
    assert (joint.label, joint.suspects) == ("Unsure", ("Late blight",))


def test_a_disease_is_suspected_once_however_many_leaves_show_it_or_look_like_it():
    doubtful, healthy = leaf(0.9, "unsure"), leaf(0.0)
    for leaves in ([leaf(1.0), doubtful, healthy], [doubtful, doubtful, healthy]):
        assert joint_answer(leaves).suspects == ("Late blight",)


def test_what_is_no_potato_leaf_has_no_say_in_the_chances_either():
    scene = leaf(0.1, "not_a_potato_leaf", potato=0.01)
    joint = joint_answer([scene, leaf(0.9, "unsure"), scene])
    assert (joint.voters, joint.confidence) == (0, pytest.approx(0.9))
    assert joint.probabilities == pytest.approx({"Late blight": 0.9, "Healthy": 0.1})


def test_of_two_leaves_neither_rules_a_class_out():
    chances = {"Early blight": 0.9, "Late blight": 0.1, "Healthy": 0.0}
    early = Diagnosis("diagnosis", "Early blight", 0.9, chances, 0.9, None, None, None)
    chances = {"Early blight": 0.0, "Late blight": 1.0, "Healthy": 0.0}
    late = Diagnosis("diagnosis", "Late blight", 1.0, chances, 0.9, None, None, None)
    assert joint_answer([early, late]).verdict == "unsure"


def test_programs_are_told_what_else_the_leaves_may_have():
    told = together_as_json(joint_answer([leaf(1.0), leaf(0.0), leaf(0.0)]))
    assert (told["class"], told["voters"], told["suspects"]) == ("Unsure", 3, ["Late blight"])
