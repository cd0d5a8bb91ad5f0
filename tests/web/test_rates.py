import pytest

from chatbot.messages import NotNow
from chatbot.web import rates
from chatbot.web.rates import MINUTE, MOST_KEYS, Rate, Rates

pytestmark = pytest.mark.anyio


class Clock:
    """In the place of `time`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic_ns(self) -> int:
        return round(self.seconds * 1_000_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rates, "time", clock)
    return clock


def taken(rate: Rate, key: str = "a") -> int:
    """How many tokens there were."""
    count = 0
    while not rate.seconds_left(key):
        rate.take(key)
        count += 1
    return count


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("most", [1, 2, 7, 59, 60, 600, 99_991])
def test_a_bucket_holds_what_it_is_to_hold(most: int) -> None:
    rate = Rate(most)
    assert taken(rate, "a") == taken(rate, "b") == most


@pytest.mark.parametrize("most", [1, 7, 60])
def test_it_refills_steadily(clock: Clock, most: int) -> None:
    rate = Rate(most)
    taken(rate)
    for _ in range(most + 1):
        assert rate.seconds_left("a") == pytest.approx(MINUTE / most, abs=1e-6)
        clock.seconds += MINUTE / most
        assert taken(rate) == 1
    clock.seconds += MINUTE / 2
    assert taken(rate) == most // 2
    clock.seconds += 10 * MINUTE
    assert taken(rate) == most


def test_what_was_said_before_the_old_buckets_are_dropped_still_counts(clock: Clock) -> None:
    rate = Rate(60)
    rate.take("other")  # since then the time counts after which they are dropped
    clock.seconds += 59
    assert taken(rate) == 60
    clock.seconds += 2
    rate.take("other")
    assert taken(rate) == 2


def test_buckets_that_are_full_again_are_dropped(clock: Clock) -> None:
    rate = Rate(60)
    for _ in range(5):
        for number in range(1000):
            rate.take(str(number))
        clock.seconds += MINUTE
    assert len(rate) <= 2000
    for _ in range(2):
        rate.take("a")
        clock.seconds += MINUTE
    assert len(rate) <= 2


def test_of_a_million_addresses_in_a_minute_the_last_are_kept() -> None:
    rate = Rate(2)
    for number in range(1_000_000):
        rate.take(f"address {number}")
    assert len(rate) <= 2 * MOST_KEYS
    assert taken(rate, "address 999999") == 1


def quietly() -> None:
    pass


async def refusal(limits: Rates, visitor: str, address: str) -> NotNow:
    with pytest.raises(NotNow) as refused:
        await limits.take(visitor, address)
    return refused.value


@pytest.mark.usefixtures("clock")
async def test_a_visitor_who_asks_too_much_is_told_when_to_go_on_and_keeps_nobody_else_from_asking() -> None:
    limits = Rates(60, 600, quietly)
    for _ in range(60):
        await limits.take("a", "here")
    refused = await refusal(limits, "a", "here")
    assert (str(refused), refused.retry_after) == ("That was a lot in a short time. You can go on in 1 s.", 1)
    for _ in range(1000):
        await refusal(limits, "a", "here")  # which takes nothing from the others there
    for visitor in "bcdefghij":
        for _ in range(60):
            await limits.take(visitor, "here")
    assert (await refusal(limits, "k", "here")).retry_after == 1
    await limits.take("k", "there")


async def test_a_visitor_loses_nothing_when_others_of_the_address_ask_too_much(clock: Clock) -> None:
    limits = Rates(2, 3, quietly)
    for visitor in "aab":
        await limits.take(visitor, "here")
    for _ in range(10):
        assert (await refusal(limits, "c", "here")).retry_after == 20
    clock.seconds += 40
    for _ in range(2):
        await limits.take("c", "here")


@pytest.mark.parametrize(("per_visitor", "per_address"), [(0, 0), (0, 600), (60, 0)])
async def test_0_is_as_much_as_one_likes(per_visitor: int, per_address: int) -> None:
    limits = Rates(per_visitor, per_address, quietly)
    for number in range(1000):
        await limits.take(
            "a" if not per_visitor else f"visitor {number}", "here" if not per_address else f"address {number}"
        )


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_it_may_be_so_many_in_another_time(clock: Clock, seconds: float) -> None:
    rate = Rate(3, seconds)
    assert taken(rate) == 3
    assert rate.seconds_left("a") == pytest.approx(seconds / 3, abs=1e-6)
    clock.seconds += seconds
    assert taken(rate) == 3
