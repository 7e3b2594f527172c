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
) -> int:
    """Fuzz each kind of message, print what it took, and return the exit code."""
    n_found, begun = 0, time.perf_counter()
    per_kind = -(-n_inputs // len(decoders))
    print(f"seed {seed}, {per_kind} inputs of each kind of message")
    for kind, of_kind in decoders.items():
        begin = time.perf_counter()
        cost, findings = fuzz(kind, of_kind, seeds(kind), n_inputs=per_kind, seed=seed)
        rate = cost.n_inputs / (time.perf_counter() - begin)
        print(
            f"{kind:13} {rate:6.0f} inputs/s, {cost.n_taken / cost.n_inputs:5.1%} taken, "
            f"worst {1000 * cost.time_s:4.1f} ms, {cost.memory_bytes / (1 << 20):.2f} MiB, "
            f"{len(findings)} findings",
            flush=True,
        )
        for finding in findings:
            print(f"  {finding.fault}: {keep(finding, folder)}")
        n_found += len(findings)
    print(f"{per_kind * len(decoders)} inputs in {time.perf_counter() - begun:.0f} s")
    return 1 if n_found else 0


def run_live(*, n_messages: int, seed: int) -> int:
    """Send phones' messages through a running har-stream, print what came, return the exit code."""
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
    print(
        f"\r{outcome.n_messages} messages of {outcome.n_phones} phones with wild times, "
        f"{outcome.n_windows} windows, {len(outcome.differing)} phones differ, "
        f"{failures} failures, {time.perf_counter() - begun:.0f} s {outcome.fault}"
    )
    for device in outcome.differing:
        print(f"  {device}")
    return 1 if outcome.fault or outcome.differing or failures else 0


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for the decoders")
    parser.add_argument("--messages", type=int, default=1_000_000, help="for har-stream")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of a run to repeat")
    flags = parser.parse_args()
    warnings.simplefilter("error")
    code = run(DECODERS, n_inputs=flags.inputs, seed=flags.seed, folder=SEEDS)
    sys.exit(code | run_live(n_messages=flags.messages, seed=flags.seed))


if __name__ == "__main__":
    main()
