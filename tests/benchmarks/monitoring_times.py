"""har-stream with a clock on what is done for its monitoring alone, as in `stage_times`.

The loop's part are two stages; the answers, on threads of their own, are timed one by one.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.commands.monitoring.server import StatusServer
from tests.benchmarks.stage_clock import StageClock
from tests.benchmarks.stage_times import Place, run

STAGES: Final[Mapping[str, tuple[Place, ...]]] = {
    "count": (
        Place("pipeline.commands.stream.latencies", "Latencies"),
        Place("pipeline.commands.stream.metrics", "Ticks"),
    ),
    "publish": (Place("pipeline.commands.monitoring.monitor", "Monitor", "turn|status"),),
}


def main() -> None:
    """Run har-stream with the flags after the first, which names the file for the notes."""
    answers_s: list[float] = []
    answer = StatusServer.process_request_thread

    def timed(server: StatusServer, *args: Any) -> None:  # noqa: ANN401
        answer(server, *args)
        answers_s.append(time.thread_time())  # the thread has done nothing else

    setattr(StatusServer, "process_request_thread", timed)  # noqa: B010
    file = Path(sys.argv.pop(1))
    run(file, StageClock(), STAGES, more=lambda: {"answers": list(answers_s)})


if __name__ == "__main__":
    main()
