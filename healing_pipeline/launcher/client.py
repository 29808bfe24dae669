"""A launcher's side of the conversation: whom it asks, and what it means if no answer comes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.hold import Hold, WarmUnavailableError
from healing_pipeline.launcher.messages import ConnectionLostError, Message, call
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.settings import Settings

# After a launch that waited in vain, those that come soon wait no longer than this.
TROUBLE_S = 10.0
PATIENCE_IN_TROUBLE_S = 0.25

# A zygote with its templates, on a machine that is busy.
PREPARED_WITHIN_S = 60.0

PAUSE_S = 0.02


class Warm:
    """Conversations with the warm processes of one folder; safe for threads.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._claims = Claims(settings.claims)
        self._hold = Hold(settings, self._begin_anew)
        self._templates: dict[str, Path] = {}
        self._known: OrderedDict[str, str] = OrderedDict()  # origin to instance, as last launched
        self._preparing = threading.Lock()
        self._trouble_until = 0.0
        self._closed = False

    def launch(self, run_id: str, origin: str, instance_ref: str, patience_s: float) -> None:
        """Have a run begun by a warm process; returns when it has claimed the run.

        Raises
        ------
        WarmUnavailableError
            If that is not so within `patience_s`, and cannot be so any more: another launcher may
            begin the run.
        """
        began = time.monotonic()
        if began < self._trouble_until:
            patience_s = min(patience_s, PATIENCE_IN_TROUBLE_S)
        until = began + patience_s
        self._remember(origin, instance_ref)
        try:
            why = self._asked_to_launch(run_id, origin, instance_ref, until)
        except WarmUnavailableError as error:
            why = str(error)
        if why is None:
            self._trouble_until = 0.0
            return
        if time.monotonic() >= until:
            self._trouble_until = time.monotonic() + TROUBLE_S
        self._give_away(run_id, why)

    def ready(self, timeout_s: float) -> None:
        """Hold a zygote.

        Raises
        ------
        WarmUnavailableError
            If there is none within `timeout_s`.
        """
        self._hold.ensure(time.monotonic() + timeout_s)

    def prepare(self, origin: str, instance_ref: str, timeout_s: float) -> None:
        """Have a code location loaded before its first run.

        Raises
        ------
        WarmUnavailableError
            If that is not done within `timeout_s`.
        """
        self._remember(origin, instance_ref)
        self._template(origin, instance_ref, time.monotonic() + timeout_s)

    def hold_for(self, process: ProcessIdentity, timeout_s: float) -> None:
        """Keep the zygote for as long as `process` lives.

        Raises
        ------
        WarmUnavailableError
            If none can be started within `timeout_s`.
        """
        message = {"op": "hold", "pid": process.pid, "started": process.started}
        self._ask_zygote(message, time.monotonic() + timeout_s)

    def see_out(
        self, run_id: str, process: ProcessIdentity, instance_ref: str, timeout_s: float
    ) -> None:
        """Have a run's process, that was told to end, killed if it has not within the grace.

        Raises
        ------
        WarmUnavailableError
            If there is nobody to do it.
        """
        message = {
            "op": "see_out",
            "run_id": run_id,
            "pid": process.pid,
            "started": process.started,
            "instance_ref": instance_ref,
        }
        self._ask_zygote(message, time.monotonic() + timeout_s)

    def claimed_by(self, run_id: str) -> ProcessIdentity | None:
        """The process that has claimed a run; None when no warm process has."""
        claim = self._claims.of(run_id)
        return None if claim is None else claim.by

    def close(self) -> None:
        """Let go of the zygote. Idempotent."""
        self._closed = True
        self._hold.close()

    def _asked_to_launch(
        self, run_id: str, origin: str, instance_ref: str, until: float
    ) -> str | None:
        """Ask until a warm process has claimed the run (None) or time is up (why)."""
        request = {
            "op": "launch", "run_id": run_id, "instance_ref": instance_ref, "until": until
        }  # fmt: skip
        why = "no warm process answered in time"
        while (left := until - time.monotonic()) > 0:
            path = self._template(origin, instance_ref, until)
            try:
                answer = _ask(path, request, left)
            except ConnectionLostError as error:
                # Nobody listens, or the answer was lost: asking again is harmless.
                answer = {"stale": str(error)}
                time.sleep(PAUSE_S)
            if "launched" in answer:
                return None
            self._templates.pop(origin, None)
            why = str(answer.get("stale") or answer.get("refused") or why)
            if "stale" not in answer:
                break
        return why

    def _give_away(self, run_id: str, why: str) -> None:
        """Make sure that no warm process begins a run; returns when one has."""
        try:
            given = self._claims.take(run_id, None)
        except OSError as error:
            # Nobody else can write one either; who is asked too late refuses by the clock.
            given, why = True, f"{why}; no claim can be written: {error}"
        claim = None if given else self._claims.of(run_id)
        if claim is not None and not claim.elsewhere:
            return
        self._prepare_again()
        raise WarmUnavailableError(why)

    def _template(self, origin: str, instance_ref: str, until: float) -> Path:
        known = self._templates.get(origin)
        if known is not None:
            return known
        answer: Message = {"stale": ""}
        while "stale" in answer and time.monotonic() < until:
            message = {"op": "template", "origin": origin, "instance_ref": instance_ref}
            answer = self._ask_zygote(message, until)
        if "socket" not in answer:
            raise WarmUnavailableError(str(answer.get("broken") or answer.get("stale")))
        path = self._templates[origin] = Path(answer["socket"])
        return path

    def _ask_zygote(self, message: Message, until: float) -> Message:
        while True:
            self._hold.ensure(until)
            try:
                return _ask(self._settings.socket, message, until - time.monotonic())
            except ConnectionLostError as error:
                self._hold.doubt()
                if time.monotonic() + PAUSE_S >= until:
                    raise WarmUnavailableError(f"the zygote: {error}") from error
                time.sleep(PAUSE_S)

    def _remember(self, origin: str, instance_ref: str) -> None:
        self._known[origin] = instance_ref
        self._known.move_to_end(origin)
        while len(self._known) > self._settings.most_templates:
            self._known.popitem(last=False)

    def _begin_anew(self) -> None:
        """Have a successor of a zygote that died know what it knew."""
        self._templates.clear()
        self._prepare_again()

    def _prepare_again(self) -> None:
        """Have everything ready for the next launch; in the background."""
        threading.Thread(target=self._prepare_known, name="warm-prepare", daemon=True).start()

    def _prepare_known(self) -> None:
        if not self._preparing.acquire(blocking=False):
            return
        try:
            for origin, instance_ref in list(self._known.items()):
                if not self._closed:
                    with suppress(WarmUnavailableError):
                        self.prepare(origin, instance_ref, PREPARED_WITHIN_S)
        finally:
            self._preparing.release()


def _ask(path: Path, message: Message, timeout_s: float) -> Message:
    answer, channel = call(path, message, max(0.01, timeout_s))
    channel.close()
    return answer
