from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.inbox import MOST_OF_ONE, Inbox, fair_share
from pipeline.packets import Message


def messages(topic: str, n: int, *, first: int = 0, qos: int = 0) -> list[Message]:
    """Return numbered messages on a topic."""
    return [
        Message(topic, b"%d" % number, 0.0, number + 1 if qos else 0)
        for number in range(first, first + n)
    ]


def everything(inbox: Inbox) -> list[Message]:
    """Return all that waits, in as many goes as it takes."""
    taken = []
    while len(inbox):
        taken += inbox.take()
    return taken


def numbers(taken: list[Message], topic: str) -> list[int]:
    """Return the numbers of a topic's messages among those taken."""
    return [int(message.payload) for message in taken if message.topic == topic]


def test_few_messages_come_as_they_arrived() -> None:
    """While there is no crowd, all are taken at once in their order."""
    inbox = Inbox(limit=100, most=10)
    arrived = [*messages("a", 2), *messages("b", 3), *messages("a", 2, first=2)]
    inbox.put(arrived)
    assert arrived == inbox.take()
    assert (0, []) == (len(inbox), inbox.take())


def test_one_that_floods() -> None:
    """A topic with very many messages gets its share at a time; all others are taken."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put([*messages("flood", 100), *messages("a", 3), *messages("b", 2)])
    taken = inbox.take()
    assert (3, 2) == (len(numbers(taken, "a")), len(numbers(taken, "b")))
    assert list(range(MOST_OF_ONE)) == numbers(taken, "flood")
    assert 100 - MOST_OF_ONE == len(inbox)
    assert not inbox.pressing
    assert list(range(MOST_OF_ONE, 2 * MOST_OF_ONE)) == numbers(inbox.take(), "flood")


def test_without_shares() -> None:
    """Whoever wants all that there is gets it at once."""
    inbox = Inbox(limit=1000, most=None)
    inbox.put([*messages("a", 500), *messages("b", 500, qos=1)])
    assert 1000 == len(inbox.take())
    assert not inbox.pressing


def test_what_cannot_be_dropped_presses() -> None:
    """Messages at QoS 1 that are left had better be taken soon; so had those of very many."""
    inbox = Inbox(limit=1000, most=500)
    inbox.put(messages("flood", 2 * MOST_OF_ONE, qos=1))
    inbox.take()
    assert inbox.pressing
    inbox.take()
    assert not inbox.pressing
    for number in range(600):
        inbox.put(messages(f"phone-{number}", 1))
    inbox.take()
    assert inbox.pressing


def test_a_crowd_is_served_fairly() -> None:
    """When all together have too many, each gets the same."""
    inbox = Inbox(limit=1000, most=20)
    for topic in "abcdefgh":
        inbox.put(messages(topic, 5))
    taken = inbox.take()
    assert all(numbers(taken, topic) == [0, 1] for topic in "abcdefgh")


def test_a_topic_that_phones_share() -> None:
    """Where the topic does not tell the phone, it gets much more than one phone."""
    inbox = Inbox(limit=1000, most=100, shared={"sensor-logger"})
    inbox.put([*messages("sensor-logger", 40), *messages("a", 3)])
    assert 43 == len(inbox.take())
    inbox.put([*messages("sensor-logger", 200), *messages("a", 3)])
    taken = inbox.take()
    assert (50, 3) == (len(numbers(taken, "sensor-logger")), len(numbers(taken, "a")))


def test_the_oldest_of_the_flood_is_dropped() -> None:
    """Beyond the limit the topic with most messages loses its oldest, and it is counted."""
    inbox = Inbox(limit=100, most=1000)
    inbox.put([*messages("a", 10), *messages("flood", 200), *messages("b", 10)])
    taken = everything(inbox)
    assert list(range(10)) == numbers(taken, "a") == numbers(taken, "b")
    assert list(range(130, 200)) == numbers(taken, "flood")
    assert Counter({"flood": 130}) == inbox.dropped


def test_what_the_broker_can_keep_is_never_dropped() -> None:
    """At QoS 1 nothing is lost: it is not acknowledged, and so the broker stops sending."""
    inbox = Inbox(limit=100, most=1000)
    inbox.put(messages("a", 500, qos=1))
    taken = everything(inbox)
    assert list(range(500)) == numbers(taken, "a")
    assert not inbox.dropped


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 40), st.booleans()), max_size=8),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_order_and_counts(puts: list[tuple[str, int, bool]], limit: int, most: int) -> None:
    """Each topic's messages keep their order; what was put was taken, or dropped and counted."""
    inbox = Inbox(limit=limit, most=most)
    put: Counter[str] = Counter()
    taken: list[Message] = []
    for topic, n, confirmed in puts:
        inbox.put(messages(topic, n, first=put[topic], qos=int(confirmed)))
        put[topic] += n
        taken += inbox.take()
    while len(inbox):
        before = len(taken)
        taken += inbox.take()
        assert len(taken) > before
    for topic, n in put.items():
        came = numbers(taken, topic)
        assert sorted(set(came)) == came
        assert n == len(came) + inbox.dropped[topic]


@given(st.dictionaries(st.text(), st.integers(1, 1000), min_size=1), st.integers(1, 2000))
def test_fair_shares(counts: dict[str, int], most: int) -> None:
    """The share is the largest that all together have no more than there is, but at least one."""
    counter = Counter(counts)
    share = fair_share(counter, most)

    def all_have(share: int) -> int:
        return sum(min(n, share) for n in counter.values())

    assert share == 1 or all_have(share) <= most
    assert all_have(share + 1) > most or all_have(share) == counter.total()
