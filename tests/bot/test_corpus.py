"""Diego's own corpus: what it promises in each language."""

import re
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import pytest

from chatbot.bot.corpora import find_sources
from chatbot.bot.formats import Line, read_corpus
from chatbot.bot.words import key
from chatbot.web.wire import COMMANDS

LONGEST = 140
"""Characters of a reply: it is read on a telephone."""


@cache
def lines(language: str) -> list[Line]:
    return [line for source in find_sources((f"chatbot.corpus.{language}",)) for line in read_corpus(source).lines]


@cache
def topics(language: str) -> dict[frozenset[str], set[str]]:
    """The prompts of each topic, by the replies that they have in common; of dialogues of two lines."""
    replies: dict[str, set[str]] = defaultdict(set)
    starts = [number for number, line in enumerate(lines(language)) if line.reply_to is None]
    for start, end in pairwise([*starts, len(lines(language))]):
        if end - start == 2:
            prompt, reply = lines(language)[start:end]
            replies[key(prompt.text)].add(reply.text)
    prompts: dict[frozenset[str], set[str]] = defaultdict(set)
    for prompt_key, own in replies.items():
        prompts[frozenset(own)].add(prompt_key)
    return prompts


@pytest.mark.parametrize("language", ["english", "spanish", "french"])
class TestEveryLanguage:
    def test_a_hundred_topics_have_ten_prompts_and_several_replies(self, language: str) -> None:
        large = [replies for replies, prompts in topics(language).items() if len(prompts) >= 10 and len(replies) > 1]
        assert len(large) >= 100

    def test_no_prompt_belongs_to_two_topics(self, language: str) -> None:
        of_topics = Counter(reply for replies in topics(language) for reply in replies)
        assert [reply for reply, count in of_topics.items() if count > 1] == []

    def test_replies_are_brief(self, language: str) -> None:
        assert [line.text for line in lines(language) if line.reply_to and len(line.text) > LONGEST] == []

    def test_the_commands_that_the_replies_name_exist(self, language: str) -> None:
        named = {
            found for line in lines(language) if line.reply_to for found in re.findall(r"(?<!\S)/(\w+)", line.text)
        }
        assert {"teach", "unteach", "export", "forget"} <= named <= {*COMMANDS}
