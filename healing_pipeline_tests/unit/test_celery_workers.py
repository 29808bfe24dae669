"""Where a task is believed to be, by what the workers answer and how long they are silent."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.celery_runs.workers import ANSWER_KEPT_S, Place, Workers

SILENT_S = 15.0


@dataclass
class Broker:
    """What workers answer now, and what time it is."""

    now_s: float = 100.0
    answer: dict[str, frozenset[str]] = field(default_factory=dict)
    asked: int = 0

    def active(self) -> dict[str, frozenset[str]]:
        self.asked += 1
        return dict(self.answer)

    def workers(self) -> Workers:
        return Workers(self.active, SILENT_S, lambda: self.now_s)


def test_a_worker_that_answers_without_the_task_has_lost_it() -> None:
    broker = Broker(answer={"heal@a": frozenset({"t"}), "heal@b": frozenset()})
    workers = broker.workers()
    assert workers.find("t", "heal@a").place is Place.HELD
    broker.now_s += 10.0
    broker.answer["heal@a"] = frozenset({"another"})
    found = workers.find("t", "heal@a")
    assert (found.place, found.because) == (
        Place.LOST,
        "worker heal@a answers and knows nothing of it",
    )


def test_an_answer_from_before_a_task_was_looked_for_is_no_word_against_it() -> None:
    broker = Broker(answer={"heal@a": frozenset({"early"})})
    workers = broker.workers()
    assert workers.find("early", "heal@a").place is Place.HELD
    # It begins now, and the answer that is kept is a second old.
    broker.now_s += 1.0
    assert workers.find("late", "heal@a").place is Place.UNKNOWN
    broker.answer["heal@a"] = frozenset({"early", "late"})
    broker.now_s += 10.0
    assert workers.find("late", "heal@a").place is Place.HELD


def test_many_runs_go_by_one_answer() -> None:
    broker = Broker(answer={"heal@a": frozenset(str(each) for each in range(24))})
    workers = broker.workers()
    for each in range(24):
        broker.now_s += ANSWER_KEPT_S / 30
        assert workers.find(str(each), "heal@a").place is Place.HELD
    assert broker.asked == 1


@given(
    looks=st.lists(st.tuples(st.floats(0.1, 12.0), st.booleans()), min_size=1, max_size=40),
    is_known=st.booleans(),
)
def test_a_silent_worker_is_dead_only_after_it_was_silent_all_the_while(
    looks: list[tuple[float, bool]], is_known: bool
) -> None:
    broker = Broker()
    workers = broker.workers()
    silent_since: float | None = None
    kept: tuple[float, bool] | None = None
    for pause_s, answers in looks:
        broker.now_s += pause_s
        broker.answer = {"heal@a": frozenset({"t"})} if answers else {}
        if kept is None or broker.now_s - kept[0] > ANSWER_KEPT_S:
            kept = broker.now_s, answers
        place = workers.find("t", "heal@a" if is_known else None).place
        if kept[1]:
            silent_since = None
            assert place is Place.HELD
            continue
        silent_since = broker.now_s if silent_since is None else silent_since
        is_dead = broker.now_s - silent_since >= SILENT_S
        assert place is (Place.LOST if is_dead else Place.UNKNOWN)


def test_runs_that_are_over_are_forgotten() -> None:
    broker = Broker()
    workers = broker.workers()
    for each in range(100):
        broker.now_s += 60.0
        workers.find(f"task {each}", None)
    assert len(workers._sought) <= 11
