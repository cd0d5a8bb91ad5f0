from datetime import UTC, datetime, tzinfo

import pytest
import pytz

from chatbot.bot.skills.clock import Clock
from tests.skilled import ask, nonsense, seconds, skilled

FRIDAY = datetime(2026, 3, 6, 17, 5, tzinfo=UTC)


class FixedClock(Clock):
    instant = FRIDAY

    def now(self, zone: tzinfo | None) -> datetime:
        return self.instant.astimezone(zone or UTC)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return skilled(FixedClock)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what time is it", "It is 17:05 on Friday here, where I run (UTC)."),
        ("What time is it?", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what time is it in tokyo", "It is 02:05 on Saturday in Tokyo, Japan."),
        ("time in berlin?", "It is 18:05 on Friday in Berlin, Germany."),
        ("current time", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what's the time?", "It is 17:05 on Friday here, where I run (UTC)."),
        ("What's the current time in New York?", "It is 12:05 on Friday in New York, the USA."),
        ("Do you have the time?", "It is 17:05 on Friday here, where I run (UTC)."),
        ("can you tell me the time", "It is 17:05 on Friday here, where I run (UTC)."),
        ("tell me the time please", "It is 17:05 on Friday here, where I run (UTC)."),
        ("do you know what time it is in Sydney?", "It is 04:05 on Saturday in Sydney, Australia."),
        ("what time is it now in Moscow", "It is 20:05 on Friday in Moscow, Russia."),
        ("What time is it right now in London?", "It is 17:05 on Friday in London, the UK."),
        ("what time is it in the uk", "It is 17:05 on Friday in the UK."),
        ("what time is it in the USA?", "It is 12:05 on Friday in New York. There are other time zones in the USA."),
        ("what time is it in germany", "It is 18:05 on Friday in Germany."),
        ("What time is it in Boston, Massachusetts?", "It is 12:05 on Friday in Boston, the USA."),
        ("what time is it in Paris, France", "It is 18:05 on Friday in Paris, France."),
        ("what time is it in Washington, D.C.?", "It is 12:05 on Friday in Washington D.C., the USA."),
        ("what time is it in St. Petersburg", "It is 20:05 on Friday in St Petersburg, Russia."),
        ("what time is it in georgia", "It is 21:05 on Friday in Georgia."),
        ("what time is it in UTC", "It is 17:05 on Friday in UTC."),
        ("time in utc", "It is 17:05 on Friday in UTC."),
        ("local time in Mumbai", "It is 22:35 on Friday in Mumbai, India."),
        ("what time is it for you?", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what time is it where you are", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what is the time in são paulo", "It is 14:05 on Friday in São Paulo, Brazil."),
        ("what time is it in china", "It is 01:05 on Saturday in Beijing. There are other time zones in China."),
        ("what time is it in spain", "It is 18:05 on Friday in Madrid. There are other time zones in Spain."),
        ("what time is it in Australia", "It is 04:05 on Saturday in Sydney. There are other time zones in Australia."),
        ("what time is it in the netherlands", "It is 18:05 on Friday in the Netherlands."),
        ("what time is it in Bosnia and Herzegovina", "It is 18:05 on Friday in Bosnia and Herzegovina."),
        ("what time is it in california", "It is 09:05 on Friday in California, the USA."),
        ("what time is it in singapore", "It is 01:05 on Saturday in Singapore."),
        ("what time is it in Luxembourg?", "It is 18:05 on Friday in Luxembourg."),
        ("what time is it in Cordoba", "It is 14:05 on Friday in Cordoba, Argentina."),
        ("what time is it in Kathmandu", "It is 22:50 on Friday in Kathmandu, Nepal."),
        ("what time is it in Ho Chi Minh City", "It is 00:05 on Saturday in Ho Chi Minh City, Vietnam."),
        ("what time is it at the moment", "It is 17:05 on Friday here, where I run (UTC)."),
        ("time now", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what's the date today", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("What is the date?", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what day is it tomorrow", "Tomorrow is Saturday, 7 March 2026, here, where I run (UTC)."),
        ("what day is it", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("What day is today?", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what day of the week is it?", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what is today's date", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("What's today's date?", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("today's date", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what day was yesterday", "Yesterday was Thursday, 5 March 2026, here, where I run (UTC)."),
        (
            "what day is the day after tomorrow",
            "The day after tomorrow is Sunday, 8 March 2026, here, where I run (UTC).",
        ),
        ("what's the date in Auckland", "Today is Saturday, 7 March 2026, in Auckland, New Zealand."),
        ("what's tomorrow's date?", "Tomorrow is Saturday, 7 March 2026, here, where I run (UTC)."),
        ("what is today", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what year is it", "It is 2026."),
        ("What year are we in?", "It is 2026."),
        ("what month is it", "It is March 2026."),
        ("what's the current year", "It is 2026."),
        ("is it monday", "No, today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("Is it Friday?", "Yes, today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("is today friday", "Yes, today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("is tomorrow saturday", "Yes, tomorrow is Saturday, 7 March 2026, here, where I run (UTC)."),
        ("is it the weekend yet?", "No, today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("is it march", "Yes, today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("was yesterday sunday", "No, yesterday was Thursday, 5 March 2026, here, where I run (UTC)."),
        ("what's the date and time", "Today is Friday, 6 March 2026, here, where I run (UTC). It is 17:05 on Friday."),
        ("fecha y hora", "Hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC). Son las 17:05 del viernes."),
        (
            "what is the time and date in Tokyo",
            "Today is Saturday, 7 March 2026, in Tokyo, Japan. It is 02:05 on Saturday.",
        ),
        ("Hey Diego, what time is it?", "It is 17:05 on Friday here, where I run (UTC)."),
        ("qué hora es", "Son las 17:05 del viernes aquí, donde funciono (UTC)."),
        ("¿Qué hora es?", "Son las 17:05 del viernes aquí, donde funciono (UTC)."),
        (
            "¿Qué hora es en México?",
            "Son las 11:05 del viernes en Ciudad de México. Hay otros husos horarios en México.",
        ),
        ("que hora es en nueva york", "Son las 12:05 del viernes en Nueva York, Estados Unidos."),
        (
            "¿Qué hora es en Estados Unidos?",
            "Son las 12:05 del viernes en Nueva York. Hay otros husos horarios en Estados Unidos.",
        ),
        ("¿qué hora es ahora en Japón?", "Son las 02:05 del sábado en Japón."),
        ("hora en Madrid", "Son las 18:05 del viernes en Madrid, España."),
        ("¿Tienes hora?", "Son las 17:05 del viernes aquí, donde funciono (UTC)."),
        ("¿Me dices la hora, por favor?", "Son las 17:05 del viernes aquí, donde funciono (UTC)."),
        ("¿Qué día es hoy?", "Hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("que dia es mañana", "Mañana es sábado, 7 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("¿Qué fecha es hoy?", "Hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("¿A qué fecha estamos?", "Hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("¿En qué año estamos?", "Estamos en 2026."),
        ("¿En qué mes estamos?", "Estamos en marzo de 2026."),
        ("¿Es lunes?", "No, hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("¿Hoy es viernes?", "Sí, hoy es viernes, 6 de marzo de 2026, aquí, donde funciono (UTC)."),
        ("Quelle heure est-il ?", "Il est 17:05, vendredi, ici, là où je tourne (UTC)."),
        ("quelle heure est-il à Montréal", "Il est 12:05, vendredi (Montréal, Canada)."),
        ("il est quelle heure à montréal là ?", "Il est 12:05, vendredi (Montréal, Canada)."),
        ("Quelle heure est-il en Allemagne ?", "Il est 18:05, vendredi (Allemagne)."),
        (
            "quelle heure est-il aux États-Unis ?",
            "Il est 12:05, vendredi (New York). Il y a d'autres fuseaux horaires (États-Unis).",
        ),
        ("il est quelle heure au Japon", "Il est 02:05, samedi (Japon)."),
        ("Il est quelle heure à La Réunion", "Il est 21:05, vendredi (Réunion)."),
        ("Tu as l'heure ?", "Il est 17:05, vendredi, ici, là où je tourne (UTC)."),
        ("l'heure à Pékin", "Il est 01:05, samedi (Pékin, Chine)."),
        ("quel jour sommes-nous", "Aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC)."),
        ("Quel jour on est ?", "Aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC)."),
        (
            "on est quel jour aujourd'hui ?",
            "Aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC).",
        ),
        ("quel jour serons-nous demain", "Demain, ce sera le samedi 7 mars 2026, ici, là où je tourne (UTC)."),
        (
            "Quelle est la date d'aujourd'hui ?",
            "Aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC).",
        ),
        ("On est le combien ?", "Aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC)."),
        ("En quelle année sommes-nous ?", "Nous sommes en 2026."),
        ("quel mois sommes-nous", "Nous sommes en mars 2026."),
        ("on est lundi ?", "Non, aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC)."),
        (
            "est-ce que c'est vendredi aujourd'hui",
            "Oui, aujourd'hui, nous sommes le vendredi 6 mars 2026, ici, là où je tourne (UTC).",
        ),
        ("quelle heure est-il au Caire", "Il est 19:05, vendredi (Le Caire, Égypte)."),
        ("what time is it in Tokyo right now?", "It is 02:05 on Saturday in Tokyo, Japan."),
        ("WHAT TIME IS IT IN NYC???", "It is 12:05 on Friday in NYC, the USA."),
        ("what is the day today", "Today is Friday, 6 March 2026, here, where I run (UTC)."),
        ("what time is it over in Ireland", "It is 17:05 on Friday in Ireland."),
        ("time in Tokyo please", "It is 02:05 on Saturday in Tokyo, Japan."),
        ("quelle heure est-il à l'île Maurice", "Il est 21:05, vendredi (Île Maurice)."),
        ("what time is it in Hong Kong", "It is 01:05 on Saturday in Hong Kong."),
        ("what hour is it", "It is 17:05 on Friday here, where I run (UTC)."),
        ("what time is it Diego", "It is 17:05 on Friday here, where I run (UTC)."),
    ],
)
def test_it_answers(clock: Clock, question: str, answer: str) -> None:
    assert ask(clock, question) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "what time is it in paris texas",
            "I don't know that place, sorry. If you name its country or a large city near it, I can tell.",
        ),
        (
            "what time is it in London, Ontario",
            "I don't know that place, sorry. If you name its country or a large city near it, I can tell.",
        ),
        (
            "what time is it in Narnia?",
            "I don't know that place, sorry. If you name its country or a large city near it, I can tell.",
        ),
        (
            "what time is it in Congo",
            "I don't know that place, sorry. If you name its country or a large city near it, I can tell.",
        ),
        (
            "¿qué hora es en Mordor?",
            "No conozco ese lugar, lo siento. Si nombras su país o una ciudad grande cercana, te lo digo.",
        ),
        (
            "Quelle heure est-il à Poudlard ?",
            "Je ne connais pas cet endroit, désolé. Avec son pays ou une grande ville proche, je peux te répondre.",
        ),
    ],
)
def test_it_says_that_it_does_not_know_a_place(clock: Clock, question: str, answer: str) -> None:
    assert ask(clock, question) == answer


@pytest.mark.parametrize(
    "message",
    [
        "what time is it in the morning",
        "what time is it in an hour",
        "what time is it in 5 minutes",
        "what time do you close",
        "time flies",
        "do you have time",
        "what is time",
        "the last time I was in Paris",
        "how is the weather in Paris",
        "time",
        "time?",
        "have a good time",
        "what day is Christmas",
        "what time is the train in Berlin",
        "what time is it there",
        "what time does the store open in Boston",
        "in time",
        "just in time for tea",
        "the time of my life",
        "it is time to go",
        "what year did the war end",
        "what day were you born",
        "what is a date",
        "who is the date",
        "do you have time in Berlin",
        "is it raining",
        "is it may or june",
        "i have time in july",
        "monday",
        "today is monday",
        "it is friday",
        "time in prison",
        "what month has 28 days",
        "date me",
        "what is the meaning of the day",
        "the best day of the year",
        "que tiempo hace en Madrid",
        "a que hora cierras",
        "no tengo hora",
        "il est tard",
        "a quelle heure fermes-tu",
        "quel temps fait-il",
        "what is the time complexity of quicksort",
        "what time was it in Paris when it happened",
        "what time is it in Boston when it is noon in London and Paris",
        "space and time",
        "how many days are in a year",
        "christmas time",
        "what time is Christmas",
        "what's the time there",
        "whats the time mr wolf",
        "time zone",
    ],
)
def test_it_leaves_other_messages_alone(clock: Clock, message: str) -> None:
    assert clock.answer(message) is None


@pytest.mark.parametrize(
    ("question", "day", "answer"),
    [
        ("is it the weekend?", 7, "Yes"),
        ("is it the weekend?", 8, "Yes"),
        ("is it the weekend?", 9, "No"),
        ("is it monday?", 9, "Yes"),
        ("is tomorrow monday?", 8, "Yes"),
        ("is it march?", 31, "Yes"),
        ("is it may?", 31, "No"),
        ("¿es fin de semana?", 7, "Sí"),
        ("on est le week-end ?", 7, "Oui"),
        ("c'est dimanche ?", 7, "Non"),
    ],
)
def test_it_says_yes_or_no(monkeypatch: pytest.MonkeyPatch, clock: Clock, question: str, day: int, answer: str) -> None:
    monkeypatch.setattr(clock, "instant", FRIDAY.replace(day=day))
    assert str(ask(clock, question)).split(",")[0] == answer


def test_summer_time_counts(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(clock, "instant", FRIDAY.replace(month=7))
    assert ask(clock, "time in London") == "It is 18:05 on Monday in London, the UK."


def test_spanish_has_one_hour_in_the_singular(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(clock, "instant", FRIDAY.replace(hour=1))
    assert ask(clock, "qué hora es") == "Es la 01:05 del viernes aquí, donde funciono (UTC)."


def test_it_goes_by_the_clock_of_the_machine() -> None:
    clock = skilled(Clock)
    before, now, after = datetime.now(UTC), clock.now(pytz.timezone("Asia/Tokyo")), datetime.now(UTC)
    assert before <= now <= after
    assert now.tzname() == "JST"
    assert clock.now(None).utcoffset() == datetime.now().astimezone().utcoffset()


def test_it_stands_whatever_is_said(clock: Clock) -> None:
    assert max(seconds(clock, text) for text in nonsense()) < 1


@pytest.mark.parametrize(
    "text", ["What day is it today, I've lost track", "Hello. What day is it today? I've lost track."]
)
def test_a_question_may_stand_beside_something_else(clock: Clock, text: str) -> None:
    assert "today is" in str(ask(clock, text)).lower()
