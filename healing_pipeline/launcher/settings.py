"""What the launcher's parts are told: how many, how long, what to load ahead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# What a Unix socket's path may be long is about 100 bytes, on macOS even less; the names below are
# the longest parts that are put behind the folder.
LONGEST_FOLDER = 60


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a zygote; they go to it as JSON.

    Attributes
    ----------
    folder : str
        Where its sockets, claims and log are. One zygote per folder.
    preload : tuple of str
        Modules that a zygote imports before it forks anything; those that change with every edit
        do not belong here.
    warm_up : tuple of str
        ``module:function`` of what a prewarmed process calls while it waits. It may return paths of
        files: when one of them changes, the process is replaced.
    prewarmed : int
        One-shot processes kept waiting for each code location; 0 forks when a run comes.
    most_templates : int
        Code locations held loaded; past it the one that was used longest ago is let go.
    grace_s : float
        From the request to terminate until a run is killed.
    linger_s : float
        A zygote that no launcher holds ends after so long, runs that still go excepted.
    """

    folder: str
    preload: tuple[str, ...] = ()
    warm_up: tuple[str, ...] = ()
    prewarmed: int = 2
    most_templates: int = 4
    grace_s: float = 15.0
    linger_s: float = 5.0

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote."""
        values: Mapping[str, Any] = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("preload", "warm_up")}
        return cls(**{**values, **lists})

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def socket(self) -> Path:
        """Where the zygote listens."""
        return self.path / "zygote.sock"

    def template_socket(self, pid: int) -> Path:
        """Where a template listens."""
        return self.path / f"t{pid}.sock"

    @property
    def lock(self) -> Path:
        """Locked while there is a zygote, or one is being started."""
        return self.path / "zygote.lock"

    @property
    def claims(self) -> Path:
        """The claims' folder; see `claims`."""
        return self.path / "claims"

    @property
    def log(self) -> Path:
        """What zygote, templates and runs print."""
        return self.path / "zygote.log"
