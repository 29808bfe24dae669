"""Joint incidents keep their numbers, whatever is found of their causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.incidents.cause import Cause, Place, PlaceKind, RootCause
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.joining import Belonging, joint_ids

DOWN = RootCause.PROVIDER_DOWN


def cause(*members: int, root: RootCause = DOWN, place: str = "yahoo") -> Cause:
    return Cause(root, Place(PlaceKind.SOURCE, place, place), (), members, Severity.ERROR, ())


def known(joints: dict[int, int], root: str = DOWN, place: str = "yahoo") -> dict[int, Belonging]:
    return {each: Belonging(each, joint, root, place) for each, joint in joints.items()}


def joined(causes, joints, **said) -> dict[int, int]:
    """By incident, the number of its joint incident."""
    found = joint_ids(causes, known(joints, **said))
    return {member: number for number, each in found.items() for member in each.members}


@given(st.data())
def test_each_cause_has_a_number_of_its_own_and_none_is_later_than_its_members(data):
    ids = data.draw(st.lists(st.integers(10, 40), min_size=1, max_size=12, unique=True))
    # Some belong to others that are open, some to one that is over, some to nobody.
    joints = {each: data.draw(st.sampled_from([each, min(ids), 3, 7])) for each in sorted(ids)}
    joints = {each: min(each, joint) for each, joint in joints.items()}
    parts: dict[int, list[int]] = {}
    for each in ids:
        parts.setdefault(data.draw(st.integers(0, 3)), []).append(each)
    roots = [data.draw(st.sampled_from([DOWN, RootCause.KEY])) for _ in parts]
    causes = [
        cause(*sorted(members), root=root)
        for members, root in zip(parts.values(), roots, strict=True)
    ]
    found = joint_ids(causes, known(joints))
    assert sorted(map(id, found.values())) == sorted(map(id, causes))
    for number, each in found.items():
        assert number <= min(each.members)
        assert number in each.members or number not in joints, "an open parent is a member"
    assert joint_ids(reversed(causes), known(joints)) == found
    again = {member: number for number, each in found.items() for member in each.members}
    said = {
        member: Belonging(member, again[member], str(each.root_cause), str(each.place))
        for each in causes
        for member in each.members
    }
    assert joint_ids(causes, said) == found, "finding the same again changes nothing"


def test_incidents_of_one_cause_join_the_first():
    assert joined([cause(4, 5, 9)], {4: 4, 5: 5, 9: 9}) == {4: 4, 5: 4, 9: 4}


def test_of_two_joint_incidents_that_prove_to_be_one_the_first_stays():
    assert joined([cause(4, 5, 8, 9)], {4: 4, 5: 4, 8: 8, 9: 8}) == dict.fromkeys((4, 5, 8, 9), 4)


def test_a_member_that_has_another_cause_leaves_and_so_does_a_parent():
    joints = {4: 4, 5: 4, 9: 4}
    member_leaves = [cause(4, 9), cause(5, root=RootCause.KEY)]
    assert joined(member_leaves, joints) == {4: 4, 9: 4, 5: 5}
    parent_leaves = [cause(5, 9), cause(4, root=RootCause.KEY)]
    assert joined(parent_leaves, joints) == {4: 4, 5: 5, 9: 5}


def test_members_stay_together_when_their_parent_is_over():
    assert joined([cause(5, 9)], {5: 4, 9: 4}) == {5: 4, 9: 4}
    newcomer = {5: 4, 9: 4, 12: 12}
    assert joined([cause(5, 9, 12)], newcomer) == dict.fromkeys((5, 9, 12), 4)


def test_what_is_left_with_another_cause_when_the_parent_is_over_is_an_incident_of_its_own():
    other = cause(9, root=RootCause.REQUEST, place="/v7/finance")
    assert joined([other], {9: 4}) == {9: 9}
    refined = cause(9, root=RootCause.HOST_DOWN, place="yahoo")
    assert joined([refined], {9: 4}) == {9: 4}, "the same place: it is only known better"
