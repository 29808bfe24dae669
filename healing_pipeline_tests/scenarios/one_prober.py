"""A prober as a process: ``python one_prober.py CONFIG``; looks again and again, until it ends."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from healing_pipeline.session import open_session

PAUSE_S = 0.02


def main(config: str) -> None:
    with ExitStack() as parts:
        session = open_session(parts, Path(config))
        print("ready", flush=True)
        sys.stdin.readline()
        while True:
            for shard in session.watcher.shards:
                session.call(session.watcher.look, shard.name)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
