import tracemalloc

import pytest

from chatbot.bot import calibration
from chatbot.bot.arrays import Arrays
from chatbot.bot.classifier import classifier_arrays
from chatbot.bot.formats import Pair
from chatbot.bot.index import MOST_REMEMBERED
from chatbot.bot.knowledge import Found, Knowledge, knowledge_arrays
from chatbot.bot.words import key

DAYS = ("today", "tomorrow", "tonight", "on monday", "on friday", "this week")
TOPICS = {
    "rain": [f"will it rain {day}" for day in DAYS]
    + ["what is the weather forecast", "do i need an umbrella", "thunderstorm"],
    "money": ["what is my balance", "how much money do i have", "show my account balance", "am i broke", "my savings"],
    "food": [f"what shall we eat {day}" for day in DAYS] + ["i am hungry", "recommend a restaurant"],
    "music": ["play a song", "i want to hear music", "put on some jazz", "play the radio", "turn the music on"],
    "Paris": ["What is the capital of France?"],
    "Rome": ["What is the capital of Italy?"],
    "A flower": ["What is a chrysanthemum?"],
    "Diego": ["Who are you?"],
}
SCRIPTS = {
    "chinese": "你今天过得怎么样",
    "japanese": "あなたの名前は何ですか",
    "thai": "คุณชื่ออะไรครับ",
    "hindi": "आपका नाम क्या है",
    "russian": "Как тебя зовут сегодня",
    "arabic": "ما هو اسمك الكامل",
}
DIALOGUES = [
    ("Tell me a riddle", "Why did the robot cross the road?", None),
    ("Why did the robot cross the road?", "why", "Tell me a riddle"),
    ("why", "It was programmed by the chicken.", "Why did the robot cross the road?"),
    ("why", "A good question.", None),
]


def pair(prompt: str, reply: str, before: str | None = None, rank: int = 1, source: str = "a.yml") -> Pair:
    return Pair(prompt, reply, before, source, 1, rank)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    pairs = [pair("who are you", "My own", rank=0, source="own.yml")]
    pairs += [pair(prompt, reply) for reply, prompts in TOPICS.items() for prompt in prompts]
    pairs += [pair(prompt, script) for script, prompt in SCRIPTS.items()]
    pairs += [pair(*line) for line in DIALOGUES]
    return Knowledge(knowledge_arrays(pairs))


def find(knowledge: Knowledge, text: str, before: str = "") -> list[Found]:
    return knowledge.find(text, key(text), before)


def replies(knowledge: Knowledge, text: str, before: str = "") -> list[str]:
    """What the best that is found says; nothing if it is not probable enough."""
    found = [one for one in find(knowledge, text, before) if one.probability >= knowledge.threshold]
    return knowledge.index.replies_to(found[0].prompt, before) if found else []


def test_every_prompt_is_found_as_itself(knowledge: Knowledge) -> None:
    for reply, prompts in TOPICS.items():
        for prompt in prompts:
            (best, *_) = find(knowledge, prompt.upper() + "!!")
            assert (best.probability, best.how) == (1, "the same prompt")
            assert replies(knowledge, prompt) == ["My own" if reply == "Diego" else reply]


def test_a_prompt_that_is_drawn_out_is_the_same_prompt(knowledge: Knowledge) -> None:
    (best, *_) = find(knowledge, "Whooo are youuuu???")
    assert (best.probability, best.how) == (1, "the same prompt")


def test_every_language_has_its_own_topics() -> None:
    rain = {"english": "will it rain {}", "french": "est ce qu il va pleuvoir {}"}
    money = {"english": "how much money is left {}", "french": "combien d argent il me reste {}"}
    days = {"english": DAYS, "french": ("demain", "ce soir", "lundi", "vendredi", "cette semaine", "ici")}
    pairs = [
        pair(topic[language].format(day), f"{name}, {language}", source=f"chatbot.corpus.{language}.all")
        for name, topic in (("rain", rain), ("money", money))
        for language in days
        for day in days[language]
    ]
    knowledge = Knowledge(knowledge_arrays(pairs))
    for text, reply in {
        "will it ever rain again": "rain, english",
        "how much money today": "money, english",
        "va t il pleuvoir un jour": "rain, french",
        "combien d argent me reste": "money, french",
    }.items():
        assert knowledge.index.replies_to(find(knowledge, text)[0].prompt) == [reply]


def test_a_lesson_that_has_not_changed_is_not_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = [pair(prompt, reply) for reply, prompts in TOPICS.items() for prompt in prompts]
    english = [one._replace(source="chatbot.corpus.english.all") for one in topics]
    before = knowledge_arrays(english)
    learned: list[int] = []
    learn = classifier_arrays

    def count(texts: list[list[str]], labels: list[int]) -> Arrays:
        learned.append(len(texts))
        return learn(texts, labels)

    monkeypatch.setattr("chatbot.bot.knowledge.classifier_arrays", count)
    more = [pair("When do you open?", "At nine.", rank=0), *english]
    knowledge = Knowledge(knowledge_arrays(more, before))
    assert learned == []
    assert replies(knowledge, "when do you open") == ["At nine."]
    assert replies(knowledge, "will it rain on monday morning") == ["rain"]
    assert find(knowledge, "will it rain on monday morning")[0].how == "the topic"
    knowledge_arrays([*english, pair("is it going to rain", "rain", source="chatbot.corpus.english.all")], before)
    assert len(learned) == 1


def test_the_own_corpus_wins(knowledge: Knowledge) -> None:
    assert replies(knowledge, "Who are you?") == ["My own"]


@pytest.mark.parametrize(
    "text",
    [
        "what is the captial of france",
        "what is capital of France",
        "WHAT IS THE CAPITAL OF FRANCE",
        "what is the capital of frnace?",
    ],
)
def test_a_typo_a_dropped_word_and_another_case_are_understood(knowledge: Knowledge, text: str) -> None:
    assert replies(knowledge, text) == ["Paris"]


@pytest.mark.parametrize(
    ("text", "reply"),
    [("is it going to rain on friday", "rain"), ("play some music", "music"), ("show me my balance", "money")],
)
def test_an_unseen_wording_is_of_its_topic(knowledge: Knowledge, text: str, reply: str) -> None:
    assert replies(knowledge, text) == [reply]


@pytest.mark.parametrize(
    ("text", "how"), [("play some music", "the topic"), ("what is the capital of frnace", "the nearest prompt")]
)
def test_it_is_said_how_something_was_found(knowledge: Knowledge, text: str, how: str) -> None:
    assert find(knowledge, text)[0].how == how


def test_one_misspelt_word_is_found_although_its_topic_is_learned(knowledge: Knowledge) -> None:
    (best, *_) = find(knowledge, "thunderstrom")
    assert knowledge.index.prompts[best.prompt] == "thunderstorm"


@pytest.mark.parametrize("text", ["zz yy xx", "quantum chromodynamics lattices", "xyzzy", "😀", ""])
def test_what_is_not_known_is_not_found(knowledge: Knowledge, text: str) -> None:
    assert replies(knowledge, text) == []


@pytest.mark.parametrize(
    "text", ["Good gracious me! What is a chrysanthemum?", "zz yy xx ww: what is a chrysanthemum, vv uu tt?"]
)
def test_a_part_of_a_message_is_understood(knowledge: Knowledge, text: str) -> None:
    (best, *_) = find(knowledge, text)
    assert best.how == "the same prompt, for a part"
    assert best.probability < 1
    assert replies(knowledge, text) == ["A flower"]


def test_the_most_probable_stands_first_and_there_are_four_at_most(knowledge: Knowledge) -> None:
    for text in ("play money. rain food, eat music! capital", "will it rain. show my balance. play jazz. hungry. who"):
        found = [one.probability for one in find(knowledge, text)]
        assert found == sorted(found, reverse=True)
        assert 0 < len(found) <= 4


def test_a_dialogue_goes_on_to_its_punch_line(knowledge: Knowledge) -> None:
    for text in ("Why?", "but why"):
        assert replies(knowledge, text, "Why did the robot cross the road?") == ["It was programmed by the chicken."]


def test_what_shares_no_word_with_a_dialogue_does_not_go_on_with_it(knowledge: Knowledge) -> None:
    assert replies(knowledge, "xyzzy", "Why did the robot cross the road?") == []


def test_without_the_dialogue_there_is_no_punch_line(knowledge: Knowledge) -> None:
    assert replies(knowledge, "Why?") == replies(knowledge, "why", "Rome") == ["A good question."]


def test_what_is_known_for_itself_leaves_a_dialogue(knowledge: Knowledge) -> None:
    assert replies(knowledge, "What is a chrysanthemum?", "Why did the robot cross the road?") == ["A flower"]


def test_a_long_message_leaves_a_dialogue(knowledge: Knowledge) -> None:
    assert replies(knowledge, "zz yy xx ww vv uu", "Why did the robot cross the road?") == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_prompts_of_all_scripts_are_found(knowledge: Knowledge, script: str) -> None:
    prompt = SCRIPTS[script]
    assert replies(knowledge, prompt) == [script]
    assert replies(knowledge, f"{prompt}？！") == [script]
    cut = prompt[:-2] if " " not in prompt else prompt.rsplit(" ", 1)[0]
    assert knowledge.index.prompts[find(knowledge, cut)[0].prompt] == prompt


@pytest.mark.parametrize("prompts", [(), ("Hi",), ("😀", "!"), ("Hi", " ")])
def test_few_prompts_are_enough(prompts: tuple[str, ...]) -> None:
    few = Knowledge(knowledge_arrays(pair(prompt, "Hello") for prompt in prompts))
    for prompt in prompts:
        assert replies(few, prompt) == (["Hello"] if prompt.strip() else [])
    assert replies(few, "what is that") == []


def test_half_a_character_is_not_known(knowledge: Knowledge) -> None:
    assert replies(knowledge, "\ud800", "\udfff") == []


def test_unknown_words_do_not_make_memory_grow(knowledge: Knowledge) -> None:
    def ask(numbers: range) -> int:
        for number in numbers:
            find(knowledge, f"unknown{number}word balanc{number}")
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        full = ask(range(10_000, 10_000 + MOST_REMEMBERED))  # two unknown words each
        assert ask(range(50_000, 70_000)) - full < 100_000
    finally:
        tracemalloc.stop()


def test_prompts_of_a_user_count_although_a_packaged_corpus_knows_more_of_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "MOST_WORK", 90)  # both learn few of the packaged prompts, and others of them
    own = [
        pair(f"{word} zorblax", "My own", source="own.csv") for word in ("balance", "money", "account", "cash", "tip")
    ]
    packaged = [pair(f"w{n}", f"Packaged {n % 2}", source="chatterbot.corpus.english.ai") for n in range(200)]
    both = Knowledge(knowledge_arrays([*own, *packaged]))
    english, users = (
        {word for text in lesson.texts for word in text}
        for _, lesson in sorted(calibration.topics_to_learn(both.index).items(), reverse=True)
    )
    known_to_one = sorted(english - users)[:4]
    found = find(both, f"zorblax money {' '.join(known_to_one)} cash")
    assert ("My own", "the topic") in {(both.index.replies_to(one.prompt, "")[0], one.how) for one in found}
