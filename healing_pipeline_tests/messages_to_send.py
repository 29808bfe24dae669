"""A message with everything in it, and a channel's view of who has it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.channels.message import Message
from healing_pipeline.incidents.detection import Severity

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

FIRED = Message(
    alert_id=7,
    at=AT,
    group_id=3,
    kind=Kind.FIRED,
    level=Severity.CRITICAL,
    title="Yahoo Finance: 2 endpoints cannot be healed",
    body="Readers of yahoo get errors.\nNothing that was tried helped.",
    url="http://healing.test:8888",
    source="yahoo",
    owners=("markets",),
    fingerprint="yahoo:unreachable",
    began_at=AT,
    detail={
        "endpoints": ["yahoo/chart-aapl-1d", "yahoo/chart-msft-1d"],
        "failure_class": "server_error",
        "root_cause": "provider_down",
        "evidence": "status 503 <script>alert('evil')</script>",
        "began_at": "2026-03-02T11:58:00+00:00",
        "attempts": [
            {
                "strategy": "alternate_host",
                "because": "another host may answer",
                "evidence": "query2: status 503",
                "seconds": 0.41,
            },
            {"strategy": "use_cached_data", "because": "nothing younger than 15 min is stored"},
        ],
        "left_out": [{"strategy": "etf_proxy", "because": "proxies are not accepted"}],
        "readers_without_answer": 12,
        "readers": 120,
        "error_rate": 0.61,
        "requests": 120,
        "window_s": 300,
        "action": "See the provider's status page; nothing here can reach it.",
        "path": "/health-dashboard/incidents/12",
    },
)
RESOLVED = replace(
    FIRED,
    alert_id=8,
    kind=Kind.RESOLVED,
    level=Severity.INFO,
    title="Over: Yahoo Finance: 2 endpoints cannot be healed",
    detail={
        **FIRED.detail,
        "lasted_s": 754,
        "readers_without_answer": 0,
        "healed_by": "alternate_host",
    },
)


def message(**changes: Any) -> Message:
    return replace(FIRED, **changes)


@dataclass
class Nobody:
    """Nobody has it yet; notes who gets it."""

    have: set[str] = field(default_factory=set)

    def has(self, recipient: str) -> bool:
        return recipient in self.have

    def took(self, recipient: str) -> None:
        self.have.add(recipient)
