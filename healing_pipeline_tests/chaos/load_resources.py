"""What processes hold: memory and file descriptors every few seconds, and whether they grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

EVERY_S = 5.0
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process, its children included, holds at a moment.

    Attributes
    ----------
    at : float
        Seconds since 1970.
    memory_mb : float
        Its proportional share: pages that processes share count once.
    cpu_s : float
        So far.
    kept_waiting_s : float
        So far: how long its main thread could have run and others had the cores.
    """

    at: float
    memory_mb: float
    descriptors: int
    cpu_s: float
    kept_waiting_s: float = 0.0


@dataclass
class Sampler:
    """Samples processes from a thread of its own until it is closed.

    Attributes
    ----------
    processes : Mapping
        The roots, by name.
    """

    processes: Mapping[str, psutil.Process]
    every_s: float = EVERY_S
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for name, process in self.processes.items():
                with suppress(psutil.NoSuchProcess):
                    self.samples.setdefault(name, []).append(sample(process))
            self._stopped.wait(self.every_s)


def sample(root: psutil.Process) -> Sample:
    """What a process and its children hold now."""
    memory = cpu_s = 0.0
    descriptors = 0
    for each in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            memory += each.memory_full_info().pss
            descriptors += each.num_fds()
            spent = each.cpu_times()
            cpu_s += spent.user + spent.system
    return Sample(time.time(), memory / MEGABYTE, descriptors, cpu_s, kept_waiting_s(root.pid))


def kept_waiting_s(pid: int) -> float:
    """How long a process's main thread has waited for a core; 0 where the system does not tell."""
    try:
        told = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(told[1]) / 1e9 if len(told) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more a process holds at the end of some time than at its beginning.

    Attributes
    ----------
    mean_mb : float
    share : float
        What the line of least squares rises by over the whole time, as a share of the mean.
    quarters : float
        The mean of the last quarter over that of the first, less one.
    descriptors : int
        The most of the last quarter less the most of the first.
    cpu_share : float
        Cores.
    kept_waiting : float
        The share of the time in which it waited for a core that others had: on a machine that is
        not busy it is small, and where it is not, seconds say more of the others than of it.
    """

    mean_mb: float
    share: float
    quarters: float
    descriptors: int
    cpu_share: float
    kept_waiting: float


def growth(samples: list[Sample], since: float) -> Growth | None:
    """How samples grew from a moment on; None where there are fewer than four."""
    found = [each for each in samples if each.at >= since]
    if len(found) < 4:
        return None
    times = [each.at - found[0].at for each in found]
    memory = [each.memory_mb for each in found]
    mean, middle = sum(memory) / len(memory), sum(times) / len(times)
    slope = sum((at - middle) * (mb - mean) for at, mb in zip(times, memory, strict=True)) / sum(
        (at - middle) ** 2 for at in times
    )
    part = max(1, len(found) // 4)
    first, last = found[:part], found[-part:]
    return Growth(
        mean_mb=mean,
        share=slope * times[-1] / mean,
        quarters=sum(each.memory_mb for each in last) / sum(each.memory_mb for each in first) - 1,
        descriptors=max(each.descriptors for each in last)
        - max(each.descriptors for each in first),
        cpu_share=(found[-1].cpu_s - found[0].cpu_s) / times[-1],
        kept_waiting=(found[-1].kept_waiting_s - found[0].kept_waiting_s) / times[-1],
    )
