from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.mqtt.allowances import BACKLOG, BACKLOG_S, MOST_PER_S, UNIT_BYTES, total_units
from pipeline.mqtt.inbox import ALWAYS, Inbox, Owner, fair_share


def messages(
    topic: str, n: int, *, first: int = 0, qos: int = 0, n_units: int = 1
) -> list[Message]:
    """Return numbered messages on a topic, of so many units each."""
    padding = b" " * (n_units - 1) * UNIT_BYTES
    return [
        Message(topic, b"%d" % number + padding, 0.0, number + 1 if qos else 0)
        for number in range(first, first + n)
    ]


SOON = 200
"""Messages that are soon worked through"""


def take(inbox: Inbox, *, elapsed_s: float = 1.0) -> list[Message]:
    """Return the messages that are next, after a while in which nobody was limited."""
    return inbox.take(elapsed_s=elapsed_s, soon=SOON)


def everything(inbox: Inbox) -> list[Message]:
    """Return all that waits, in as many goes as it takes."""
    taken = []
    while len(inbox):
        taken += take(inbox)
    return taken


def numbers(taken: list[Message], topic: str) -> list[int]:
    """Return the numbers of a topic's messages among those taken."""
    return [int(message.payload) for message in taken if message.topic == topic]


def test_few_messages_come_as_they_arrived() -> None:
    """While there is no crowd, all are taken at once in their order."""
    inbox = Inbox(limit=100, most=10)
    arrived = [*messages("a", 2), *messages("b", 3), *messages("a", 2, first=2)]
    inbox.put(arrived)
    assert arrived == take(inbox)
    assert (0, []) == (len(inbox), take(inbox))


def test_nobody_is_limited_while_there_is_little() -> None:
    """One topic alone gets all, as long as all together is soon worked through."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put([*messages("busy", SOON - 3), *messages("a", 3)])
    assert SOON == len(take(inbox))


def test_one_that_floods() -> None:
    """When there is too much, the topic with very many gets what the others leave; they get all."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put([*messages("flood", 700), *messages("a", 3), *messages("b", 2)])
    taken = take(inbox)
    assert (3, 2) == (len(numbers(taken, "a")), len(numbers(taken, "b")))
    assert list(range(SOON - 5)) == numbers(taken, "flood")
    assert 705 - SOON == len(inbox)
    assert list(range(SOON - 5, 2 * SOON - 5)) == numbers(take(inbox), "flood")


def test_one_that_floods_in_a_crowd() -> None:
    """Where the others leave nothing, it gets as much as one of them would."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put(messages("flood", 100))
    for number in range(SOON):
        inbox.put(messages(f"phone-{number}", 1))
    taken = take(inbox)
    assert SOON + ALWAYS == len(taken)
    assert list(range(ALWAYS)) == numbers(taken, "flood")


def test_more_than_any_phone_sends() -> None:
    """At QoS 0 one topic gets no more through than a phone might send, though nobody else does."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put(messages("flood", 100))
    taken = take(inbox, elapsed_s=0.02)
    assert list(range(round(0.02 * MOST_PER_S))) == numbers(taken, "flood")
    assert not inbox.backlogged
    assert ALWAYS == len(take(inbox, elapsed_s=0.0))


def test_what_is_too_much_for_a_phone_does_not_age() -> None:
    """Of what one topic sends beyond that a second's messages wait; older ones are dropped."""
    inbox = Inbox(limit=20_000, most=500)
    inbox.put(messages("flood", 2 * MOST_PER_S))
    n = round(0.02 * MOST_PER_S)
    taken = numbers(take(inbox, elapsed_s=0.02), "flood")
    assert list(range(MOST_PER_S - n, MOST_PER_S)) == taken
    assert {"flood": MOST_PER_S - n} == inbox.dropped
    assert MOST_PER_S == len(inbox)


def test_what_cannot_be_dropped_is_taken_soon() -> None:
    """At QoS 1 it gets all; and when there is too much, it is not waited before the next go."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put(messages("flood", SOON, qos=1))
    assert SOON == len(take(inbox, elapsed_s=0.0))
    inbox.put(messages("flood", SOON + 1, qos=1))
    assert SOON == len(take(inbox, elapsed_s=0.0))
    assert inbox.backlogged
    assert 1 == len(take(inbox, elapsed_s=0.0))
    assert not inbox.backlogged


def test_an_owner_keeps_the_order_of_its_topics() -> None:
    """What says how a phone's samples are processed stays where it came, in a crowd as well."""
    inbox = Inbox(limit=1000, most=500, owner_of=lambda topic: Owner(topic[0]))
    own = [*messages("a/samples", 50), *messages("a/calibration", 1), *messages("a/samples", 50)]
    inbox.put(own[:51])
    inbox.put(messages("b", 900, qos=1))
    inbox.put(own[51:])
    taken = everything(inbox)
    assert own == [message for message in taken if message.topic.startswith("a")]


def test_without_shares() -> None:
    """Whoever wants all that there is gets it at once."""
    inbox = Inbox(limit=1000, most=None)
    inbox.put([*messages("a", 500), *messages("b", 500, qos=1)])
    assert 1000 == len(take(inbox))


def test_the_oldest_that_waits() -> None:
    """Of each topic that has something waiting it is known when that has come."""
    inbox = Inbox(limit=1000, most=10)
    inbox.put([Message("a", b"", float(n)) for n in range(15)])
    take(inbox)
    inbox.put([Message("a", b"", 20.0), Message("b", b"", 21.0), Message("b", b"", 22.0)])
    assert {"a": 10.0, "b": 21.0} == inbox.oldest()
    everything(inbox)
    assert {} == inbox.oldest()


def test_a_crowd_is_served_fairly() -> None:
    """When all together have too many, each gets the same."""
    inbox = Inbox(limit=1000, most=20)
    for topic in "abcdefgh":
        inbox.put(messages(topic, 5))
    taken = take(inbox)
    assert all(numbers(taken, topic) == [0, 1] for topic in "abcdefgh")


def test_a_topic_that_phones_share() -> None:
    """Where the topic does not tell the phone, it gets much more than one phone."""
    inbox = Inbox(
        limit=5000, most=1000, owner_of=lambda topic: Owner(topic, topic == "sensor-logger")
    )
    inbox.put([*messages("sensor-logger", 900), *messages("flood", 900), *messages("a", 3)])
    taken = take(inbox)
    expected = {"sensor-logger": 500, "flood": (SOON - 3) // 2, "a": 3}
    assert expected == {topic: len(numbers(taken, topic)) for topic in expected}


def test_the_oldest_of_the_flood_is_dropped() -> None:
    """Beyond the limit the topic with most messages loses its oldest, and it is counted."""
    inbox = Inbox(limit=100, most=1000)
    inbox.put([*messages("a", 10), *messages("flood", 200), *messages("b", 10)])
    taken = everything(inbox)
    assert list(range(10)) == numbers(taken, "a") == numbers(taken, "b")
    assert list(range(130, 200)) == numbers(taken, "flood")
    assert Counter({"flood": 130}) == inbox.dropped


def test_a_flood_drops_none_of_another_topic() -> None:
    """A calibration at QoS 0 stays in its place in the flood of its own phone's samples."""
    for limit in (100, 20_000):
        inbox = Inbox(limit=limit, most=1000, owner_of=lambda _: Owner("a"))
        inbox.put([*messages("samples", 100), *messages("calibration", 1)])
        inbox.put(messages("samples", 4000, first=100))
        topics = []
        while len(inbox):
            topics += [message.topic for message in take(inbox, elapsed_s=0.02)]
        assert 1 == topics.count("calibration")
        assert inbox.dropped["samples"] == 4100 - topics.count("samples") > 0


def test_an_owner_of_very_many_topics() -> None:
    """It has no more waiting than another."""
    inbox = Inbox(limit=100, most=1000, owner_of=lambda _: Owner("a"))
    for number in range(500):
        inbox.put(messages(str(number), 1))
        assert len(inbox) <= 100


def test_what_the_broker_can_keep_is_not_dropped() -> None:
    """At QoS 1 nothing is lost: it is not acknowledged, and so the broker stops sending."""
    inbox = Inbox(limit=100, most=1000)
    inbox.put(messages("a", 500, qos=1))
    taken = everything(inbox)
    assert list(range(500)) == numbers(taken, "a")
    assert not inbox.dropped


def test_a_backlog_is_taken_whole() -> None:
    """However fast it comes at QoS 1, what a phone has gathered for hours is not dropped."""
    inbox = Inbox(limit=5000, most=2000)
    inbox.put(messages("backlog", BACKLOG, qos=1))
    taken: list[Message] = []
    n_a = 0
    while len(inbox):
        inbox.put(messages("a", 1, first=n_a, qos=1))
        taken += take(inbox, elapsed_s=0.02)
        n_a += 1
    assert list(range(n_a)) == numbers(taken, "a")
    assert list(range(BACKLOG)) == numbers(taken, "backlog")
    assert not inbox.dropped
    assert not inbox.limited


def test_a_flood_that_the_broker_could_keep() -> None:
    """At QoS 1 too a flood loses what is older than a second; it is named, and all counted."""
    inbox = Inbox(limit=20_000, most=2000)
    sent, n_a, taken = 0, 0, []
    for _ in range(200):  # 4 s
        inbox.put(messages("flood", 400, first=sent, qos=1))
        inbox.put(messages("a", 1, first=n_a, qos=1))
        sent, n_a = sent + 400, n_a + 1
        now = take(inbox, elapsed_s=0.02)
        assert [n_a - 1] == numbers(now, "a")
        taken += now
    assert {"flood"} == set(inbox.dropped) == inbox.limited == inbox.busy
    assert Counter(message.topic for message in inbox.surplus) == inbox.dropped
    came = numbers(taken, "flood")
    assert sorted(set(came)) == came
    assert sent == len(came) + inbox.dropped["flood"] + len(inbox)
    assert len(inbox) <= MOST_PER_S
    assert len(came) <= BACKLOG + 4 * MOST_PER_S


def test_a_flood_leaves_room_for_others() -> None:
    """Of what may wait it has a quarter at most."""
    inbox = Inbox(limit=1000, most=2000)
    for _ in range(100):
        inbox.put(messages("flood", 1000, qos=1))
        take(inbox, elapsed_s=0.02)
    assert 250 == len(inbox)


def test_a_flood_in_a_crowd() -> None:
    """It is dropped too where nobody gets as many as a phone may send."""
    inbox = Inbox(limit=20_000, most=2000)
    for number in range(100):
        inbox.put(messages("flood", 1000, qos=1))
        for phone in range(500):
            inbox.put(messages(f"phone-{phone}", 1, first=number, qos=1))
        assert 500 <= len(take(inbox, elapsed_s=0.02))
    assert {"flood"} == set(inbox.dropped)
    assert len(inbox) <= MOST_PER_S


def test_a_flood_is_over_when_it_ends() -> None:
    """Soon after, nothing of it waits, and its owner is like any other."""
    inbox = Inbox(limit=20_000, most=2000)
    for _ in range(100):
        inbox.put(messages("flood", 1000, qos=1))
        take(inbox, elapsed_s=0.02)
    inbox.limited.clear()
    for _ in range(60):
        take(inbox, elapsed_s=0.02)
    assert 0 == len(inbox)
    take(inbox, elapsed_s=BACKLOG_S)
    inbox.limited.clear()
    inbox.dropped.clear()
    inbox.put(messages("flood", 1000, qos=1))
    assert list(range(1000)) == numbers(everything(inbox), "flood")
    assert (Counter(), set(), frozenset()) == (inbox.dropped, inbox.limited, inbox.busy)


def test_phones_of_a_shared_topic_have_no_limit() -> None:
    """Where the topic does not tell the phone, any number of phones may be behind it."""
    inbox = Inbox(limit=20_000, most=2000, owner_of=lambda topic: Owner(topic, is_shared=True))
    n = 0
    for _ in range(40):
        inbox.put(messages("shared", 1000, first=n, qos=1))
        n += 1000
        take(inbox, elapsed_s=0.02)
    everything(inbox)
    assert not inbox.dropped


def test_what_comes_again_does_not_count_again() -> None:
    """A backlog that is cut off again and again is still a backlog."""
    inbox = Inbox(limit=20_000, most=2000)
    backlog = messages("a", BACKLOG, qos=1)
    inbox.put(backlog)
    everything(inbox)
    inbox.put([msgspec.structs.replace(message, dup=True) for message in backlog])
    everything(inbox)
    assert not inbox.dropped


def test_what_waited_at_the_broker_is_taken_whole() -> None:
    """It comes faster than it was sent: what came in an hour without us is no flood."""
    inbox = Inbox(limit=20_000, most=2000)
    n = 0
    for number in range(200):
        inbox.put(messages("a", 1000, first=n, qos=1))
        n += 1000
        inbox.take(elapsed_s=0.05, soon=SOON, away_s=3600.0 if not number else 0.0)
    everything(inbox)
    assert not inbox.dropped


def test_a_flood_at_qos_1_drops_no_calibration() -> None:
    """It is of another topic of the same owner."""
    inbox = Inbox(limit=20_000, most=2000, owner_of=lambda _: Owner("a"))
    topics: list[str] = []
    for number in range(100):
        inbox.put(messages("samples", 1000, qos=1))
        if not number % 10:
            inbox.put(messages("calibration", 1, first=number, qos=1))
        topics += [message.topic for message in take(inbox, elapsed_s=0.02)]
    topics += [message.topic for message in everything(inbox)]
    assert 10 == topics.count("calibration")
    assert {"samples"} == set(inbox.dropped)


def test_long_messages_hold_up_nobody() -> None:
    """Of an owner of long messages one is taken at a time, and all of the others'."""
    inbox = Inbox(limit=10_000, most=500)
    for number in range(20):
        first = 3 * number
        inbox.put(messages("long", 3, first=first, qos=1, n_units=150))
        inbox.put(messages("a", 2, first=2 * number, qos=1))
        taken = take(inbox, elapsed_s=0.1)
        assert [2 * number, 2 * number + 1] == numbers(taken, "a")
        assert [number] == numbers(taken, "long")


def test_long_messages_of_many_owners_take_turns() -> None:
    """So few are taken at once that others do not wait, and each owner's comes in its turn."""
    inbox = Inbox(limit=10**6, most=2000)
    for owner in range(40):
        inbox.put(messages(f"long-{owner}", 2, qos=1, n_units=250))
    came: list[str] = []
    for number in range(12):
        inbox.put(messages("a", 2, first=2 * number, qos=1))
        taken = take(inbox, elapsed_s=0.1)
        assert [2 * number, 2 * number + 1] == numbers(taken, "a")
        assert total_units(taken) <= 2000 + 250
        came += [message.topic for message in taken if message.topic != "a"]
    assert 80 == len(came)
    assert 40 == len(set(came[:40]))
    assert 0 == len(inbox)


@pytest.mark.parametrize("qos", [0, 1])
def test_long_messages_take_little_memory(qos: int) -> None:
    """Of a flood no more is kept if its messages are long; what is dropped is acknowledged."""
    inbox = Inbox(limit=20_000, most=2000)
    n_taken = 0
    for number in range(50):
        inbox.put(messages("long", 40, first=40 * number, qos=qos, n_units=190))
        n_taken += len(take(inbox, elapsed_s=0.1))
        assert inbox.n_units <= 20_000
    assert inbox.n_units < 4000
    assert 2000 == n_taken + len(inbox) + inbox.dropped["long"]
    assert inbox.dropped["long"] * qos == len(inbox.surplus)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.integers(1, 40),
            st.booleans(),
            st.sampled_from([1, 1, 2, 9]),
        ),
        max_size=8,
    ),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_order_and_counts(puts: list[tuple[str, int, bool, int]], limit: int, most: int) -> None:
    """Each topic's messages keep their order; what was put was taken, or dropped and counted."""
    inbox = Inbox(limit=limit, most=most)
    put: Counter[str] = Counter()
    n_units = 0
    taken: list[Message] = []
    for topic, n, confirmed, of_each in puts:
        some = messages(topic, n, first=put[topic], qos=int(confirmed), n_units=of_each)
        inbox.put(some)
        put[topic] += n
        n_units += total_units(some)
        taken += take(inbox)
        assert inbox.n_units <= n_units - total_units(taken)
    while len(inbox):
        before = len(taken)
        taken += take(inbox)
        assert len(taken) > before
    assert inbox.n_units == 0
    for topic, n in put.items():
        came = numbers(taken, topic)
        assert sorted(set(came)) == came
        assert n == len(came) + inbox.dropped[topic]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9000), st.integers(0, 60), st.booleans(), st.sampled_from([0.02, 0.5])
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([1000, 20_000]),
)
@settings(deadline=None, max_examples=40)
def test_a_flood_costs_its_owner_alone(
    ticks: list[tuple[int, int, bool, float]], limit: int
) -> None:
    """Whatever is sent when, at QoS 1: nothing of who sends no more than a phone is dropped."""
    inbox = Inbox(limit=limit, most=2000)
    sent = {"flood": 0, "phone": 0}
    taken: list[Message] = []
    seconds = 0.0
    for n_flood, n_phone, phone_first, elapsed_s in ticks:
        parts = [("flood", n_flood), ("phone", round(n_phone * elapsed_s / 0.03))]
        for topic, n in parts[:: -1 if phone_first else 1]:
            inbox.put(messages(topic, n, first=sent[topic], qos=1))
            sent[topic] += n
        taken += take(inbox, elapsed_s=elapsed_s)
        seconds += elapsed_s
    taken += everything(inbox)
    assert list(range(sent["phone"])) == numbers(taken, "phone")
    came = numbers(taken, "flood")
    assert sorted(set(came)) == came
    assert sent["flood"] == len(came) + inbox.dropped["flood"]
    assert Counter(message.topic for message in inbox.surplus) == inbox.dropped
    dropped = [int(message.payload) for message in inbox.surplus]
    assert sorted({*dropped, *came}) == list(range(sent["flood"]))
    if sent["flood"] <= BACKLOG:
        assert not inbox.dropped


@given(st.dictionaries(st.text(), st.integers(1, 1000), min_size=1), st.integers(1, 2000))
def test_fair_shares(counts: dict[str, int], most: int) -> None:
    """The share is the largest that all together have no more than there is, but at least one."""
    counter = Counter(counts)
    share = fair_share(counter.values(), most)

    def all_have(share: int) -> int:
        return sum(min(n, share) for n in counter.values())

    assert 1 == share or all_have(share) <= most
    assert all_have(share + 1) > most or all_have(share) == counter.total()
