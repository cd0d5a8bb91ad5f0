from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbot.bot.skills.count import ClientCount
from tests.skilled import ask, nonsense, seconds, skilled

ENGLISH = [
    "How many people are you talking to currently?",
    "how many people are you talking to",
    "How many people are you talking to right now?",
    "How many people are you currently talking to?",
    "how many people are you chatting with",
    "how many others are you talking to",
    "How many other people are you talking to at the moment?",
    "how many users are you serving",
    "how many people are you talking to at once?",
    "how many people are you talking to at the same time",
    "how many are you talking to",
    "Hey Diego, how many people are you talking to?",
    "Can you tell me how many people you are talking to?",
    "Do you know how many people are online?",
    "how many people are online here now",
    "Who else is connected on this server?",
    "how many users are online",
    "How many people are online right now?",
    "how many clients are connected",
    "How many clients are there?",
    "how many clients do you have",
    "how many users do you have right now",
    "how many people are here",
    "how many people are there in this chat",
    "how many of us are there",
    "how many of us are here",
    "how many are online",
    "how many are we",
    "how many people are using you right now",
    "how many people are talking to you",
    "how many people besides me are you talking to?",
    "how many conversations are you having",
    "how many people are connected to you",
    "number of clients",
    "Number of users online",
    "what's the number of connected clients?",
    "client count",
    "what is the current user count?",
    "who else is here?",
    "Who's online?",
    "who else is online",
    "who else are you talking to?",
    "Who else is chatting with you?",
    "am I the only one here",
    "Am I the only one talking to you?",
    "am i the only person you're talking to?",
    "Am I alone here?",
    "are we alone here?",
    "is it just me here?",
    "is anybody else chatting with you",
    "Is anyone else here?",
    "is there anyone else online?",
    "Is someone else talking to you right now?",
    "are there other people here?",
    "are there any other users online?",
    "are you talking to anyone else?",
    "Are you talking to other people?",
    "are you talking to someone else right now",
    "are you talking to other people besides me",
    "are you only talking to me?",
    "how busy are you",
    "How busy are you right now?",
    "how crowded is it here",
    "do you have other visitors?",
    "HOW MANY PEOPLE ARE YOU TALKING TO???",
    "I wonder how many people you are talking to",
    "so, how many people are you talking to right now, please?",
    "how many users online",
    "how many people online?",
    "how many people are chatting right now",
    "anyone else here?",
    "anybody else online?",
    "how many people do you talk to right now",
    "How many people do you talk to at the same time?",
    "how many chats do you have going on",
    "with how many people are you talking?",
    "to how many people are you talking right now",
    "how many people are currently connected",
    "what's the client count",
    "whos here",
    "who is here?",
    "am i your only user",
    "are you busy talking to other people?",
    "How many simultaneous users do you have?",
    "how many active users are there?",
    "are there many people online?",
    "is anyone else using you",
    "How many people are chatting with you currently?",
    "Who are you talking to right now?",
    "Who are you talking to besides me?",
]
SPANISH = [
    "¿Con cuántas personas estás hablando?",
    "¿Con cuánta gente estás hablando ahora mismo?",
    "con cuantas personas hablas",
    "¿Cuántas personas hay conectadas?",
    "cuantos usuarios hay en linea",
    "¿Cuántos usuarios están conectados ahora?",
    "¿cuánta gente hay aquí?",
    "cuántos clientes hay",
    "cuantos somos aqui",
    "¿Quién más está aquí?",
    "¿quién más está hablando contigo?",
    "¿Hay alguien más?",
    "hay alguien mas en linea",
    "¿Soy el único aquí?",
    "soy la única que habla contigo",
    "¿Estoy solo aquí?",
    "¿Estás hablando con alguien más?",
    "hablas con otras personas ahora",
    "número de usuarios conectados",
    "Hola Diego, ¿con cuántas personas estás hablando?",
    "¿A cuántas personas estás atendiendo?",
]
FRENCH = [
    "À combien de personnes parles-tu ?",
    "Avec combien de personnes es-tu en train de parler ?",
    "avec combien de gens tu parles",
    "Tu parles à combien de personnes en ce moment ?",
    "Combien de personnes sont en ligne ?",
    "combien d'utilisateurs sont connectés",
    "Combien y a-t-il de personnes ici ?",
    "il y a combien de personnes connectées",
    "Combien sommes-nous ici ?",
    "on est combien ici",
    "Qui d'autre est là ?",
    "qui est en ligne",
    "Y a-t-il quelqu'un d'autre ?",
    "Est-ce qu'il y a quelqu'un d'autre ici ?",
    "Suis-je le seul ici ?",
    "je suis la seule à te parler ?",
    "Est-ce que je suis seul ici ?",
    "Est-ce que tu parles à quelqu'un d'autre ?",
    "nombre d'utilisateurs en ligne",
    "Salut Diego, combien de personnes sont connectées s'il te plaît ?",
]
NEAR_MISSES = [
    "how many people live in France",
    "how many people have you killed",
    "who are you talking about",
    "how many people are there in the world",
    "how many people are there",
    "how many people have you talked to",
    "how many people can you talk to at once",
    "how many people do you know",
    "how many friends do you have",
    "are you talking to me",
    "who are you",
    "who are you talking to",
    "who is there",
    "who's there?",
    "who else",
    "is anyone there?",
    "is anybody home",
    "are we alone in the universe",
    "am i alone",
    "am i the only one who likes jazz",
    "am I the only one who thinks this is odd",
    "are you alone",
    "are you busy",
    "is it just me or is it hot in here",
    "how many languages are there",
    "how many planets are there",
    "how many clients does Google have",
    "what is the number of people in London",
    "how many people died today",
    "how many users does facebook have",
    "who is here to stay",
    "is somebody else better than me",
    "are there other people like you",
    "are there other planets",
    "do you talk to yourself",
    "do you like talking to people",
    "count to ten",
    "who else knows about this",
    "how busy is the airport",
    "you are the only one for me",
    "are you the only one here",
    "¿cuántas personas viven en Francia?",
    "¿quién eres?",
    "¿cuántos años tienes?",
    "¿hay vida en Marte?",
    "combien de personnes vivent en France",
    "combien ça coûte",
    "qui es-tu",
    "qui est là",
    "Qui est le président ?",
    "how many people are you",
    "how many people are you in love with",
    "i am the only one here who works",
    "who else was president",
    "tell me about other people",
]

ALONE = {
    "en": {"Just you.", "Only you right now.", "Nobody but you at the moment."},
    "es": {"Solo tú.", "Ahora mismo, solo tú.", "Nadie más que tú, por el momento."},
    "fr": {"Rien que toi.", "Toi seulement, en ce moment.", "Personne d'autre que toi pour l'instant."},
}


def replies(question: str, count: int) -> set[str | None]:
    skill = skilled(ClientCount, count_clients=lambda: count)
    return {ask(skill, question) for _ in range(60)}


@pytest.mark.parametrize(
    ("question", "language"),
    [(question, "en") for question in ENGLISH]
    + [(question, "es") for question in SPANISH]
    + [(question, "fr") for question in FRENCH],
)
def test_it_answers_in_the_language_of_the_question(question: str, language: str) -> None:
    skill = skilled(ClientCount, count_clients=lambda: 1)
    assert ask(skill, question) in ALONE[language]
    assert ask(skill, question.upper().rstrip("?!. ")) in ALONE[language]


@pytest.mark.parametrize("message", NEAR_MISSES)
def test_it_leaves_other_questions_alone(message: str) -> None:
    skill = skilled(ClientCount, count_clients=lambda: 1)
    assert skill.answer(message) is None
    assert skill.answer(message + "?") is None


@pytest.mark.parametrize("question", ["who else is here?", "¿quién más está aquí?", "qui d'autre est là ?"])
def test_it_says_how_many_there_are(question: str) -> None:
    assert all("2" in str(reply) for reply in replies(question, 2))
    assert all("37" in str(reply) for reply in replies(question, 37))
    assert all("1,234" in str(reply) for reply in replies(question, 1234))


@pytest.mark.parametrize("count", [0, 1])
def test_whoever_asks_is_there(count: int) -> None:
    assert replies("who else is here?", count) == ALONE["en"]


@pytest.mark.parametrize("count", [2, 3])
def test_it_does_not_always_say_the_same(count: int) -> None:
    assert len(replies("who else is here?", count)) == 3


def test_two_are_a_case_of_their_own() -> None:
    assert "2 people: you and one other." in replies("who else is here?", 2)


def test_the_number_is_the_one_at_the_time_of_the_question() -> None:
    counts = iter([5, 6])
    skill = skilled(ClientCount, count_clients=lambda: next(counts))
    assert "5" in str(ask(skill, "how many users are online"))
    assert "6" in str(ask(skill, "how many users are online"))


def test_it_says_nothing_for_a_chatbot_that_counts_nobody() -> None:
    assert skilled(ClientCount).answer("how many users are online") is None


def test_it_stands_whatever_is_said() -> None:
    skill = skilled(ClientCount, count_clients=lambda: 3)
    assert max(seconds(skill, text) for text in nonsense()) < 1


def test_threads_share_it() -> None:
    skill = skilled(ClientCount, count_clients=lambda: 1)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(skill.answer, [ENGLISH[0], NEAR_MISSES[0]] * 200))
    assert set(said[::2]) == ALONE["en"]
    assert set(said[1::2]) == {None}
