"""`make fuzz`: decode a million inputs, and send a million messages with wild times to har-stream.

What breaks a limit of the decoders is kept, for `test_fuzz` to fail until the decoder is mended; of
phones of which har-stream finds other windows than its core does offline, the name is printed. The
exit code is 1 if there was any of either.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.models.classifier import find_model
from tests.benchmarks.figures import (
    Figure,
    conditions,
    print_conditions,
    show,
    write_figures,
)
from tests.brokers import Mosquitto
from tests.fuzz import live
from tests.fuzz.fuzzer import DECODERS, SEEDS, Decoder, Finding, fuzz, seeds
from tests.processes import command_line


def keep(finding: Finding, folder: Path) -> Path:
    """Write an input down as one of the kept ones and return its file."""
    digest = hashlib.sha256(finding.payload).hexdigest()[:12]
    file = folder / f"{finding.kind}-found-{digest}"
    file.write_bytes(finding.payload)
    return file


def run(
    decoders: Mapping[str, Sequence[Decoder]], *, n_inputs: int, seed: int, folder: Path
) -> tuple[list[Figure], bool]:
    """Fuzz each kind of message; return what it took, and whether nothing broke a limit.

    What did is kept in the folder.
    """
    figures: list[Figure] = []
    is_well = True
    per_kind = -(-n_inputs // len(decoders))
    for kind, of_kind in decoders.items():
        begin = time.perf_counter()
        cost, findings = fuzz(kind, of_kind, seeds(kind), n_inputs=per_kind, seed=seed)
        figures.append(
            Figure(
                "fuzz",
                f"{kind}: wrong messages decoded",
                cost.n_inputs / (time.perf_counter() - begin),
                "a second",
                detail=f"{cost.n_inputs:,}; {cost.n_taken / cost.n_inputs:.1%} taken; the worst "
                f"{1000 * cost.time_s:.1f} ms, {cost.memory_bytes / (1 << 20):.2f} MiB; "
                f"{len(findings)} findings",
            )
        )
        show(figures[-1:])
        for finding in findings:
            print(f"  {finding.fault}: {keep(finding, folder)}")
        is_well &= not findings
    return figures, is_well


def run_live(*, n_messages: int, seed: int) -> tuple[list[Figure], bool]:
    """Send phones' messages through a running har-stream.

    Return what came, and whether that is what its core makes of them.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = Mosquitto(folder, persistence=True)
        broker.start()
        stack.callback(broker.stop)

        def start(command: str, *flags: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((folder / "log").open("wb"))
            process = subprocess.Popen(
                [*command_line(command), *broker.flags, *flags], stdout=log, stderr=log
            )
            broker.await_har_stream()
            return process

        outcome = live.run(
            broker=broker,
            start=start,
            model=find_model("cnn-lstm"),
            n_messages=n_messages,
            seed=seed,
            tell=lambda line: print(f"\r{line}", end="", flush=True),
        )
        log_text = (folder / "log").read_text()
        failures = log_text.count("har-stream failed on")
        if outcome.fault:
            print(log_text[-4000:])
    figure = Figure(
        "fuzz",
        "messages with wild times recognised",
        outcome.n_messages / (time.perf_counter() - begun),
        "a second",
        detail=f"{outcome.n_messages:,} of {outcome.n_phones:,} phones, {outcome.n_windows:,} "
        f"windows; {len(outcome.differing)} phones differ from offline, {failures} failures",
    )
    print("\r", end="")
    show([figure])
    for device in outcome.differing:
        print(f"  {device}")
    if outcome.fault:
        print(f"  {outcome.fault}")
    return [figure], not (outcome.fault or outcome.differing or failures)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for the decoders")
    parser.add_argument("--messages", type=int, default=1_000_000, help="for har-stream")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of a run to repeat")
    parser.add_argument("--json", type=Path, help="file for all figures")
    flags = parser.parse_args()
    warnings.simplefilter("error")
    found = conditions()
    print_conditions(found)
    print(f"seed {flags.seed}")
    decoded, decodes_well = run(DECODERS, n_inputs=flags.inputs, seed=flags.seed, folder=SEEDS)
    recognised, runs_well = run_live(n_messages=flags.messages, seed=flags.seed)
    if flags.json is not None:
        write_figures(flags.json, found, [*decoded, *recognised])
    sys.exit(0 if decodes_well and runs_well else 1)


if __name__ == "__main__":
    main()
