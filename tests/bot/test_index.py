import random
from math import log1p
from threading import Thread

import numpy as np
import pytest

from chatbot.bot.formats import Pair
from chatbot.bot.index import MISSPELT, MOST_CORRECTIONS, PromptIndex, index_arrays

CLOSE = 1e-4


def pair(prompt: str, reply: str = "x", before: str | None = None, source: str = "a.yml", rank: int = 1) -> Pair:
    return Pair(prompt, reply, before, source, 3, rank)


def index_of(*pairs: Pair) -> PromptIndex:
    return PromptIndex(index_arrays(pairs))


class BruteForce:
    """Dice's coefficient of a text and every prompt, by the book. The words must be so short that none is corrected."""

    def __init__(self, prompts: list[str]) -> None:
        self.prompts = {prompt: set(prompt.split()) for prompt in prompts}

    def weight(self, word: str) -> float:
        count = len(self.prompts)
        frequency = sum(word in words for words in self.prompts.values())
        return log1p(count / frequency) if frequency else log1p(2 * count)

    def nearness(self, text: str, prompt: str) -> float:
        asked, known = set(text.split()), self.prompts[prompt]
        shared = sum(map(self.weight, asked & known))
        return 2 * shared / (sum(map(self.weight, asked)) + sum(map(self.weight, known)))


def corpus(dice: random.Random, vocabulary: int, size: int) -> list[str]:
    words = [f"{chr(97 + number % 26)}{number // 26}" for number in range(vocabulary)]
    weights = [1 / (place + 1) for place in range(vocabulary)]
    return list({" ".join(sorted({*dice.choices(words, weights, k=dice.randint(1, 7))})): None for _ in range(size)})


def distorted(dice: random.Random, prompt: str, prompts: list[str]) -> str:
    """A prompt with words of another one, without some of its own, or with one that is not known."""
    words = {*prompt.split(), *dice.choice(prompts).split()[: dice.randrange(3)], *dice.choice([(), ("zz",)])}
    return " ".join(dice.sample(sorted(words), dice.randint(1, len(words))))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("least", [0.3, 0.5, 0.9])
def test_the_nearest_prompt_is_that_of_brute_force(seed: int, least: float) -> None:
    dice = random.Random(seed)
    prompts = corpus(dice, dice.choice((5, 20, 60)), 150)
    index, brute = index_of(*map(pair, prompts)), BruteForce(prompts)
    for _ in range(20):
        text = distorted(dice, dice.choice(prompts), prompts)
        best = max(brute.nearness(text, prompt) for prompt in prompts)
        matches = index.nearest(index.look_up(text), least=least)
        if best >= least + CLOSE:
            assert matches[0].nearness == pytest.approx(best, abs=CLOSE)
        elif best < least - CLOSE:
            assert matches == []
        for match in matches:
            truth = brute.nearness(text, index.prompts[match.prompt])
            assert match.nearness == pytest.approx(truth, abs=CLOSE)
            shared = {*text.split()} & brute.prompts[index.prompts[match.prompt]]
            whole = sum(map(brute.weight, text.split()))
            assert match.covered == pytest.approx(sum(map(brute.weight, shared)) / whole, abs=CLOSE)
        assert len({match.prompt for match in matches}) == len(matches) <= 2


@pytest.mark.parametrize("seed", range(10))
def test_the_nearest_prompt_is_not_one_that_is_left_out(seed: int) -> None:
    dice = random.Random(seed)
    prompts = corpus(dice, 20, 100)
    index, brute = index_of(*map(pair, prompts)), BruteForce(prompts)
    for number in range(len(index)):
        text = index.prompts[number]
        but = [number, dice.randrange(len(index))]
        others = {prompt for place, prompt in enumerate(index.prompts) if place not in but}
        best = max(brute.nearness(text, prompt) for prompt in others)
        found = index.nearest(index.look_up(text), 1, but=but)
        if best >= 0.5 + CLOSE:
            assert found[0].nearness == pytest.approx(best, abs=CLOSE)
            assert found[0].prompt not in but


def test_of_a_frequent_word_the_prompts_that_weigh_like_the_text_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts = ["a " + " ".join(f"b{number}{place}" for place in range(number)) for number in range(1, 30)]
    index = index_of(*map(pair, prompts))
    monkeypatch.setattr("chatbot.bot.index.MOST_POSTINGS", 3)
    brute = BruteForce(prompts)
    for prompt in prompts:
        (match, *_) = index.nearest(index.look_up(prompt))
        assert index.prompts[match.prompt] == prompt
    for size in range(1, 20):
        text = "a " + " ".join(f"c{place}" for place in range(size))
        for match in index.nearest(index.look_up(text), least=0.01):
            assert match.nearness == pytest.approx(brute.nearness(text, index.prompts[match.prompt]), abs=CLOSE)


@pytest.mark.parametrize("seed", range(10))
def test_with_windows_no_prompt_seems_nearer_than_it_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.index.MOST_POSTINGS", 4)
    dice = random.Random(seed)
    prompts = corpus(dice, 15, 120)
    index, brute = index_of(*map(pair, prompts)), BruteForce(prompts)
    for _ in range(40):
        text = distorted(dice, dice.choice(prompts), prompts)
        for match in index.nearest(index.look_up(text)):
            assert match.nearness <= brute.nearness(text, index.prompts[match.prompt]) + CLOSE


def test_asking_leaves_no_trace() -> None:
    index = index_of(pair("red green"), pair("green blue"), pair("blue red black"))
    first = index.nearest(index.look_up("green blue red"))
    for text in ("red", "black green", "white", "blue red black"):
        index.nearest(index.look_up(text), but=[0])
    assert index.nearest(index.look_up("green blue red")) == first


def test_each_thread_has_its_own_board() -> None:
    index = index_of(*(pair(f"w{number} w{number + 1} shared") for number in range(300)))
    alone = [index.nearest(index.look_up(f"w{number} shared")) for number in range(300)]
    found: list[object] = []

    def ask() -> None:
        found.append([index.nearest(index.look_up(f"w{number} shared")) for number in range(300)])

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


def test_words_of_one_stem_are_one_term() -> None:
    index = index_of(pair("connect the wires"), pair("a good connection"), pair("what is the weather"))
    (match, *_) = index.nearest(index.look_up("connection the wires"))
    assert index.prompts[match.prompt] == "connect the wires"
    assert match.nearness == pytest.approx(1)


def test_a_misspelt_word_counts_nearly_as_what_it_is_meant_to_be() -> None:
    index = index_of(pair("elephants"), pair("a giraffe"))
    (match,) = index.nearest(index.look_up("elephnts"))
    assert index.prompts[match.prompt] == "elephants"
    assert match.nearness == pytest.approx(MISSPELT)


def test_unknown_words_that_are_drawn_out_are_drawn_in() -> None:
    index = index_of(pair("hey you, good to see you"), pair("haha"), pair("www it is"))
    assert index.drawn_in("heyyy youuu hahahahaha wow") == "hey you haha wow"
    assert index.drawn_in("www gooood zzz") == "www good zzz"


def test_only_so_many_words_of_a_text_are_corrected() -> None:
    words = ("elephants", "giraffes", "crocodile", "kangaroo", "zebrafish")
    index = index_of(*map(pair, words))
    assert len(index.look_up(" ".join(words)).numbers) == 5
    misspelt = [f"{word}q" for word in words]
    assert len(index.look_up(" ".join(misspelt)).numbers) == MOST_CORRECTIONS < 5


def test_a_text_of_unknown_words_is_near_to_nothing() -> None:
    index = index_of(pair("hello there"))
    asked = index.look_up("zz yy")
    assert asked.numbers == []
    assert asked.weight > 0
    assert index.nearest(asked, least=0) == []


def test_an_empty_index_knows_nothing() -> None:
    index = index_of()
    assert len(index) == 0
    assert index.exact("hi") is None
    assert index.nearest(index.look_up("hi there")) == []
    assert index.prompts_after("hi") == []


def test_the_same_prompt_is_found_by_its_key() -> None:
    index = index_of(pair("What is AI?"), pair("😀"))
    number = index.exact("what is ai")
    assert number is not None
    assert index.prompts[number] == "What is AI?"
    assert index.exact("😀") is not None
    assert index.exact("what is a") is None


def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.arrays.crc32", lambda _: 1)
    index = index_of(pair("one"), pair("two"))
    assert {index.prompts[index.exact(text) or 0] for text in ("one", "two")} == {"one", "two"}
    assert index.exact("three") is None


def test_replies_to_prompts_of_one_key_are_put_together_each_once() -> None:
    index = index_of(pair("Hi!", "Hello"), pair("hi", "Hey"), pair("HI", "Hello"))
    assert len(index) == 1
    assert index.replies_to(0) == ["Hello", "Hey"]


def test_a_prompt_has_the_replies_of_the_first_rank_only() -> None:
    index = index_of(pair("Hi", "mine", rank=0, source="mine.yml"), pair("hi", "other"), pair("Bye", "See you"))
    number = index.exact("hi")
    assert number is not None
    assert index.replies_to(number) == ["mine"]
    assert index.sources[int(index.prompt_source[number])] == "mine.yml"
    assert int(index.prompt_line[number]) == 3


def test_replies_follow_the_line_before() -> None:
    pairs = pair("why", "To get to the other side", "A chicken crosses"), pair("why", "It froze", "I broke it")
    index = index_of(*pairs, pair("why", "A good question"))
    assert index.replies_to(0, "a chicken crosses!") == ["To get to the other side"]
    assert index.replies_to(0, "I broke it") == ["It froze"]
    assert index.replies_to(0, "something else") == index.replies_to(0) == ["A good question"]


def test_a_prompt_that_stands_in_dialogues_only_has_all_their_replies() -> None:
    index = index_of(pair("why", "one", "a"), pair("why", "two", "b"))
    assert index.replies_to(0) == ["one", "two"]


def test_the_prompts_after_a_line_are_found() -> None:
    pairs = pair("why", "one", "A chicken."), pair("where", "two", "a chicken"), pair("what", "three", "b"), pair("d")
    index = index_of(*pairs)
    assert {index.prompts[number] for number in index.prompts_after("a chicken")} == {"why", "where"}
    assert index.prompts_after("nothing of the kind") == []


def test_prompts_of_the_same_replies_have_one_topic_whatever_their_order() -> None:
    pairs = pair("a", "one"), pair("a", "two"), pair("b", "two"), pair("b", "one"), pair("c", "one"), pair("d", "six")
    index = index_of(*pairs)
    topic = {prompt: int(index.prompt_topic[number]) for number, prompt in enumerate(index.prompts)}
    assert topic["a"] == topic["b"]
    assert len({*topic.values()}) == 3


def test_a_blank_prompt_is_left_out() -> None:
    index = index_of(pair("  "), pair("Hi"))
    assert list(index.prompts) == ["Hi"]


def test_a_window_is_about_the_weight_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.index.MOST_POSTINGS", 3)
    index = index_of(*(pair("a " + " ".join(f"b{number}{n}" for n in range(number))) for number in range(1, 30)))
    weight = float(index._prompt_weights[20])  # noqa: SLF001
    window = index._window(np.arange(29, dtype=np.int32), 0, weight, 1e9)  # noqa: SLF001
    assert window.tolist() == [19, 20, 21]
