"""Matters to ask about, and settings to ask with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from healing_pipeline.healing.answer import Tried
from healing_pipeline.incidents.cause import Link, Place, PlaceKind, RootCause
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import Diagnosis, PlannedStep
from healing_pipeline.incidents.evidence import Failing, Seen
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.second_opinion.question import Matter
from healing_pipeline.second_opinion.settings import Prices, SecondOpinionSettings, Service

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
PRICES = Prices(input=3.0, output=15.0, cache_write=3.75, cache_read=0.3)
PLAN = ("exponential_backoff_retry", "alternate_host", "fallback_provider")
NONCE = "0123456789abcdef" * 2


def settings_for(
    url: str, service: Service = Service.ANTHROPIC, **changed
) -> SecondOpinionSettings:
    settings = SecondOpinionSettings(
        service=service,
        model="a-model",
        base_url=url if service is Service.ANTHROPIC else f"{url}/v1",
        api_key_env="MODEL_KEY",
        daily_budget_usd=1.0,
        prices=PRICES,
        timeout_s=2.0,
    )
    return replace(settings, **changed)


def diagnosis_of(evidence: str = "status 503", endpoint: str = "yahoo/chart-aapl-1d") -> Diagnosis:
    return Diagnosis(
        endpoint=endpoint,
        failure_class=FailureClass.SERVER_ERROR,
        evidence=evidence,
        root_cause=RootCause.PROVIDER_DOWN,
        severity=Severity.ERROR,
        plan=(
            *(PlannedStep(each, True, "it fits") for each in PLAN),
            PlannedStep("rotate_api_key", False, "yahoo has no keys"),
        ),
        place=Place(PlaceKind.SOURCE, "yahoo", "yahoo"),
        scope=(endpoint,),
        chain=(Link("Is it the host?", evidence, "no: both hosts fail"),),
    )


def matter_of(evidence: str = "status 503") -> Matter:
    return Matter(
        incident_id=7,
        joint_id=7,
        source="yahoo",
        diagnosis=diagnosis_of(evidence),
        began_at=NOW - timedelta(seconds=90),
        now=NOW,
        tried=(Tried("alternate_host", "did not help", evidence),),
        failing=(
            Failing(
                8,
                "yahoo/quote-msft",
                "yahoo",
                FailureClass.SERVER_ERROR,
                evidence,
                NOW - timedelta(seconds=80),
                NOW - timedelta(seconds=70),
            ),
        ),
        seen=(
            Seen(
                NOW - timedelta(seconds=5),
                "yahoo",
                "yahoo/chart-aapl-1d",
                "query1",
                None,
                FailureClass.SERVER_ERROR,
                evidence,
                "plain",
            ),
        ),
    )
