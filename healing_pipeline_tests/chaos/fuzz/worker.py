"""Fuzzes one target in a process of its own: ``... chaos.fuzz.worker TARGET --inputs N``.

With atheris the inputs are led by which code they reach; without, they are changes of inputs that
look real. Either way the process writes what it saw into a file, and ends.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from random import Random

from healing_pipeline_tests.chaos.fuzz.mutation import LONGEST, mutated
from healing_pipeline_tests.chaos.fuzz.tally import Tally, arm
from healing_pipeline_tests.chaos.fuzz.target import Target

WRITTEN_EVERY = 5_000


def main() -> None:
    """Play what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--guided", action="store_true", help="by atheris, which has to be there")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    arm()
    if asked.guided:
        guided(asked.target, asked.inputs, asked.seed, asked.result)
    else:
        from healing_pipeline_tests.chaos.fuzz.targets import TARGETS

        played(TARGETS[asked.target], asked.inputs, asked.seed).write(asked.result, "mutations")


def played(target: Target, inputs: int, seed: int) -> Tally:
    """Play the inputs that look real and changes of them, `inputs` in all."""
    seeds, rng = list(target.seeds()), Random(seed)
    tally = Tally(target.name, target.open())
    for each in seeds[:inputs]:
        tally.play(each)
    while tally.inputs < inputs:
        tally.play(mutated(rng, rng.choice(seeds), seeds))
    return tally


def guided(name: str, inputs: int, seed: int, result: Path) -> None:
    """Play `inputs` inputs as libFuzzer chooses them; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["healing_pipeline"]):
        from healing_pipeline_tests.chaos.fuzz.targets import TARGETS

        target = TARGETS[name]
        seeds, tally = list(target.seeds()), Tally(name, target.open())
        # What is imported at its first use is instrumented as well.
        for each in seeds[:50]:
            tally.play(each)
    tally = Tally(name, tally.check, failures=tally.failures, inputs=tally.inputs)

    def play(data: bytes) -> None:
        tally.play(data)
        if tally.inputs % WRITTEN_EVERY == 0 or tally.inputs >= inputs:
            tally.write(result, "atheris")
        if tally.inputs >= inputs:
            # libFuzzer would end with what it thinks of leaks.
            os._exit(0)

    def change(data: bytes, longest: int, chance: int) -> bytes:
        rng = Random(chance)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        return mutated(rng, data, seeds)[:longest]

    folder = result.parent / f"{name}-inputs"
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(seeds):
        (folder / f"{number:05d}").write_bytes(each)
    options = (
        f"-seed={seed}",
        f"-max_len={LONGEST}",
        "-len_control=0",
        "-timeout=120",
        "-rss_limit_mb=2048",
        "-verbosity=0",
        f"-artifact_prefix={folder}/",
    )
    atheris.Setup([sys.argv[0], *options, str(folder)], play, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
