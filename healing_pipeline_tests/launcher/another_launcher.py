"""A process that launches runs, as a daemon or a web server does; a script for tests.

``another_launcher.py HOME CODE_SERVER RUN_ID...`` says ``open``, launches all runs at once when it
is told to by a line, says ``launched``, and holds the zygote until its input ends.
"""

from __future__ import annotations

import sys
import threading

from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget


def main(home: str, code_server: str, *run_ids: str) -> None:
    target = GrpcServerTarget(host="localhost", port=None, socket=code_server, location_name="warm")
    with (
        DagsterInstance.from_config(home) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        context = workspace.create_request_context()
        print("open", flush=True)
        sys.stdin.readline()
        threads = [
            threading.Thread(target=instance.launch_run, args=(each, context)) for each in run_ids
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        print("launched", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
