from pipeline.commands.web.limits import MOST_SENDERS, Allowance, Allowances


def test_so_many_at_once_and_so_many_a_second() -> None:
    """What is used up comes back with time, up to the most."""
    allowance = Allowance(3, 2.0, 0.0)
    assert [True, True, True, False] == [allowance.take(0.0) for _ in range(4)]
    assert 0.5 == allowance.wait_s(0.0)
    assert [True, False] == [allowance.take(0.5), allowance.take(0.5)]
    assert [True, True, True, False] == [allowance.take(1000.0) for _ in range(4)]


def test_one_sender_takes_nothing_from_another() -> None:
    """Each has an allowance of its own."""
    allowances = Allowances(1, 1.0)
    assert [True, False, True] == [allowances.take(sender, 0.0) for sender in ("a", "a", "b")]


def test_senders_are_bounded() -> None:
    """Of very many, the one that is longest silent is forgotten."""
    allowances = Allowances(1, 1.0)
    for number in range(MOST_SENDERS + 1):
        allowances.take(str(number), 0.0)
    assert [False, True] == [allowances.take("1", 0.0), allowances.take("0", 0.0)]
