"""``python -m healing_pipeline.launcher``: have warm processes ready, look at them, end them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.messages import ConnectionLostError, call
from healing_pipeline.launcher.processes import processes_of, stop
from healing_pipeline.launcher.settings import Settings

if TYPE_CHECKING:
    from dagster._core.origin import RepositoryPythonOrigin
    from dagster._grpc.client import DagsterGrpcClient

ANSWER_S = 2.0
PAUSE_S = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code."""
    given = _parser().parse_args(arguments)
    if given.command == "status":
        return _status(given.folder, given.json)
    if given.command == "stop":
        print(f"{stop(given.folder, given.grace)} processes ended")
        return 0
    return _start(given.hold_for, given.code_server, given.timeout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m healing_pipeline.launcher", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("folder", type=Path, help="the `folder` of the launcher's settings")

    status = commands.add_parser("status", parents=[folder], help="show zygote, templates and runs")
    status.add_argument("--json", action="store_true", help="as one JSON object")

    ends = commands.add_parser("stop", parents=[folder], help="end all of them, the runs too")
    ends.add_argument("--grace", type=float, default=3.0, metavar="S", help="until they are killed")

    start = commands.add_parser(
        "start", help="have everything ready for the first run of DAGSTER_HOME's instance"
    )
    start.add_argument(
        "--for",
        dest="hold_for",
        type=int,
        metavar="PID",
        help="keep it ready for as long as this process lives; else until launchers are gone",
    )
    start.add_argument(
        "--code-server",
        metavar="ADDRESS",
        help="socket, port or host:port of a code server whose locations are to be loaded",
    )
    start.add_argument("--timeout", type=float, default=60.0, metavar="S", help="give up then")
    return parser


def _status(folder: Path, as_json: bool) -> int:
    seen = _seen(folder)
    if as_json:
        print(json.dumps(seen))
    elif seen["zygote"] is None:
        print(f"no zygote answers in {seen['folder']}; processes: {seen['processes'] or 'none'}")
    else:
        print(f"zygote {seen['zygote']['pid']}, held by {seen['zygote']['launchers']}")
        for each in seen["templates"]:
            print(f"template {each['pid']}: {each['code']}")
            print(f"  waiting: {each['prewarmed'] or 'none'}; runs: {each['runs'] or 'none'}")
    return 0 if seen["zygote"] is not None else 1


def _seen(folder: Path) -> dict[str, Any]:
    settings = Settings(folder=str(usable_folder(folder)))
    zygote = _asked(settings.socket)
    held: dict[str, str | None] = {} if zygote is None else zygote.pop("templates")
    templates = [
        {**answer, "code": json.loads(origin)["code_pointer"]}
        for origin, path in held.items()
        if path is not None and (answer := _asked(Path(path))) is not None
    ]
    return {
        "folder": settings.folder,
        "zygote": zygote,
        "templates": templates,
        "processes": sorted(each.pid for each in processes_of(folder)),
        "log": str(settings.log),
    }


def _asked(path: Path) -> dict[str, Any] | None:
    try:
        answer, channel = call(path, {"op": "status"}, ANSWER_S)
    except ConnectionLostError:
        return None
    channel.close()
    return dict(answer)


def _start(hold_for: int | None, code_server: str | None, timeout_s: float) -> int:
    # Only here: a look or a stop need not wait for Dagster.
    from dagster import DagsterInstance

    from healing_pipeline.launcher.hold import WarmUnavailableError
    from healing_pipeline.launcher.warm_run_launcher import WarmRunLauncher

    until = time.monotonic() + timeout_s
    with DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, WarmRunLauncher):
            print("dagster.yaml has no `run_launcher:` block with WarmRunLauncher", file=sys.stderr)
            return 1
        try:
            launcher.ready(until - time.monotonic())
            if hold_for is not None:
                launcher.hold_for(hold_for, until - time.monotonic())
            for code in [] if code_server is None else _locations(code_server, until):
                launcher.prepare(code, until - time.monotonic())
                print(f"ready: {code.code_pointer.describe()}")
        except (WarmUnavailableError, TimeoutError) as error:
            print(f"not ready: {error}", file=sys.stderr)
            return 1
    return 0


def _locations(address: str, until: float) -> list[RepositoryPythonOrigin]:
    """What a code server has loaded, as its runs will name it; waits for one that is starting.

    Raises
    ------
    TimeoutError
        If it does not answer in time.
    """
    from dagster._api.list_repositories import sync_list_repositories_grpc
    from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
    from dagster._core.origin import RepositoryPythonOrigin

    client = _client(address)
    while True:
        try:
            found = sync_list_repositories_grpc(client)
            break
        except (DagsterUserCodeUnreachableError, DagsterUserCodeProcessError) as error:
            if time.monotonic() > until:
                raise TimeoutError(f"the code server at {address}: {error}") from error
            time.sleep(PAUSE_S)
    return [
        RepositoryPythonOrigin(
            executable_path=found.executable_path or sys.executable,
            code_pointer=pointer,
            container_image=found.container_image,
            entry_point=found.entry_point,
            container_context=found.container_context,
        )
        for pointer in found.repository_code_pointer_dict.values()
    ]


def _client(address: str) -> DagsterGrpcClient:
    from dagster._grpc.client import DagsterGrpcClient

    host, _, port = address.rpartition(":")
    if port.isdigit():
        return DagsterGrpcClient(host=host or "localhost", port=int(port))
    return DagsterGrpcClient(socket=address)


if __name__ == "__main__":
    sys.exit(main())
