from __future__ import annotations

import pytest

from healing_pipeline.control.attendance import GONE_AFTER_S, Attendance, workers_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attendance(clock: Clock) -> Attendance:
    return Attendance(clock, most=4, kept=3)


def test_a_source_between_two_ticks_of_its_own_sensor_wants_a_stand_in(attendance, clock):
    attendance.tick("fred")
    attendance.attend("fred")
    assert attendance.unattended() == ()
    clock.now += 4.8
    attendance.leave("fred")
    assert attendance.unattended() == ("fred",)
    attendance.attend("fred")
    assert attendance.unattended() == ()


def test_a_source_whose_sensor_never_ticked_has_no_stand_in(attendance):
    assert attendance.unattended() == ()


def test_a_sensor_that_was_stopped_is_not_stood_in_for(attendance, clock):
    attendance.tick("fred")
    attendance.attend("fred")
    attendance.leave("fred")
    clock.now += GONE_AFTER_S
    assert attendance.unattended() == ("fred",)
    clock.now += 0.1
    assert attendance.unattended() == ()


def test_a_long_tick_does_not_count_as_gone(attendance, clock):
    attendance.tick("fred")
    attendance.attend("fred")
    clock.now += 2 * GONE_AFTER_S
    attendance.leave("fred")
    assert attendance.unattended() == ("fred",)


def test_of_two_that_look_at_one_source_the_last_leaves_it_unattended(attendance):
    attendance.tick("fred")
    attendance.attend("fred")
    attendance.attend("fred")
    attendance.leave("fred")
    assert attendance.unattended() == ()
    attendance.leave("fred")
    assert attendance.unattended() == ("fred",)


def test_places_for_stand_ins_are_kept_from_all_others(attendance):
    assert attendance.may_stay(as_stand_in=False)
    assert not attendance.may_stay(as_stand_in=False)
    assert [attendance.may_stay(as_stand_in=True) for _ in range(4)] == [True, True, True, False]
    attendance.go()
    assert not attendance.may_stay(as_stand_in=False)
    assert attendance.may_stay(as_stand_in=True)


def test_stand_ins_are_relied_on_only_while_they_tick(attendance, clock):
    assert not attendance.has_stand_in
    attendance.may_stay(as_stand_in=True)
    assert attendance.has_stand_in
    clock.now += GONE_AFTER_S + 0.1
    assert not attendance.has_stand_in


GRPC = ["dagster", "api", "grpc", "-m", "definitions"]


@pytest.mark.parametrize(
    ("argv", "environ", "workers"),
    [
        (GRPC, {}, 6),
        ([*GRPC, "--max-workers", "24"], {}, 24),
        ([*GRPC, "--max-workers=24"], {}, 24),
        ([*GRPC, "-n", "24"], {"DAGSTER_GRPC_MAX_WORKERS": "12"}, 24),
        (GRPC, {"DAGSTER_GRPC_MAX_WORKERS": "12"}, 12),
        (GRPC, {"DAGSTER_GRPC_MAX_WORKERS": "12", "DAGSTER_CODE_SERVER_MAX_WORKERS": "8"}, 8),
        (GRPC, {"DAGSTER_CODE_SERVER_MAX_WORKERS": "8"}, 6),
        (GRPC, {"DAGSTER_GRPC_MAX_WORKERS": "many"}, 6),
        ([*GRPC, "-n"], {}, 6),
        (["pytest", "-n", "2"], {}, 6),
    ],
)
def test_the_workers_are_what_dagster_takes_for_two_processors(argv, environ, workers):
    assert workers_of(argv, environ, 2) == workers


def test_no_machine_has_more_workers_than_python_gives():
    assert workers_of(GRPC, {}, 96) == 32
