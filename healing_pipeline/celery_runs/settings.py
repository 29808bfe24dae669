"""How Celery is to behave with Dagster's runs, each setting with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A run is handed out once: its message is acknowledged as its process begins. Whoever asked for it
# asks again, in the name of another event, when it is lost; the same run a second time is wanted by
# nobody, and Dagster takes no second beginning of one.
SETTINGS: Mapping[str, Any] = {
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    # What a busy worker holds in reserve is lost with it, and waits while others are idle. With
    # Redis a worker takes only what a process of it is free for; elsewhere, one more for each.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    # Launchers ask a worker what it works at when they are in doubt.
    "worker_enable_remote_control": True,
    # Those that come back after an hour find the broker, or wait for it.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # Runs that are executed now go on while the broker is away.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Nobody asks after a run that is long over.
    "result_expires": 3600,
    # A launch does not wait long for a broker that is down: it is told, and asked for again.
    "broker_transport_options": {
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
        "socket_connect_timeout": 3.0,
    },
    # Our processes talk to each other by the tables, not by Celery's events.
    "worker_send_task_events": False,
}
