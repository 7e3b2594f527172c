"""That phones do not get in one another's way, whatever they are called and whatever they send.

Names that look alike, begin alike or mean something elsewhere are the phones here. Which names
there can be is tested in test_device_names.py, what a broker's rights add in tests/deploy.
"""

import ast
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.commands.stream.homeassistant import discovery, object_id
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, MessageError, Readings, check_device
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Recognised
from pipeline.recordings import journals, parquet
from pipeline.recordings.header import Header
from pipeline.subscriptions import parse, route
from pipeline.vocabulary import ACTIVITIES, CHANNELS
from tests.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

PIPELINE = Path(__file__).parents[2] / "pipeline"
EPOCH = 1698501144.4
HOP = 64
NATIVE = [parse("har/+/samples=native")]

OF_HAR_STREAM = {"har/status", "har/load", "har/info"}
"""Topics that are no phone's"""
RETAINED = {"activity", "availability", "info"}
KINDS = {"prediction", "episode", *RETAINED}

NAMES = (
    *("a", "A", "aa", "a.b", "a_b", "a b", "a-b", "a$b", "a\\b", "a%2fb", "á", "a\u0301", " a"),
    *(".", "..", "...", "%2e%2e", "~", "-rf", "{device}", "%s", "(a)", "[a]", "'a'", '"a"'),
    *("har", "status", "samples", "activity", "null", "__proto__", "0", "手机 📱", "a\u200b"),
    *("\u202ea", "x" * 63, "x" * 64, "📱" * 64),
)
"""Phones that begin alike or look alike, and words that mean something elsewhere"""


def usable(name: str) -> bool:
    """Return whether a phone may be called so."""
    try:
        check_device(name)
    except MessageError:
        return False
    return True


@st.composite
def families(draw: st.DrawFn) -> list[str]:
    """Return two to four names of phones, the others made of the first."""
    first = draw(st.sampled_from(NAMES) | st.text(min_size=1, max_size=64).filter(usable))
    letter = st.sampled_from("a._- %\u0301\u200bé📱")
    made = [
        *(first + draw(letter), draw(letter) + first, first[1:], first[:-1], first + first),
        *(first.upper(), first.lower(), quote(first), re.sub(r"\W", "_", first)),
        *(re.sub(r"\W", draw(letter), first), re.sub(r"\W", draw(letter), first)),
        *(first.ljust(63, first[-1]), first.ljust(64, first[-1])),
        *(unicodedata.normalize("NFC", first), unicodedata.normalize("NFKD", first)),
        draw(st.sampled_from(NAMES)),
    ]
    others = [name for name in dict.fromkeys(made) if usable(name) and name != first]
    assume(others)
    return [first, *draw(st.lists(st.sampled_from(others), min_size=1, max_size=3, unique=True))]


def test_the_names_here() -> None:
    """Every phone of these tests may be called so, and no two are called the same."""
    assert len(NAMES) == len(set(NAMES))
    assert all(map(usable, NAMES))


# What is recognised


def moving(n_samples: int, seed: int) -> NDArray[np.float64]:
    """Return prepared samples ``(n_samples, 9)`` that no other seed gives."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, 9)) * 0.3 + rng.normal(size=9) * 0.3


def message(device: str, rows: NDArray[np.float64], *, start: float) -> tuple[str, bytes]:
    """Return topic and payload of a message of a phone's rows at 50 Hz."""
    content = {"start": start, "rate": 50.0, "channels": CHANNELS, "samples": rows.tolist()}
    return f"har/{device}/samples", json.dumps(content).encode()


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


class Results:
    """What was recognised of each phone."""

    def __init__(self, classifier: Classifier) -> None:
        """Begin with a recognizer of few slots, so that phones follow each other in them."""
        self._recognizer = Recognizer(classifier, hop=HOP, max_devices=4)
        self.of: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
        """Each phone's results, by kind"""
        self.probabilities: defaultdict[str, list[NDArray[np.float32]]] = defaultdict(list)
        """Those of each phone's predictions, which company may change in the last digit"""

    def push(self, *messages: tuple[str, bytes]) -> None:
        """Take a tick's messages."""
        tick: list[Readings] = []
        for topic, payload in messages:
            found = route(NATIVE, topic)
            assert found is not None
            tick += [one for one in found.decode(payload) if isinstance(one, Readings)]
        for one in tick:
            self._recognizer.admit(one.device)
        self._note(self._recognizer.push([Delivery([one]) for one in tick]))

    def forget(self, device: str) -> None:
        """Let a phone fall silent for long, if it has sent anything."""
        if device in self._recognizer.devices:
            self._note(self._recognizer.finish([device]))
            self._recognizer.forget([device])

    def _note(self, recognised: Recognised) -> None:
        for one in recognised.predictions:
            activity = ACTIVITIES[one.label]
            self.of[one.device].append(("prediction", activity, one.start, one.end))
            self.probabilities[one.device].append(one.probabilities)
        for device, change in recognised.changes:
            self.of[device].append(("activity", change.activity, change.since))
        for device, episode in recognised.episodes:
            self.of[device].append(("episode", episode.activity, episode.start, episode.end))
        for device, problems in recognised.problems:
            self.of[device].append(("problems", *problems))
        for device, n_dropped in recognised.dropped.items():
            self.of[device].append(("dropped", n_dropped))


@given(
    families(),
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["send", "send", "send", "repeat", "go"])),
        min_size=8,
        max_size=25,
    ),
    st.integers(1, 4),
)
@settings(max_examples=100)
def test_what_is_recognised_is_of_the_phone(
    classifier: Classifier, names: list[str], acts: list[tuple[int, str]], n_messages: int
) -> None:
    """Whatever phones are called and do, each one's results are those that it has alone."""
    together = Results(classifier)
    alone = {name: Results(classifier) for name in names}
    sent = dict.fromkeys(names, 0)
    waiting: list[tuple[str, bytes]] = []

    def push() -> None:
        together.push(*waiting)
        for name in names:
            alone[name].push(*[one for one in waiting if one[0] == f"har/{name}/samples"])
        waiting.clear()

    for number, what in acts:
        name = names[number % len(names)]
        if what == "go":
            push()
            together.forget(name)
            alone[name].forget(name)
            continue
        if what == "repeat":
            sent[name] = max(sent[name] - 1, 0)
        rows = moving(128, seed=100 * names.index(name) + sent[name])
        waiting.append(message(name, rows, start=EPOCH + 2.56 * sent[name]))
        sent[name] += 1
        if len(waiting) >= n_messages:
            push()
    push()

    assert set(together.of) <= set(names)
    for name in names:
        assert set(alone[name].of) <= {name}
        assert alone[name].of[name] == together.of[name]
        np.testing.assert_allclose(
            together.probabilities[name], alone[name].probabilities[name], rtol=0, atol=1e-5
        )


# What is published


@pytest.fixture
def join(own_mosquitto: "Mosquitto") -> Iterator[Callable[[], Phone]]:
    """A function that connects a client until the test ends."""
    clients: list[Phone] = []

    def connect() -> Phone:
        clients.append(Phone(own_mosquitto))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def start_of(device: str) -> float:
    """Return when a phone of `NAMES` begins to send; hours pass before the next one does."""
    return EPOCH + 10_000 * NAMES.index(device)


def as_recognised(kind: str, payload: bytes) -> tuple[object, ...]:
    """Return a result as `Results` has it."""
    told = json.loads(payload)
    times = [told[key] for key in ("start", "since", "end") if key in told]
    return kind, told["activity"], *(pytest.approx(time, abs=2e-6) for time in times)


@pytest.mark.broker
def test_what_is_published_is_of_the_phone(
    own_mosquitto: "Mosquitto",
    start_command: "Callable[..., Running]",
    tiny_model: Path,
    classifier: Classifier,
    join: Callable[[], Phone],
) -> None:
    """Of phones with odd names, all at once, each topic holds its own phone's results alone.

    The topic is ``har/<device>/<kind>``, the payload names the same device, and says what the
    phone's samples give alone. One phone's calibration is no other's. What the broker retains of a
    phone is what was said of it last. Home Assistant sees as many devices.
    """
    own_mosquitto.start()
    phone = join()
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--model", str(tiny_model), "--hop", str(HOP),
        "--home-assistant", "--offline-after", "1", "--heartbeat", "3600",
    )  # fmt: skip
    own_mosquitto.await_har_stream()
    rotation = {"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}
    phone.publish("har/a/calibration", json.dumps(rotation), retain=True)
    expected = Results(classifier)
    for seed, name in enumerate(NAMES):
        topic, payload = message(name, moving(512, seed), start=start_of(name))
        phone.publish(topic, payload)
        expected.push((topic, payload))
        expected.forget(name)
    for name in NAMES:
        while (f"har/{name}/availability", b"offline", False) not in phone.taken:
            phone.await_message(f"har/{name}/availability", b"offline")
    assert 0 == running.end()
    while ("har/status", b"offline", False) not in phone.taken:
        phone.await_message("har/status", b"offline")

    heard = [(topic, payload) for topic, payload, _ in phone.taken]
    inputs = {"har/a/calibration", *(f"har/{name}/samples" for name in NAMES)}
    results: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for topic, payload in heard:
        if topic.startswith("har/") and topic not in OF_HAR_STREAM | inputs:
            _, device, kind = topic.split("/")
            results[device].append((kind, payload))
    assert set(NAMES) == set(results)
    for name in NAMES:
        assert KINDS == {kind for kind, _ in results[name]}, name
        said = [one for one in results[name] if one[0] == "availability"]
        assert [("availability", b"online"), ("availability", b"offline")] == said
        told = [json.loads(payload) for kind, payload in results[name] if kind != "availability"]
        assert {one["device"] for one in told} == {name}
        frames = {one["frame"] for one in told if "frame" in one}
        assert frames == {"calibrated" if name == "a" else "landscape"}
        for kind in ("prediction", "activity", "episode"):
            found = [as_recognised(*one) for one in results[name] if one[0] == kind]
            assert found == [one for one in expected.of[name] if one[0] == kind]
        probabilities = [
            list(one["probabilities"].values()) for one in told if "probabilities" in one
        ]
        np.testing.assert_allclose(probabilities, expected.probabilities[name], rtol=0, atol=1e-5)

    late = join()  # what comes now is retained, but for the last
    late.publish("har/end", b"")
    late.await_message("har/end")
    latest = dict(heard)
    topics = {f"har/{name}/{kind}" for name in NAMES for kind in RETAINED}
    announced = {discovery(name, [], version="", heartbeat_s=1)[0] for name in NAMES}
    assert len(announced) == len(NAMES)
    retained = {topic: payload for topic, payload, was_retained in late.taken if was_retained}
    assert retained.pop("har/a/calibration") == latest["har/a/calibration"]
    assert {topic: retained[topic] for topic in set(retained) - OF_HAR_STREAM} == {
        topic: latest[topic] for topic in topics | announced
    }
    devices = [json.loads(latest[topic])["device"] for topic in announced]
    assert {device["name"] for device in devices} == set(NAMES)


# What names become elsewhere


@given(families())
@settings(max_examples=300)
def test_home_assistant_knows_them_apart(names: list[str]) -> None:
    """However alike names are, their identifiers and topics in Home Assistant are different."""
    assert len({object_id(name) for name in names}) == len(names)
    topics, identifiers = set(), set()
    for name in names:
        topic, payload = discovery(name, ACTIVITIES, version="1", heartbeat_s=10.0)
        content: dict[str, Any] = msgspec.json.decode(payload)
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
        topics.add(topic)
        identifiers.update(content["device"]["identifiers"])
        identifiers.update(one["unique_id"] for one in content["components"].values())
        states = [one["state_topic"] for one in content["components"].values()]
        assert {f"har/{name}/activity"} == set(states)
        assert {"topic": f"har/{name}/availability"} in content["availability"]
    assert (len(topics), len(identifiers)) == (len(names), 3 * len(names))


def recording_of(device: str, folder: Path) -> tuple[Path, Path]:
    """Record a sample of a device; return the file while it is written, and when it is done."""
    header = Header(
        device=device, format="native", clock="epoch", convention="android",
        convention_from="setting", created="2026-11-23T15:22:00.123Z", software="",
    )  # fmt: skip
    journal = journals.Journal(folder, header)
    # What cannot be read for its device's name is written all the same
    journal.append(0, Readings("phone", np.array([EPOCH]), np.zeros((1, 6))))
    path = journal.close()
    assert path is not None
    return journal.path, path


@given(
    families(),
    st.text(st.sampled_from("./\\\0\n~ ab"), max_size=80)
    | st.sampled_from(["../../x", "/etc/passwd", "..", "a/../../b", "C:\\x", "~/x", "\0"]),
)
@settings(max_examples=40)
def test_recordings_stay_in_their_folder(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], impossible: str
) -> None:
    """Whatever phones are called, also what none can be, each one's file is its own, and there."""
    above = tmp_path_factory.mktemp("above")
    folder = above / "recordings"
    devices = dict.fromkeys([*names, impossible])
    paths = {}
    for device in devices:
        journal, paths[device] = recording_of(device, folder)
        assert {folder} == {journal.parent, paths[device].parent}
        assert len(paths[device].name.encode()) <= 255
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.parquet", paths[device].name)
    assert sorted(paths.values()) == sorted(folder.iterdir())
    assert [folder] == list(above.iterdir())
    for device in names:
        assert parquet.read(paths[device]).header.device == device


def test_reasons_are_no_words_of_the_sender() -> None:
    """Messages are counted by reasons that stand in the source: no message can make another."""
    n_errors = 0
    for file in sorted(PIPELINE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "MessageError"
            ):
                n_errors += 1
                reason = node.args[0]
                assert isinstance(reason, ast.Constant), f"{file.name}:{node.lineno}"
                assert re.fullmatch("[a-z]+", reason.value), f"{file.name}:{node.lineno}"
    assert n_errors > 30
