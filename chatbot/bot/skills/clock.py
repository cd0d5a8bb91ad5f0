"""What time it is and what day, where Diego runs and elsewhere."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import pytz

from chatbot.bot.skills.places import Place, Places, has_several_times, main_city
from chatbot.bot.skills.skill import Skill
from chatbot.bot.skills.wording import core, plain

_FRENCH_THERE = re.compile(r"\slà(?=\W*$)", re.IGNORECASE)  # it means nothing; without its accent, Los Angeles
_MOST_WORDS = 4  # of a place's name; more are another question
_OTHER_TIMES = re.compile(
    r"[0-9]|\b(?:hours?|minutes?|morning|afternoon|evening|night|horas?|minutos?|tarde|noche|heures?|matin|soir)\b"
)


class _Language(NamedTuple):
    """How a language asks, each in plain words and all of them, and how it answers.

    `asked` maps a kind of question to its wordings, `in_place` is what may follow these. A kind with a ? is a question
    for the time only if its place is known.
    """

    column: int
    asked: dict[str, str]
    now: str
    in_place: str
    here: tuple[str, ...]
    days: dict[str, int]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    weekend: str
    is_here: str
    is_there: str
    relative: dict[int, str]
    time: str
    date: str
    month: str
    year: str
    yes: str
    no: str
    others: str
    unknown: str


_DAYS = {
    "the day before yesterday": -2,
    "yesterday": -1,
    "today": 0,
    "tomorrow": 1,
    "the day after tomorrow": 2,
    "yesterdays": -1,
    "todays": 0,
    "tomorrows": 1,
}
_DIAS = {"anteayer": -2, "ayer": -1, "hoy": 0, "manana": 1, "pasado manana": 2}
_JOURS = {"avant hier": -2, "hier": -1, "aujourdhui": 0, "daujourdhui": 0, "demain": 1, "apres demain": 2}

_ENGLISH = _Language(
    column=0,
    asked={
        "time": "what (?:time|hour) (?:is it|it is|do you have|have you got)|(?:whats|what is|"
        "tell) the (?:current |local "
        "|exact )?time|what the time is|(?:do you have|have you got|got|you got) the time",
        "time?": "(?:the )?(?:current|local) time|the time|tell time|time(?= (?:in|now|right now)\\b)",
        "date": "(?:what|which) (?:day|date|weekday)(?: of the week)? (?:is|was|will)(?: it)?(?: be)?(?: DAY)?|"
        "what (?:day|date)(?: of the week)? (?:it|today) is(?: today)?|"
        "(?:whats|what is) the (?:current )?(?:date|day)(?: of the week)?(?:(?: of)? DAY)?|"
        "(?:(?:whats|what is) )?(?:todays|tomorrows|yesterdays) (?:date|day)|(?:whats|what is) (?:today|tomorrow)|"
        "(?:the )?current (?:date|day)|(?:the )?date today|the date",
        "both": "(?:(?:whats|what is|what are) )?(?:the )?(?:current )?(?:date and time|time and date|"
        "day and time|time and day)",
        "month": "(?:what|which) month (?:is it|it is|is this|are we in)|(?:(?:whats|what is) )?the (?:current )?month",
        "year": "(?:what|which) year (?:is it|it is|is this|are we in)|(?:(?:whats|what is) )?the (?:current )?year|"
        "current year",
        "named": "(?:is|isnt|was|will) (?:it|DAY)(?: be)?(?: already| a| the| really)* NAMED(?: yet|"
        " already)?(?: DAY)?",
    },
    now="(?:right now|now|currently|at the moment|at this moment|exactly)",
    in_place="(?:in|over in|for)",
    here=(
        "here",
        "in here",
        "where you are",
        "where you live",
        "where you run",
        "at your place",
        "for you",
        "there with you",
    ),
    days=_DAYS,
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    weekend="weekend",
    is_here=" here, where I run",
    is_there=" in {}",
    relative={
        -2: "the day before yesterday was",
        -1: "yesterday was",
        0: "today is",
        1: "tomorrow is",
        2: "the day after tomorrow is",
    },
    time="It is {clock} on {weekday}{where}.",
    date="{relative} {weekday}, {day} {month} {year},{where}.",
    month="It is {month} {year}.",
    year="It is {year}.",
    yes="Yes, ",
    no="No, ",
    others="There are other time zones in {}.",
    unknown="I don't know that place, sorry. If you name its country or a large city near it, I can tell.",
)

_SPANISH = _Language(
    column=1,
    asked={
        "time": "que horas? (?:es|son|tienes|tiene|sera)|cual es la hora(?: actual)?|(?:me das|tienes) (?:la )?hora",
        "time?": "la hora(?: actual)?|hora actual|hora(?= en\\b)",
        "date": "(?:que|cual) (?:dia|fecha)(?: de la semana)? (?:es|fue|sera|era|tenemos)(?: DAY)?|"
        "DAY que (?:dia|fecha) es|"
        "cual es la fecha(?: de DAY| actual)?|(?:a|en) que (?:fecha|dia) estamos(?: DAY)?|a cuantos? estamos(?: DAY)?|"
        "(?:la )?fecha (?:de DAY|actual)|la fecha",
        "both": "(?:la )?(?:fecha y (?:la )?hora|hora y (?:la )?fecha)",
        "month": "en que mes estamos|que mes es(?: este)?",
        "year": "(?:en )?que ano (?:estamos|es)(?: este)?",
        "named": "(?:DAY )?(?:ya )?(?:es|sera|fue|era)(?: DAY)?(?: ya)? (?:el )?NAMED(?: ya)?(?: DAY)?",
    },
    now="(?:ahora mismo|ahora|ahorita|ya|actualmente|en este momento)",
    in_place="(?:en|para)",
    here=("aqui", "ahi", "donde estas", "donde vives"),
    days=_DIAS,
    weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    months=(
        *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
        *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ),
    weekend="fin de semana",
    is_here=" aquí, donde funciono",
    is_there=" en {}",
    relative={-2: "anteayer fue", -1: "ayer fue", 0: "hoy es", 1: "mañana es", 2: "pasado mañana es"},
    time="{son_las} {clock} del {weekday}{where}.",
    date="{relative} {weekday}, {day} de {month} de {year},{where}.",
    month="Estamos en {month} de {year}.",
    year="Estamos en {year}.",
    yes="Sí, ",
    no="No, ",
    others="Hay otros husos horarios en {}.",
    unknown="No conozco ese lugar, lo siento. Si nombras su país o una ciudad grande cercana, te lo digo.",
)

_FRENCH = _Language(
    column=2,
    asked={
        "time": "quelle heure (?:est il|il est|est ce|as tu|avez vous|tu as)|(?:il est|cest) quelle heure|"
        "quelle est lheure(?: actuelle)?|(?:tu as|as tu|avez vous|vous avez) lheure",
        "time?": "lheure(?: actuelle)?|heure actuelle|heure(?= (?:a|au|aux|en)\\b)",
        "date": "(?:DAY )?(?:quel jour|quelle date)(?: de la semaine)? (?:sommes nous|nous sommes|on est|"
        "est on|est il|est ce|"
        "cest|serons nous|etions nous)(?: DAY)?|(?:DAY )?(?:on est|nous sommes|cest) (?:quel jour|"
        "quelle date|le combien)"
        "(?: DAY)?|quelle est la date(?: DAY| du jour| actuelle)?|(?:la )?date (?:DAY|du jour|actuelle)|la date",
        "both": "(?:la )?date et (?:l)?heure|lheure et la date",
        "month": "(?:en )?quel mois (?:sommes nous|on est|est on)|(?:on est|nous sommes) (?:en )?quel mois",
        "year": "(?:en )?quelle annee (?:sommes nous|on est|est on|est ce)|(?:on est|nous sommes) en quelle annee",
        "named": "(?:DAY )?(?:est ce que )?(?:on est|sommes nous|nous sommes|est ce|est on|cest|"
        "est ce quon est|ce sera)"
        "(?: deja| bien)?(?: le)? NAMED(?: DAY)?",
    },
    now="(?:maintenant|en ce moment|actuellement|la tout de suite)",
    in_place="(?:a|au|aux|en|dans)",
    here=("ici", "chez toi", "la ou tu es"),
    days=_JOURS,
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    months=(
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    weekend="week end",
    is_here=", ici, là où je tourne",
    is_there=" ({})",
    relative={
        -2: "avant-hier, c'était le",
        -1: "hier, c'était le",
        0: "aujourd'hui, nous sommes le",
        1: "demain, ce sera le",
        2: "après-demain, ce sera le",
    },
    time="Il est {clock}, {weekday}{where}.",
    date="{relative} {weekday} {day} {month} {year}{where}.",
    month="Nous sommes en {month} {year}.",
    year="Nous sommes en {year}.",
    yes="Oui, ",
    no="Non, ",
    others="Il y a d'autres fuseaux horaires ({}).",
    unknown="Je ne connais pas cet endroit, désolé. Avec son pays ou une grande ville proche, je peux te répondre.",
)


class _Question(NamedTuple):
    """A kind of question in a language; `days` and `names` find what it says of these."""

    language: _Language
    kind: str
    pattern: re.Pattern[str]
    days: re.Pattern[str]
    names: re.Pattern[str]


def _questions(language: _Language) -> Iterator[_Question]:
    days = "|".join(sorted(language.days, key=len, reverse=True))
    names = "|".join((language.weekend, *map(plain, language.weekdays), *map(plain, language.months)))
    elsewhere = f" (?:{'|'.join(language.here)})| {language.in_place} (?P<place>.+?)"
    for kind, wordings in language.asked.items():
        wording = wordings.replace("DAY", f"(?:{days})").replace("NAMED", f"(?:{names})")
        pattern = f"(?P<asked>{wording})(?: {language.now})?(?:{elsewhere})?(?: {language.now})?"
        yield _Question(
            language, kind, re.compile(pattern), re.compile(rf"\b(?:{days})\b"), re.compile(rf"\b(?:{names})\b")
        )


_QUESTIONS = [question for language in (_ENGLISH, _SPANISH, _FRENCH) for question in _questions(language)]


class Clock(Skill):
    """Says the time, the date, the weekday, the month and the year, here or in any city or country."""

    # Pieces of every wording, sorted by a letter: faster than a list of words.
    by_clause = True
    hint = re.compile(
        "m(?:e,? (?:is|it|in|now|right|do|have|and da|here|pl)|e[?!. ]*$|onth (?:is|it|are)|onth[?!. ]*$|"
        "es e|ois |is est)|"
        "h(?:our (?:is|it)|ora|eure)|f(?:echa|in de)|a (?:cuánto|cuanto)|combien|"
        "d(?:ate (?:and t|today|tomo|in|of|for|right|now|du|d.a)|ate[?!. ]*$|ay (?:is|it|was|will|of)|"
        "ay[?!. ]*$|ía|ia |imanche|omingo)|y(?:ear (?:is|it|are)|ear[?!. ]*$)|"
        "j(?:our|ueves|eudi)|s (?:it|today|tomorrow|yesterday) .*(?:day|week|jan|feb|mar|apr|may|jun|jul|aug|"
        "sep|oct|nov|dec)|"
        "l(?:l tomorrow|unes|undi)|v(?:iernes|endredi)|mardi|martes|mercredi|miércoles|miercoles|sábado|sabado|samedi|"
        "eek-|n(?:née|nee|o es)|ño e",
        re.DOTALL,
    )

    def __init__(self, chatbot: Any, **kwargs: Any) -> None:
        super().__init__(chatbot, **kwargs)
        self._places = Places()

    def now(self, zone: tzinfo | None) -> datetime:
        """The time in a zone, None for that of the server."""
        return datetime.now(UTC).astimezone(zone)

    def answer(self, text: str) -> str | None:
        """The answer in the language of the question."""
        words = core(plain(_FRENCH_THERE.sub("", text)))
        for question in _QUESTIONS:
            if match := question.pattern.fullmatch(words):
                return self._reply(question, match["asked"], match["place"])
        return None

    def _reply(self, question: _Question, asked: str, name: str | None) -> str | None:
        language = question.language
        place = self._places.find(name) if name else None
        if name and not place:
            other = question.kind != "time" or len(name.split()) > _MOST_WORDS or _OTHER_TIMES.search(name)
            return None if other else language.unknown
        now = self.now(pytz.timezone(place.zone) if place else None)
        sentence = self._sentence(question, asked, now, self._where(language, place, now))
        return _capitalized(sentence) + self._others(language, place, now)

    def _sentence(self, question: _Question, asked: str, now: datetime, where: str) -> str:
        language, kind = question.language, question.kind
        day = question.days.search(asked)
        offset = language.days[day[0]] if day else 0
        date = now + timedelta(days=offset)
        parts = {
            "son_las": "Es la" if now.hour == 1 else "Son las",
            "clock": f"{now:%H:%M}",
            "weekday": language.weekdays[date.weekday()],
            "day": date.day,
            "month": language.months[date.month - 1],
            "year": date.year,
            "relative": language.relative[offset],
            "where": where,
        }
        sentences = {"time": language.time, "time?": language.time, "month": language.month, "year": language.year}
        sentence = sentences.get(kind, language.date).format(**parts)
        if kind == "both":
            return f"{sentence} {language.time.format(**parts | {'where': ''})}"
        if kind == "named":
            return (language.yes if _is_named(language, question.names, asked, date) else language.no) + sentence
        return sentence

    def _where(self, language: _Language, place: Place | None, now: datetime) -> str:
        if place is None:
            return f"{language.is_here} ({now.tzname()})"
        column = language.column
        name = place.names[column]
        if place.country and place.is_country and has_several_times(place.country, now):
            name = main_city(place.zone)[column]
        elif place.country and not place.is_country:
            country = self._places.country_names(place.country)[column]
            name = name if name == country else f"{name}, {country}"
        return language.is_there.format(name)

    def _others(self, language: _Language, place: Place | None, now: datetime) -> str:
        if place and place.country and place.is_country and has_several_times(place.country, now):
            return " " + language.others.format(place.names[language.column])
        return ""


def _capitalized(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _is_named(language: _Language, names: re.Pattern[str], asked: str, date: datetime) -> bool:
    found = names.search(asked)
    assert found is not None, "its wordings have one"
    today = (language.weekdays[date.weekday()], language.months[date.month - 1])
    return found[0] in map(plain, today) or (found[0] == language.weekend and date.weekday() >= 5)
