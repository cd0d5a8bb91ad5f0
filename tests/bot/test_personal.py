from collections.abc import Iterator
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from chatterbot.conversation import Statement

from chatbot.bot.corpora import find_sources
from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego
from chatbot.bot.personal import _GREETINGS, Personal, told_name
from chatbot.bot.skills.wording import plain
from chatbot.bot.turns import Turn
from chatbot.bot.words import key
from chatbot.settings import Settings
from tests.databases import url_in
from tests.skilled import nonsense

TOLD = {
    "My name is Ana": "Ana",
    "my name is ana": "ana",
    "my name's Tom.": "Tom",
    "My name’s Tom!": "Tom",
    "MY NAME IS ANA": "ANA",
    "My name is: Ana": "Ana",
    'my name is "Ana"': "Ana",
    "Call me Ishmael.": "Ishmael",
    "call me 'Al'": "Al",
    "Just call me Chris": "Chris",
    "please call me Sam, please": "Sam",
    "You can call me Liz": "Liz",
    "Can you call me Liz?": "Liz",
    "I'm called Peter": "Peter",
    "I am called Peter": "Peter",
    "Hi, my name is Maria": "Maria",
    "hello there diego my name is maria": "maria",
    "Good morning! I'm called Zoë.": "Zoë",
    "Nice to meet you. My name is Ana.": "Ana",
    "Yes, my name is Ana": "Ana",
    "I like you. My name is Ana.": "Ana",
    "My name is Ana, what's yours?": "Ana",
    "my name is john whats yours": "john",
    "My name is Ana and I'm from Malta": "Ana",
    "My name is Ana, I'm 20 years old": "Ana",
    "my name is ana i am 20": "ana",
    "My name is Ana. What is your name?": "Ana",
    "My name is Ana\nWhat is your name?": "Ana",
    "My name is Ana 😀": "Ana",
    "My name is Ana❤️": "Ana",
    "My name is Ana (with one n)": "Ana",
    "My name is Ana not Anna": "Ana",
    "My name is also Diego": "Diego",
    "My first name is Ana": "Ana",
    "My name is Robert, but you can call me Bob": "Bob",
    "My name is Ana. Call me tomorrow": "Ana",
    "My name is Will": "Will",
    "My name is An": "An",
    "My name is Can": "Can",
    "My name is Ana Maria Lopez": "Ana Maria Lopez",
    "My name is Ludwig van Beethoven": "Ludwig van Beethoven",
    "My name is Conan O'Brien": "Conan O'Brien",
    "My name is D’Angelo Jean-Pierre": "D’Angelo Jean-Pierre",
    "My name is J": "J",
    "My name is " + "A" * 40: "A" * 40,
    "My name is Владимир": "Владимир",
    "My name is 小明": "小明",
    "My name is محمد علي": "محمد علي",
    "My name is علی\u200cرضا": "علی\u200cرضا",
    "My name is अनीता": "अनीता",
    "My name is สมชาย": "สมชาย",
    "My name is Nguyễn": "Nguyễn",
    "my name is 山田。": "山田",
    "Me llamo Carlos": "Carlos",
    "¡Hola! Me llamo Lucía, ¿y tú?": "Lucía",
    "hola me llamo fernanda y tengo 20 años": "fernanda",
    "yo me llamo Ana": "Ana",
    "Mi nombre es Alejandro y el tuyo": "Alejandro",
    "me llamo Valentina y soy de Medellín": "Valentina",
    "Llámame Sofi": "Sofi",
    "llamame Sofi, por favor": "Sofi",
    "puedes llamarme Luis": "Luis",
    "me puedes llamar Luis": "Luis",
    "me llamo María José": "María José",
    "Me llamo Ñusta": "Ñusta",
    "Sí, me llamo Ana.": "Ana",
    "Je m'appelle Marie": "Marie",
    "je m’appelle Marie": "Marie",
    "jm'appelle Lucas": "Lucas",
    "Bonjour, je m'appelle Noé !": "Noé",
    "Bonjour je m'appelle Noé": "Noé",
    "je m'appelle Jean-Pierre": "Jean-Pierre",
    "je m'appelle Mamadou et toi": "Mamadou",
    "Mon nom est Dupont": "Dupont",
    "Mon prénom est Fatima": "Fatima",
    "mon prenom est Fatima": "Fatima",
    "mon prénom, c'est Fatima": "Fatima",
    "Appelle-moi Sam": "Sam",
    "appelle moi Sam stp": "Sam",
    "Appelez-moi Sam, s'il vous plaît": "Sam",
    "Tu peux m'appeler Juju": "Juju",
    "Je m'appelle « Zoé »": "Zoé",
    "Je m'appelle Eva, et vous ?": "Eva",
}

NOT_TOLD = (
    "call me",
    "Call me later",
    "call me back",
    "Call me when you're ready",
    "call me maybe",
    "Call me crazy but I like you",
    "Call me crazy, but I like you",
    "call me Cassandra, but it will rain",
    "call me old-fashioned",
    "call me a taxi",
    "call me an idiot",
    "call me names",
    "call me tomorrow at five",
    "call me at 5",
    "call me on Monday",
    "call me what you like",
    "call me by my name",
    "call me. Thanks",
    "Call me!",
    "call me 555-1234",
    "don't call me Ana",
    "never call me Ana",
    "my friends call me fat",
    "will you call me tonight?",
    "My name is not important",
    "My name isn't important",
    "my name is none of your business",
    "My name is Not Important",
    "MY NAME IS NOT IMPORTANT",
    "My name is a secret",
    "my name is hard to pronounce",
    "my name is the same as yours",
    "my name is spelled with two n",
    "my name is on the list",
    "my name is what?",
    "my name is",
    "my name is ...",
    "my name is -ana",
    "my name is -",
    "my name is 42",
    "my name is R2D2",
    "my name is ana2000",
    "my name is <b>Ana</b>",
    "my name is Ana<script>",
    "my name is Ana & Bob",
    "my name is ana_b",
    "my name is ana@example.com",
    "my name is \u202eAna",
    "my name is 😀",
    "my name is Anna Maria Magdalena Bach",
    "my name is " + "A" * 41,
    "My name was Ana",
    "Is my name Ana?",
    "What is my name?",
    "my dog's name is Rex",
    "He said my name is Ana",
    "I'm called a liar",
    "I'm called upon to help",
    "I'm Ana",
    "I'm tired",
    "I am Michael",
    "it's called Python",
    "me llamo la atención",
    "me llamo mucho la atención",
    "no me llamo Ana",
    "¿cómo me llamo?",
    "llámame mañana",
    "llámame luego",
    "llámame cuando puedas",
    "llámame loco, pero me gusta",
    "llámame un taxi",
    "me llaman gorda",
    "mi nombre es lo de menos",
    "mi nombre no importa",
    "mi nombre es un secreto",
    "mi nombre es secreto",
    "yo me llamo igual que tú",
    "soy María",
    "comment je m'appelle ?",
    "je m'appelle comment ?",
    "je ne m'appelle pas Ana",
    "je m'appelle pas Ana",
    "appelle-moi plus tard",
    "appelle-moi demain",
    "appelle-moi quand tu peux",
    "appelle-moi un taxi",
    "appelle-moi fou, mais j'aime ça",
    "rappelle-moi Paris",
    "rappelle-moi mon nom",
    "mon nom est secret",
    "mon nom n'est pas important",
    "mon nom est un secret",
    "je suis Julien",
)

NAME_ASKED = {
    "You're {}.": (
        "What's my name?",
        "what is my name",
        "whats my name bro",
        "What’s my name again?",
        "Do you know my name?",
        "do you remember my name",
        "Do you still remember my name, Diego?",
        "can you tell me my name",
        "tell me what my name is",
        "Who am I?",
        "do you know who I am",
        "I'm back! What's my name?",
    ),
    "Te llamas {}.": (
        "¿Cómo me llamo?",
        "como me llamo",
        "¿Sabes mi nombre?",
        "¿Sabes cómo me llamo?",
        "¿Recuerdas mi nombre?",
        "¿te acuerdas de mi nombre?",
        "¿Cuál es mi nombre?",
        "dime cómo me llamo",
        "¿quién soy?",
    ),
    "Tu t'appelles {}.": (
        "Comment je m'appelle ?",
        "comment je m’appelle",
        "Comment est-ce que je m'appelle ?",
        "Tu connais mon prénom ?",
        "tu connais mon nom",
        "Est-ce que tu connais mon nom ?",
        "tu te souviens de mon prénom",
        "Tu sais comment je m'appelle ?",
        "quel est mon nom ?",
        "Connais-tu mon prénom ?",
        "qui suis-je ?",
    ),
}

PROMPT_ASKED = {
    "You said: “{}”": (
        "What did I just say?",
        "what did I say",
        "What was my last message?",
        "what was the last thing I said",
        "what did i just ask you",
        "do you remember what I said",
        "repeat what I said",
    ),
    "Has dicho: «{}»": (
        "¿Qué acabo de decir?",
        "que acabo de decirte",
        "¿qué te dije antes?",
        "¿qué dije?",
        "¿Cuál fue mi último mensaje?",
        "¿Qué es lo último que dije?",
    ),
    "Tu as dit : « {} »": (
        "Qu'est-ce que je viens de dire ?",
        "qu’est-ce que je viens de dire",
        "qu'est-ce que j'ai dit ?",
        "je viens de dire quoi",
        "que viens-je de dire ?",
        "quel était mon dernier message ?",
    ),
}

REPLY_ASKED = {
    "I said: “{}”": (
        "What did you just say?",
        "what did you say",
        "What was your last answer?",
        "what was the last thing you said",
        "repeat what you said",
    ),
    "He dicho: «{}»": ("¿Qué acabas de decir?", "¿qué dijiste?", "¿qué me dijiste?", "¿cuál fue tu última respuesta?"),
    "J'ai dit : « {} »": (
        "Qu'est-ce que tu viens de dire ?",
        "qu'est-ce que tu as dit ?",
        "tu as dit quoi",
        "que viens-tu de dire ?",
        "qu'as-tu dit ?",
    ),
}

FORGETTING = {
    "I have forgotten your name.": ("Forget my name", "please forget my name", "Can you forget my name?"),
    "He olvidado tu nombre.": ("Olvida mi nombre", "olvida mi nombre, por favor"),
    "J'ai oublié ton nom.": ("Oublie mon nom", "oublie mon prénom"),
}

NOT_CONCERNED = (
    "What is AI?",
    "who are you?",
    "what is your name",
    "do you have a name",
    "what's the name of your dog",
    "what did he say",
    "what should I say",
    "tell me a joke",
    "I forgot my keys",
    "my name day is in May",
    "¿cómo te llamas?",
    "¿qué hora es?",
    "comment tu t'appelles ?",
    "qui es-tu ?",
    "forget it",
    "hi, how are you?",
    "what did you do today",
)


def pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(prompt, reply) for reply, prompts in table.items() for prompt in prompts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("personal")
    dialogues = [
        ["how are you?", "Fine, thanks."],
        ["hello", "Hi."],
        ["good morning", "Hi."],
        ["tell me a joke", "Ha."],
    ]
    (folder / "small.yml").write_text(yaml.safe_dump({"conversations": dialogues}))
    return folder


@pytest.fixture(scope="module")
def diary(folder: Path) -> Iterator[Diary]:
    with closing(Diary(url_in(folder, "diary.db"))) as diary:
        yield diary


@pytest.fixture(scope="module")
def diego(folder: Path, diary: Diary) -> Iterator[Diego]:
    with closing(made(folder, diary)) as diego:
        yield diego


def made(folder: Path, diary: Diary | None) -> Diego:
    return Diego(Settings(database_url=url_in(folder), corpora=(f"{folder}/small.yml",), skills=()), diary=diary)


class Talk:
    """Visitors who talk to Diego, with their turns kept as the server does."""

    def __init__(self, diego: Diego, diary: Diary, visitor: str) -> None:
        self.diego, self.diary, self.visitor = diego, diary, visitor

    def __call__(self, prompt: str) -> str:
        reply = str(self.diego.get_response(prompt, conversation=self.visitor))
        number = self.diary.turns.last_number(self.visitor) + 1
        self.diary.turns.add(Turn(self.visitor, number, None, prompt, reply, 1.0, "", 0.0), lambda _error: None)
        self.diary.call("nobody", "Nobody")  # what was written before is committed when this is
        return reply

    def is_concerned(self, prompt: str) -> bool:
        return self.diego.get_response(prompt, conversation=self.visitor).receipt.adapter == "Personal"


@pytest.fixture
def say(diego: Diego, diary: Diary, request: pytest.FixtureRequest) -> Talk:
    return Talk(diego, diary, sha256(request.node.name.encode()).hexdigest()[:32])


@pytest.fixture
def other(diego: Diego, diary: Diary, request: pytest.FixtureRequest) -> Talk:
    return Talk(diego, diary, sha256(f"other {request.node.name}".encode()).hexdigest()[:32])


@pytest.mark.parametrize(("text", "name"), TOLD.items())
def test_a_name_that_is_told_is_remembered(say: Talk, text: str, name: str) -> None:
    assert name in say(text)
    assert say.diary.name(say.visitor) == name


@pytest.mark.parametrize("text", NOT_TOLD)
def test_what_is_no_name_is_not_taken_for_one(say: Talk, text: str) -> None:
    say(text)
    assert say.diary.name(say.visitor) is None


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("My name is Ana", "Nice to meet you, Ana. I'll remember that."),
        ("Me llamo Ana", "Mucho gusto, Ana. Lo recordaré."),
        ("Je m'appelle Ana", "Enchanté, Ana. Je m'en souviendrai."),
        ("My name is Ana, what's yours?", "Nice to meet you, Ana. I'll remember that. I'm Diego."),
        ("Me llamo Ana, ¿y tú?", "Mucho gusto, Ana. Lo recordaré. Yo soy Diego."),
        ("Je m'appelle Ana, et toi ?", "Enchanté, Ana. Je m'en souviendrai. Moi, c'est Diego."),
        ("My name is Ana. How are you?", "Nice to meet you, Ana. I'll remember that. Fine, thanks."),
        ("My name is Ana. Xyzzy?", "Nice to meet you, Ana. I'll remember that."),
        ("My name is Ana. What's my name?", "Nice to meet you, Ana. I'll remember that. You're Ana."),
    ],
)
def test_it_is_answered_in_the_language_and_so_is_a_question_behind_it(say: Talk, text: str, reply: str) -> None:
    assert say(text) == reply


def test_another_name_takes_the_place_of_the_first(say: Talk) -> None:
    say("My name is Ana")
    say("Call me Annie")
    assert say("What's my name?") == "You're Annie."


@pytest.mark.parametrize(("prompt", "reply"), pairs(NAME_ASKED))
def test_who_asks_for_the_name_is_told_it(say: Talk, prompt: str, reply: str) -> None:
    say.diary.call(say.visitor, "Zoë {0}")
    assert say(prompt) == reply.format("Zoë {0}")


@pytest.mark.parametrize(
    ("prompt", "how"),
    [("What's my name?", "My name is …"), ("¿Cómo me llamo?", "Me llamo …"), ("Qui suis-je ?", "Je m'appelle …")],
)
def test_who_has_told_no_name_learns_how_to(say: Talk, prompt: str, how: str) -> None:
    assert how in say(prompt)


@pytest.mark.parametrize(("prompt", "reply"), pairs(PROMPT_ASKED))
def test_what_the_visitor_said_last_is_quoted(say: Talk, prompt: str, reply: str) -> None:
    say("tell me a joke")
    say("{xyzzy}")
    assert say(prompt) == reply.format("{xyzzy}")


@pytest.mark.parametrize(("prompt", "reply"), pairs(REPLY_ASKED))
def test_what_diego_said_last_is_quoted(say: Talk, prompt: str, reply: str) -> None:
    say("tell me a joke")
    assert say(prompt) == reply.format("Ha.")


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("What did I just say?", "Nothing yet"),
        ("¿Qué acabo de decir?", "Nada todavía"),
        ("Qu'est-ce que je viens de dire ?", "Rien encore"),
        ("What did you just say?", "Nothing yet"),
        ("¿Qué acabas de decir?", "Nada todavía"),
        ("Qu'est-ce que tu viens de dire ?", "Rien encore"),
    ],
)
def test_that_nothing_was_said_before_is_said(say: Talk, prompt: str, reply: str) -> None:
    assert say(prompt).startswith(reply)


@pytest.mark.parametrize(("prompt", "reply"), pairs(FORGETTING))
def test_a_name_is_forgotten_for_whom_asks(say: Talk, other: Talk, prompt: str, reply: str) -> None:
    nothing = say(prompt)
    assert not nothing.startswith(reply)
    say("My name is Ana")
    other("My name is Bob")
    assert say(prompt).startswith(reply)
    assert say.diary.name(say.visitor) is None
    assert other.diary.name(other.visitor) == "Bob"
    assert say(prompt) == nothing


def test_visitors_do_not_know_of_each_other(say: Talk, other: Talk) -> None:
    say("My name is Ana")
    assert "haven't told me" in other("What's my name?")
    assert "Ana" not in other("hello")
    other("Call me Bob")
    other("xyzzy")
    assert say("What's my name?") == "You're Ana."
    assert say("What did I just say?") == "You said: “What's my name?”"
    assert other("What's my name?") == "You're Bob."


def test_it_is_remembered_over_a_restart(tmp_path: Path, folder: Path) -> None:
    url = url_in(tmp_path, "diary.db")
    with ExitStack() as stack:
        diary = stack.enter_context(closing(Diary(url)))
        Talk(stack.enter_context(closing(made(folder, diary))), diary, "one")("My name is Ana")
    with ExitStack() as stack:
        diary = stack.enter_context(closing(Diary(url)))
        say = Talk(stack.enter_context(closing(made(folder, diary))), diary, "one")
        assert say("What did I just say?") == "You said: “My name is Ana”"
        assert say("What's my name?") == "You're Ana."


@pytest.mark.parametrize(
    ("greeting", "reply"),
    [
        ("hi", "Hello, Ana!"),
        ("Hello, Diego!", "Hello, Ana!"),
        ("Good morning", "Good morning, Ana!"),
        ("¡Hola!", "¡Hola, Ana!"),
        ("buenos días", "¡Buenos días, Ana!"),
        ("Bonjour !", "Bonjour, Ana !"),
        ("salut", "Salut, Ana !"),
    ],
)
def test_a_visitor_with_a_name_is_greeted_by_it_once(say: Talk, greeting: str, reply: str) -> None:
    say.diary.call(say.visitor, "Ana")
    assert say(greeting).startswith(reply)
    assert "Ana" not in say(greeting)
    for _ in range(12):
        say("tell me a joke")
    assert say(greeting).startswith(reply)


def test_a_name_within_another_word_is_not_the_name(say: Talk) -> None:
    say.diary.call(say.visitor, "H")
    say("tell me a joke")
    assert say("hello").startswith("Hello, H!")


@pytest.mark.parametrize("prompt", ["hello", "hi", "hola", "bonjour"])
def test_a_visitor_without_a_name_is_greeted_as_before(say: Talk, prompt: str) -> None:
    assert not say.is_concerned(prompt)


def test_greetings_are_looked_up_by_keys() -> None:
    assert {greeting: key(greeting) for greeting in _GREETINGS} == {greeting: greeting for greeting in _GREETINGS}


@pytest.mark.parametrize("prompt", NOT_CONCERNED)
def test_other_messages_are_left_alone(say: Talk, prompt: str) -> None:
    say("My name is Ana")
    assert not say.is_concerned(prompt)


def test_most_messages_are_left_alone_at_a_glance(diego: Diego) -> None:
    personal = diego.logic_adapters[1]
    assert isinstance(personal, Personal)
    cheap = ("What is AI?", "tell me a joke", "how are you?", "what time is it?", "¿qué haces?", "ça va ?", "x" * 1000)
    assert not any(personal.can_process(Statement(text, search_text=key(text))) for text in cheap)


def test_without_a_diary_nothing_is_claimed(folder: Path) -> None:
    with closing(made(folder, None)) as diego:
        replies = [diego.get_response(text) for text in ("My name is Ana", "What's my name?", "What did I say?")]
        assert {reply.receipt.adapter for reply in replies} == {"KnownPrompt"}
        assert not diego.logic_adapters[1].can_process(Statement("My name is Ana", search_text="my name is ana"))


def test_all_that_the_corpus_knows_as_questions_for_the_name_is_answered(say: Talk) -> None:
    say.diary.call(say.visitor, "Ana")
    for language in ("english", "spanish", "french"):
        for prompt in topic(language, "what-is-my-name"):
            assert "Ana" in say(prompt), prompt


def topic(language: str, name: str) -> list[str]:
    (path,) = (s.path for s in find_sources((f"chatbot.corpus.{language}",)) if s.path.name == "learning.yml")
    _, _, rest = path.read_text().partition(f"# {name}\n")
    dialogues = yaml.safe_load(rest.partition("\n#")[0])
    return list(dict.fromkeys(prompt for prompt, *_ in dialogues))


def test_nonsense_is_no_name() -> None:
    for text in nonsense():
        told_name(text)
        assert told_name(f"{text}. my name isn't known") is None


def test_a_name_that_a_message_tells_again_and_again_is_written_once(
    say: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(say.diary, "call", lambda _visitor, name: written.append(name))
    say.diego.get_response("call me Ana? " * 45, conversation=say.visitor)
    assert written == ["Ana"]


def test_no_long_text_is_looked_at_for_questions(say: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def noted(text: str) -> str:
        lengths.append(len(text))
        return plain(text)

    monkeypatch.setattr("chatbot.bot.personal.plain", noted)
    say("What's my name? " + "\ufdfa " * 480)
    assert 0 < max(lengths) <= 120
