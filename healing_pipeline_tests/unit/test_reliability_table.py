"""The table of the guide on reliability is what the trials wrote, and nothing in it was lost."""

from __future__ import annotations

from healing_pipeline_tests.chaos.__main__ import BEGIN, END, GUIDE, kept_table, trials
from healing_pipeline_tests.chaos.outcome import Outcome, kept, table, write


def test_the_guide_shows_what_was_kept() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == kept_table()


def test_no_trial_that_is_shown_lost_or_doubled_an_event() -> None:
    for name, outcomes in kept().items():
        assert name in trials()
        for each in outcomes:
            assert not each.events_lost, (name, each.fault)
            assert not each.events_doubled, (name, each.fault)


def test_an_outcome_is_kept_as_it_was(tmp_path) -> None:
    whole = Outcome("a fault", 3, 1_000, 0, 0, 0, 1.25, {"p99_s": 0.5, "word": "yes"}, ("late",))
    bare = Outcome("another", 1)
    write("some", [whole, bare], 7, tmp_path)
    assert kept(tmp_path) == {"some": [whole, bare]}
    assert not whole.held
    assert bare.held
    assert table([whole, bare]).splitlines()[2:] == [
        "| a fault | 3 | 1,000 | 0 | 0 | 0 | 1.2 |",
        "| another | 1 | - | - | - | - | - |",
    ]
