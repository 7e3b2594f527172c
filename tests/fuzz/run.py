"""`make fuzz`: decode a million inputs, tell what they cost, and keep those that break a limit.

The exit code is 1 if one did; it is then among the kept ones, for `test_fuzz` to fail until the
decoder is mended.
"""

import argparse
import hashlib
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fuzz.fuzzer import DECODERS, SEEDS, Decoder, Finding, fuzz, seeds


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


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of a run to repeat")
    flags = parser.parse_args()
    warnings.simplefilter("error")
    sys.exit(run(DECODERS, n_inputs=flags.inputs, seed=flags.seed, folder=SEEDS))


if __name__ == "__main__":
    main()
