"""What a reader may say to a client: deadlines and labels, refused with their cure."""

from __future__ import annotations

import asyncio

import pytest

from healing_pipeline import AsyncHealingClient, Fidelity
from healing_pipeline.client import ClosedError, checked_deadline, checked_labels
from healing_pipeline.errors import ConfigurationError


@pytest.mark.parametrize("deadline_s", [0.1, 1, 60.0])
def test_a_deadline_in_range_is_taken(deadline_s):
    assert checked_deadline(deadline_s) == deadline_s


@pytest.mark.parametrize("deadline_s", [0.0, -1, 60.1, float("nan"), float("inf")])
def test_a_deadline_out_of_range_names_the_range(deadline_s):
    with pytest.raises(ConfigurationError, match=r"0\.1 to 60 seconds"):
        checked_deadline(deadline_s)


def test_labels_may_be_words_or_values():
    assert checked_labels({"exact", Fidelity.PROXY}) == {Fidelity.EXACT, Fidelity.PROXY}
    assert checked_labels(None) is None


@pytest.mark.parametrize("labels", [(), ["good"], ["exact", "good"], "exact"])
def test_what_is_no_label_names_those_there_are(labels):
    with pytest.raises(ConfigurationError, match="exact, stale, coarser, proxy"):
        checked_labels(labels)


def test_a_client_that_is_not_open_says_how_to_open_it():
    with pytest.raises(ClosedError, match="async with"):
        asyncio.run(AsyncHealingClient().fetch("yahoo/quote-aapl"))
