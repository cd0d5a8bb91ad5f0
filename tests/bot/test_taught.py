import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from chatterbot.conversation import Statement

from chatbot.bot.corpora import find_sources
from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego, Reply
from chatbot.bot.formats import read_corpus
from chatbot.bot.lessons import MOST_LESSONS
from chatbot.bot.taught import Taught
from chatbot.bot.words import key
from chatbot.settings import Settings
from tests.databases import url_in
from tests.diaries import ANN, BOB, diary_in, say


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


def taught(diary: Diary | None, known: str = "") -> Taught:
    """The adapter, with a chatbot that knows some words."""
    knowledge = SimpleNamespace(index=SimpleNamespace(knows=known.split().__contains__))
    return Taught(SimpleNamespace(diary=diary, knowledge=knowledge, search_algorithms={"indexed_text_search": None}))


def tell(diary: Diary | None, text: str, visitor: str = ANN, known: str = "") -> Reply | None:
    """What is replied, None if nothing."""
    adapter, statement = taught(diary, known), Statement(text, conversation=visitor, search_text=key(text))
    if not adapter.can_process(statement):
        return None
    reply = adapter.process(statement)
    if not reply.confidence:
        assert reply.text == ""
        return None
    assert isinstance(reply, Reply)
    assert reply.confidence == reply.receipt.confidence == 1
    return reply


def lessons(diary: Diary, visitor: str = ANN) -> list[tuple[str, str]]:
    return [(lesson.prompt, lesson.reply) for lesson in diary.lessons.of(visitor)]


LESSONS = [
    ("When I say hello, answer bonjour", "hello", "bonjour"),
    ("when i say hello, say hi there!", "hello", "hi there!"),
    ("When I say knock, knock, reply: Who's there?", "knock, knock", "Who's there?"),
    ("Please, when I write ping, respond with pong.", "ping", "pong."),
    ("If I ask you how are you? say great", "how are you?", "great"),
    ("When I ask what's up?, respond with Not much.", "what's up?", "Not much."),
    ("whenever I say foo then you should say bar", "foo", "bar"),
    ('When I say "ping, say pong", reply "pong".', "ping, say pong", "pong"),
    ("When I say “hola” answer “adiós”", "hola", "adiós"),
    ('When I say "hi", you say "hello"', "hi", "hello"),
    ('When I ask "something else?", answer "so what"', "something else?", "so what"),
    ("When I say it’s me, say ‘hi’", "it’s me", "hi"),
    ("When I say haiku, answer one\n\n\ntwo", "haiku", "one\ntwo"),
    ("When I say <b>, answer <script>alert(1)</script>", "<b>", "<script>alert(1)</script>"),
    ("Cuando diga hola, responde buenas tardes", "hola", "buenas tardes"),
    ("Cuando yo te pregunte ¿qué tal?, contesta muy bien", "¿qué tal?", "muy bien"),
    ("si te digo «ping», di «pong»", "ping", "pong"),
    ("Quand je dis bonjour, réponds salut", "bonjour", "salut"),
    ("Quand je te dis « ping », tu dois répondre « pong »", "ping", "pong"),
    ("Lorsque je demande ça va ?, dis toujours", "ça va ?", "toujours"),
]


@pytest.mark.parametrize(("text", "prompt", "reply"), LESSONS)
def test_a_lesson_in_words_is_learned_and_answered_by(diary: Diary, text: str, prompt: str, reply: str) -> None:
    learned = tell(diary, text)
    assert learned is not None
    assert lessons(diary) == [(prompt, reply)]
    answer = tell(diary, prompt.upper())
    assert answer is not None
    assert answer.text == reply
    assert answer.receipt.how == "taught by you"
    assert answer.receipt.matched is not None
    assert answer.receipt.matched.prompt == prompt
    assert tell(diary, prompt, BOB) is None


CORRECTIONS = [
    ("no, the right answer is 42", "42"),
    ("No. The correct answer is Paris!", "Paris!"),
    ("That's wrong, the correct answer would be “Rome”.", "Rome"),
    ("that isn’t right: the right answer is it rains", "it rains"),
    ("you should have said hello there", "hello there"),
    ('You should have answered "it depends"', "it depends"),
    ("No, you should have said 12 instead.", "12"),
    ("wrong, say 12 instead", "12"),
    ("No, say goodbye instead.", "goodbye"),
    ('No! Say "that again" next time!', "that again"),
    ("no, la respuesta correcta es Madrid", "Madrid"),
    ("deberías haber dicho buenos días", "buenos días"),
    ("mal, di cuatro en su lugar", "cuatro"),
    ("non, la bonne réponse est Paris", "Paris"),
    ("Non, la bonne réponse, c'est Lyon", "Lyon"),
    ("tu aurais dû dire bonsoir", "bonsoir"),
    ("faux, dis quatre plutôt", "quatre"),
]


@pytest.mark.parametrize(("text", "reply"), CORRECTIONS)
def test_a_correction_is_a_lesson_on_the_prompt_of_the_last_turn(diary: Diary, text: str, reply: str) -> None:
    say(diary, ANN, "Hi", "What is the capital?")
    say(diary, BOB, "Something else")
    assert tell(diary, text) is not None
    assert lessons(diary) == [("What is the capital?", reply)]


@pytest.mark.parametrize(("text", "reply"), CORRECTIONS)
def test_where_nothing_was_said_there_is_nothing_to_correct(diary: Diary, text: str, reply: str) -> None:
    say(diary, BOB, "What is the capital?")
    assert tell(diary, text) is None, reply
    assert lessons(diary) == lessons(diary, BOB) == []


def test_a_correction_can_be_corrected(diary: Diary) -> None:
    say(diary, ANN, "What is the capital?", "no, the right answer is Paris")
    tell(diary, "no, the right answer is Rome")
    assert lessons(diary) == [("What is the capital?", "Rome")]


def test_a_lesson_can_be_corrected(diary: Diary) -> None:
    say(diary, ANN, "Hi", "When I say ping, answer pang")
    tell(diary, "Wrong, say pong instead")
    assert lessons(diary) == [("ping", "pong")]


ORDINARY = """\
When I say hello, people answer rudely
When I say hello, you answer rudely
When I say thanks, you reply too slowly
When I say goodbye I mean it
When I was young, people said hello
When I ask you something, answer honestly
If I ask a question, answer it
If I ask for help, say yes
When I say something in Spanish, answer in Spanish
When I say hola, answer in Spanish
When I say that, reply quickly
When I say that I'm sad, say something nice
If I say yes, will you answer?
When I say hi, do you say something?
I wonder what you say when I say hi
What should I say when I say hello?
You should have said so
You should have said so!
You should have said that earlier
You should have said it
You should have said that you love me
You should have said what you mean
You should have told me
You should have answered me
You should have answered my question
You should have said something
You should have replied sooner
Should you have said hello?
No, the answer is no
No, the right answer is not that
The right answer is often unknown
The right answer is 42
Is the right answer 5?
No, say it again
No, say it again instead
No, say something else instead
No, say no more next time
No, say hello instead of goodbye
No, I say what I think instead
Say hello
Wrong!
No
answer me
/teach a => b
Cuando digo hola, nadie responde
Cuando digo hola, tú respondes mal
Si te pregunto algo, responde sinceramente
Si digo que estoy triste, di algo bonito
deberías haber dicho eso
deberías haber dicho algo
no, la verdad es que no
no, la respuesta es no
no, dime algo mejor
Quand je dis bonjour, personne ne répond
Quand je dis bonjour, tu réponds mal
Si je te demande quelque chose, réponds franchement
tu aurais dû dire ça
tu aurais dû le dire
non, la réponse est non
non, dis-moi plutôt pourquoi
non, dis autre chose""".splitlines()


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_sentence_is_no_lesson(diary: Diary, text: str) -> None:
    say(diary, ANN, "What is the capital?")
    assert tell(diary, text) is None
    assert lessons(diary) == []


@pytest.mark.parametrize("language", ["english", "spanish", "french"])
def test_what_is_in_the_packaged_corpora_is_no_lesson(diary: Diary, language: str) -> None:
    folder = Path(__file__).parents[2] / "chatbot" / "corpus" / language
    lines = [line.strip(" -\"'") for file in folder.glob("*.yml") for line in file.read_text("utf-8").splitlines()]
    say(diary, ANN, "What is the capital?")
    assert len(lines) > 1000
    assert [line for line in lines if tell(diary, line)] == []


def test_the_reply_says_what_was_learned_in_the_language_of_the_lesson_and_not_at_length(diary: Diary) -> None:
    for text, words in (
        ("When I say ping, answer pong", ("just for you", "“ping”", "“pong”")),
        ("Cuando diga pim, responde pum", ("solo para ti", "«pim»", "«pum»")),
        ("Quand je dis bim, réponds boum", ("rien que pour toi", "« bim »", "« boum »")),
        ("When I say " + "long " * 50 + ", answer " + "{reply} " * 50, ("long …”", "{reply} …”")),
    ):
        learned = tell(diary, text)
        assert learned is not None
        assert all(word in learned.text for word in words)
        assert len(learned.text) < 250


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("When I say ping, answer pong", "You have taught me 200 things"),
        ("Cuando diga ping, responde pong", "Ya me has enseñado 200 cosas"),
        ("Quand je dis ping, réponds pong", "Tu m'as déjà appris 200 choses"),
    ],
)
def test_a_lesson_too_many_is_refused_kindly(diary: Diary, text: str, words: str) -> None:
    for number in range(MOST_LESSONS):
        diary.lessons.teach(ANN, f"prompt {number}", "yes")
    refused = tell(diary, text)
    assert refused is not None
    assert words in refused.text
    assert len(lessons(diary)) == MOST_LESSONS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("When I say ping, answer {}", "1 to 1,000 characters"),
        ("Cuando diga ping, responde {}", "1 a 1000 caracteres"),
        ("Quand je dis ping, réponds {}", "1 à 1000 caractères"),
    ],
)
def test_a_lesson_too_long_is_refused_kindly(diary: Diary, text: str, words: str) -> None:
    refused = tell(diary, text.format("pong " * 201))
    assert refused is not None
    assert words in refused.text
    assert lessons(diary) == []


def test_a_typo_is_understood_but_a_known_word_is_none(diary: Diary) -> None:
    diary.lessons.teach(ANN, "Where is my cat?", "Here.")
    assert tell(diary, "where is my carr", known="where is my cat car") is None
    answer = tell(diary, "wheer is my cat", known="where is my cat car")
    assert answer is not None
    assert answer.text == "Here."
    assert tell(diary, "where is my car", known="where is my cat car") is None


def test_without_a_diary_nothing_is_taught() -> None:
    assert tell(None, "When I say ping, answer pong") is None


LONG = {
    "spaces": "when i say " + " " * 980 + "x",
    "separators": "when I say " + "a, " * 330,
    "quotes": "when i say " + '"a ' * 300,
    "obligations": "when i say " + "then " * 190,
    "commas": "no, say " + ", " * 490 + "x",
    "courtesies": "hey " * 250,
    "noes": "no " * 333,
    "ends": "you should have said" + " instead" * 120 + " x",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_no_message_makes_a_pattern_run_for_hours(diary: Diary, text: str) -> None:
    tell(diary, text)


def test_diego_asks_it_first_and_each_visitor_has_an_own_diego(tmp_path: Path, diary: Diary) -> None:
    corpus = tmp_path / "corpus.csv"
    corpus.write_text("text,reply\nWhat is AI?,A field of research.\n")
    settings = Settings(database_url=url_in(tmp_path), corpora=(str(corpus),))
    with closing(Diego(settings, diary=diary)) as diego:

        def ask(text: str, visitor: str) -> str:
            reply = str(diego.get_response(text, conversation=visitor))
            say(diary, visitor, text, reply=reply)
            return reply

        assert ask("What is AI?", ANN) == "A field of research."
        ask("No, the right answer is: a dream", ANN)
        ask("When I say what is 2 + 2?, answer five", ANN)
        assert ask("What is AI?", ANN) == "a dream"
        assert ask("What is 2 + 2?", ANN) == "five"
        assert ask("What is AI?", BOB) == "A field of research."
        assert "4" in ask("What is 2 + 2?", BOB)
        diary.forget(ANN)
        assert diego.memory.last(ANN) == ""


@pytest.mark.parametrize("language", ["english", "spanish", "french"])
def test_the_lessons_that_diegos_own_replies_show_are_understood(diary: Diary, language: str) -> None:
    example = re.compile(r'(?:when i say|cuando diga|quand je dis) ["«].+?["»].+?["»]', re.IGNORECASE)
    sources = find_sources((f"chatbot.corpus.{language}",))
    shown = {found for source in sources for line in read_corpus(source).lines for found in example.findall(line.text)}
    assert shown
    for lesson in shown:
        assert tell(diary, lesson), lesson
