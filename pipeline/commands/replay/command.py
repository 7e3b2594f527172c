"""The command har-replay: recordings played as phones, and how well they were recognised."""

import logging
import math
import sys
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.commands import log
from pipeline.commands.program_info import DEFAULT_HOP
from pipeline.commands.replay.awaited_stream import HarStream, await_har_stream
from pipeline.commands.replay.replay import Replay
from pipeline.commands.replay.report import print_report, report
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.replay.sources import read
from pipeline.commands.stream.settings import StreamSettings
from pipeline.mqtt.connection import Connection
from pipeline.program_topics import INFO_TOPIC, STATUS_TOPIC
from pipeline.recordings.recording import DataError
from pipeline.settings import from_command_line

MAX_BEHIND_S: Final[float] = StreamSettings.model_fields["max_behind"].default
"""Beyond this, har-stream has no activity now unless it is set otherwise"""
STATUS_TIMEOUT_S: Final = 1.0
"""A replay that need not wait for predictions waits so long for har-stream."""


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(ReplaySettings)
    log.configure(settings.log_format, logging.WARNING, "har-replay: %(message)s")
    console = Console()
    try:
        recordings = read(settings)
    except DataError as error:
        sys.exit(f"har-replay: {error}")
    listens = settings.wait or settings.speed == "max"
    topics = ["har/+/prediction", STATUS_TOPIC, INFO_TOPIC] if listens else []
    connection = Connection(settings, name="har-replay", subscriptions=topics, optional=topics[2:])
    har_stream = HarStream()
    try:
        connection.start(retry=False)
        if listens:
            har_stream = await_har_stream(
                connection,
                timeout_s=settings.timeout if settings.wait else STATUS_TIMEOUT_S,
                is_hop_needed=settings.hop is None,
            )
    except ConnectionError as error:
        sys.exit(f"har-replay: {error}")
    if settings.wait and not har_stream.is_online:
        connection.close(timeout_s=1.0)
        sys.exit(f"har-replay: no har-stream on {connection.address}; start it before replaying")
    hop = settings.hop or har_stream.hop or DEFAULT_HOP
    replay = Replay(settings, recordings, connection, hop=hop, har_stream=har_stream)
    replay.start_receiving()
    console.print(
        f"{settings.recording}: {replay.n_phones} phones, {replay.n_samples} samples, "
        f"speed {settings.speed}"
    )
    if settings.speed != "max" and replay.behind_s > MAX_BEHIND_S:
        console.print(
            f"The samples begin {replay.behind_s:.0f} s ago and end now, as speed "
            f"{settings.speed:g} has it. To har-stream they are of now from the last "
            f"{MAX_BEHIND_S:.0f} s on; for all of them, start it with "
            f"--max-behind {math.ceil(replay.behind_s + MAX_BEHIND_S)}",
            soft_wrap=True,
        )
    failure = None
    try:
        with Progress(
            TextColumn("replaying"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress:
            task = progress.add_task("", total=replay.n_samples)
            for message in replay.send():
                progress.advance(task, message.n_samples)
        replay.finish(wait=settings.wait)
    except (TimeoutError, ConnectionError) as error:
        failure = str(error)
    except KeyboardInterrupt:
        failure = "interrupted"
    replay.give_back()
    connection.close(timeout_s=settings.timeout)
    if settings.wait:
        result = report(replay)
        print_report(result, console, n_unexpected=replay.windows.n_unexpected)
        if settings.report is not None:
            try:
                settings.report.write_bytes(
                    msgspec.json.format(msgspec.json.encode(result)) + b"\n"
                )
            except OSError as error:
                failure = failure or f"report = {str(settings.report)!r}: {error.strerror}"
    if failure:
        sys.exit(f"har-replay: {failure}")
