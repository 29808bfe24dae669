"""A load generator as a process of its own: some connections that ask one thing after the other.

``python benchmarks/load.py PORT SECONDS FILE``: FILE holds a JSON list with the targets of every
connection. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path


async def ask(
    port: int, targets: list[str], until: float, took: list[float], seen: Counter
) -> None:
    """Ask over one connection until the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for target in cycle(targets):
        began = time.perf_counter()
        if began > until:
            break
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(each for each in lines if each.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        took.append(time.perf_counter() - began)
        status = lines[0].split()[1].decode()
        seen[status] += 1
        for each in lines:
            if each.startswith(b"x-healing-strategy:") and not each.endswith(b" plain"):
                seen["healed"] += 1
            if each.startswith(b"cache-status:") and b"collapsed" in each:
                seen["collapsed"] += 1
    writer.close()


async def main(port: int, seconds: float, targets: list[list[str]]) -> None:
    """Ask over all connections; tell how it went."""
    took: list[float] = []
    seen: Counter[str] = Counter()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(ask(port, each, until, took, seen) for each in targets))
    took.sort()
    told = {
        "requests": len(took),
        "p50_us": 1e6 * took[len(took) // 2],
        "p99_us": 1e6 * took[len(took) * 99 // 100],
        "seen": seen,
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    import uvloop

    uvloop.run(
        main(int(sys.argv[1]), float(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text()))
    )
