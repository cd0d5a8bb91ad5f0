"""What a visitor teaches: lessons in natural language, and the answers that were taught, for that visitor alone."""

import re
from collections.abc import Sequence
from textwrap import shorten
from typing import Any, NamedTuple

from chatterbot.conversation import Statement
from chatterbot.logic import LogicAdapter

from chatbot.bot.diary import Diary
from chatbot.bot.diego import Reply
from chatbot.bot.lessons import MOST_LESSONS, Lesson, Lessons, TooManyLessons
from chatbot.bot.receipts import Evidence, Receipt
from chatbot.bot.room import ROOM
from chatbot.bot.turns import NO_LIMIT, Turn
from chatbot.messages import MAX_CHARACTERS, RefusedMessage

MOST_CORRECTIONS = 10
"""How often one answer may be corrected in a row."""

_SHOWN = 80
"""How many characters of each half are repeated."""

# Runs of spaces would take the patterns long; apostrophes and dashes have several shapes. Places stay the same.
_SPACES = re.compile(r"(\s)\s+")
_SHAPES = str.maketrans("\u2018\u2019\u2013\u2014", "''--")

_QUOTED = r"""(?:"[^"]+"|“[^”]+”|„[^“”]+[“”]|«[^»]+»|'[^']+')"""
_WHOLLY_QUOTED = re.compile(rf"({_QUOTED})[\s.!]*")
_FLAGS = re.IGNORECASE | re.DOTALL


class _Grammar(NamedTuple):
    """How lessons are given in a language. The patterns have the groups `prompt` and `reply`.

    The vague ones are what a prompt or a reply begins with, unless it is in quotes, in sentences that only look like
    lessons: "when I ask you something, answer honestly", "you should have said so".
    """

    teach: re.Pattern[str]
    corrections: tuple[re.Pattern[str], ...]
    vague_prompt: re.Pattern[str]
    vague_reply: re.Pattern[str]
    learned: str
    too_many: str
    unreadable: str


def _teach(courtesies: str, begin: str, obligation: str, bare: str, answer: str) -> re.Pattern[str]:
    """The pattern of "when I say X, answer Y".

    After `bare`, as in "you say", the reply must be in quotes: it may be a complaint.
    """
    # A comma or the like, or just a space after a quote, after a question or before an obligation.
    separator = rf"(?:\s?[,;:]\s?|\s-{1, 2}\s|(?<=[?!…\"”»'])\s|\s(?=(?:{obligation})\b))"
    return re.compile(
        rf"[\s¡]*(?:(?:{courtesies})\b[\s,.!:]*){{0,3}}(?:{begin})\b(?![\w'-])\s?[:,]?\s?"
        rf"(?P<prompt>{_QUOTED}|.+?){separator}"
        rf"(?:(?:{obligation})\s){{0,3}}(?:(?:{bare})\s(?=(?:{answer})\s?[:,]?\s?[\"“„«']))?"
        rf"(?:{answer})(?![\w'-])\s?[:,]?\s?(?P<reply>.+)",
        _FLAGS,
    )


def _corrections(wrong: str, right: str, should_have: str, say: str, instead: str) -> tuple[re.Pattern[str], ...]:
    """The patterns of "no, the right answer is Y", "you should have said Y", "wrong, say Y instead"."""
    wrongly = rf"\W*(?:(?:{wrong})\b[\s,;.!:-]*){{1,3}}"
    return (
        re.compile(rf"{wrongly}(?:{right})(?![\w'-])\s?[:,]?\s?(?P<reply>.+)", _FLAGS),
        re.compile(
            rf"(?:{wrongly})?(?:{should_have})(?![\w'-])\s?[:,]?\s?(?P<reply>.+?)(?:[\s,]{{1,3}}(?:{instead})[\s.!]*)?$",
            _FLAGS,
        ),
        re.compile(rf"{wrongly}(?:{say})(?![\w'-])\s?[:,]?\s?(?P<reply>.+?)[\s,]{{1,3}}(?:{instead})[\s.!]*$", _FLAGS),
    )


def _vague(beginnings: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{beginnings})(?![\w'-])", _FLAGS)


_GRAMMARS = (
    _Grammar(
        _teach(
            r"hey|hi|hello|ok|okay|please|diego|so|and|now|from now on",
            r"(?:when|whenever|if|every time|each time) i (?:say|ask|write|type)(?: (?:to )?you)?",
            r"then|please|just|always|you (?:should|must|have to|can)",
            r"you",
            r"(?:say|answer|reply|respond)(?: back)?(?: with)?",
        ),
        _corrections(
            r"no|nope|wrong|incorrect|false|actually|(?:that|this|it)(?:'s| is| was) (?:wrong|incorrect|false)|"
            r"(?:that|this|it)(?:'s| is| was)(?: not|n't) (?:right|correct|true)",
            r"(?:the|your) (?:right|correct|proper|real) (?:answer|reply|response) (?:is|was|would be|would have been|"
            r"should be|should have been)",
            r"you (?:should|ought to|could) have (?:said|answered|replied|responded)(?: with)?",
            r"(?:please |just |you should )?(?:say|answer|reply|respond)(?: with)?",
            r"instead|next time",
        ),
        _vague(
            r"something|anything|nothing|everything|so|for|about|whether|if|that|"
            r"(?:a|the|my|your|any|another|some) questions?|questions|(?:this|it|them)(?=\W*$)"
        ),
        _vague(
            r"something|anything|nothing|everything|sooner|earlier|me|us|him|so|(?:no )?more|less|what|how|whether|"
            r"not (?:that|this|it|what|true|right|correct)|"
            r"(?:that|this|it|them)(?=(?: (?:again|earlier|before|sooner|first|then|now))?\W*$)|"
            r"that (?:i|you|he|she|it|we|they)|"
            r"(?:a|the|my|your|any|another) (?:questions?|truth|opinion)|in (?:english|spanish|french)|"
            r"(?:honestly|truthfully|politely|nicely|kindly|properly|correctly|quickly|immediately|seriously|rudely|"
            r"differently|directly|briefly)(?=\W*$)"
        ),
        "Thank you, I have learned that, just for you: to “{prompt}” I answer “{reply}” from now on.",
        str(TooManyLessons()),
        f"I cannot learn that: what you say and what I answer need 1 to {MAX_CHARACTERS:,} characters each.",
    ),
    _Grammar(
        _teach(
            r"hola|oye|por favor|diego|y|pues|ahora|a partir de ahora|de ahora en adelante",
            r"(?:cuando|si|cada vez que|siempre que) (?:yo )?(?:te )?(?:diga|digo|pregunte|pregunto|escriba|escribo)",
            r"entonces|por favor|siempre|(?:tú |tu )?(?:debes|tienes que|has de)",
            r"tú|tu|me",
            r"(?:responde|respondes|responder|contesta|contestas|contestar|di|dices|decir)(?: con)?",
        ),
        _corrections(
            r"no|mal|incorrecto|falso|error|te equivocas|en realidad|eso (?:está mal|no es (?:correcto|cierto|así))",
            r"la (?:respuesta (?:correcta|buena|verdadera)|verdadera respuesta) (?:es|era|sería|debe ser|debería ser)",
            r"(?:deberías|debías|tendrías que|tenías que) haber (?:dicho|respondido|contestado)|"
            r"(?:debiste|tenías que) (?:decir|responder|contestar)",
            r"(?:por favor,? |mejor )?(?:di|responde|contesta)(?: con)?",
            r"en su lugar|en vez de eso|mejor|la próxima vez",
        ),
        _vague(r"algo|nada|todo|eso|esto|por|sobre|si|que|(?:una|la|mi|tu|cualquier|otra|alguna) (?:pregunta|cosa)"),
        _vague(
            r"algo|nada|todo|eso|esto|antes|más|menos|me|lo que|que (?:yo|tú|él|ella|no|lo|me|te)|qué|cómo|la verdad|"
            r"(?:una|la|mi|tu|cualquier|otra) (?:pregunta|cosa)|en (?:inglés|español|francés)|"
            r"(?:sinceramente|honestamente|rápidamente|amablemente|bien|mal)(?=\W*$)"
        ),
        "Gracias, lo he aprendido, solo para ti: a «{prompt}» respondo «{reply}» a partir de ahora.",
        f"Ya me has enseñado {MOST_LESSONS} cosas, y no puedo guardar más para una sola persona. "
        "Retira primero una con /unteach y su número; /lessons las muestra.",
        f"Eso no lo puedo aprender: lo que dices y lo que respondo necesitan de 1 a {MAX_CHARACTERS} "
        "caracteres cada uno.",
    ),
    _Grammar(
        _teach(
            r"bonjour|salut|s'il te plaît|s'il vous plaît|stp|diego|et|alors|maintenant|désormais",
            r"(?:quand|lorsque|si|chaque fois que|dès que) je (?:te |vous )?(?:dis|demande|écris|dirai|demanderai)",
            r"alors|s'il te plaît|s'il vous plaît|stp|toujours|(?:tu (?:dois|devrais)|vous (?:devez|devriez)|il faut)",
            r"tu|vous",
            r"(?:réponds|répondez|répondre|dis|dites|dire)(?: par| avec)?",
        ),
        _corrections(
            r"non|faux|c'est (?:faux|incorrect)|incorrect|erreur|tu te trompes|en fait|"
            r"ce n'est pas (?:ça|juste|vrai|correct)",
            r"(?:la (?:bonne|vraie) réponse|la réponse (?:correcte|exacte|juste)) (?:est|était|serait)|"
            r"la (?:bonne|vraie) réponse,? c'est",
            r"(?:tu aurais|vous auriez) dû (?:dire|répondre)|il fallait (?:dire|répondre)|"
            r"tu devais (?:dire|répondre)",
            r"(?:s'il te plaît,? )?(?:dis|dites|réponds|répondez)(?: par)?",
            r"plutôt|à la place|la prochaine fois",
        ),
        _vague(
            r"quelque chose|n'importe quoi|rien|tout|(?:ça|cela|ceci)(?=\W*$)|si|que|"
            r"(?:une|la|ma|ta|cette|des) (?:questions?|choses?)"
        ),
        _vague(
            r"quelque chose|n'importe quoi|rien|tout|(?:ça|cela|ceci)(?=\W*$)|plus tôt|avant|plus|moins|moi|me|"
            r"ce que|pourquoi|que (?:je|tu|vous|il|elle|c)|comment|la vérité|"
            r"(?:une|la|ma|ta|cette|des) (?:questions?|choses?)|en (?:anglais|espagnol|français)|"
            r"(?:franchement|honnêtement|sincèrement|poliment|gentiment|vite|bien|mal)(?=\W*$)"
        ),
        "Merci, je l'ai appris, rien que pour toi : à « {prompt} » je réponds « {reply} » désormais.",
        f"Tu m'as déjà appris {MOST_LESSONS} choses, et je ne peux pas en garder plus pour une seule personne. "
        "Retires-en d'abord une avec /unteach et son numéro ; /lessons les montre.",
        "Je ne peux pas apprendre cela : ce que tu dis et ce que je réponds doivent avoir de 1 à "
        f"{MAX_CHARACTERS} caractères chacun.",
    ),
)


class _Given(NamedTuple):
    """What a visitor wants to be learned; no prompt: that of the last answer."""

    grammar: _Grammar
    prompt: str | None
    reply: str


_HINT = re.compile(
    r"sa(?:y|id)|answer|repl[yi]|respon|respuesta|contest|répon|\b(?:di|dis|dices|dicho|dites|dire|decir)\b",
    re.IGNORECASE,
)
"""What occurs in every lesson."""


class Taught(LogicAdapter):
    """Takes lessons, and answers by them, always with confidence 1; the chatbot's `diary` and `knowledge` are used.

    A statement's `conversation` is the visitor's number. In the room nothing is taught.
    """

    def can_process(self, statement: Statement) -> bool:
        """Whether a message may be a lesson, or one was given on it; cheap, as it is asked about every message."""
        if self.chatbot.diary is None or statement.conversation == ROOM:
            return False
        return bool(_HINT.search(statement.text) or self._lesson_on(statement))

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        """The answer that was taught, or thanks for a lesson; otherwise an empty text."""
        if lesson := self._lesson_on(statement):
            return _reply(lesson.reply, "taught by you", lesson)
        diary: Diary = self.chatbot.diary
        visitor = statement.conversation
        given = _given(statement.text)
        prompt = given and (given.prompt or _corrected(diary.turns.before(visitor, NO_LIMIT, MOST_CORRECTIONS)))
        return _learn(diary, visitor, given, prompt) if given and prompt else Statement("")

    def _lesson_on(self, statement: Statement) -> Lesson | None:
        lessons: Lessons = self.chatbot.diary.lessons
        return lessons.find(statement.conversation, statement.search_text, self.chatbot.knowledge.index.knows)


def _learn(diary: Diary, visitor: str, given: _Given, prompt: str) -> Reply:
    try:
        lesson = diary.lessons.teach(visitor, prompt, given.reply)
    except TooManyLessons:
        return _reply(given.grammar.too_many, "no more lessons")
    except RefusedMessage:
        return _reply(given.grammar.unreadable, "no lesson")
    shown = {name: shorten(getattr(lesson, name), _SHOWN, placeholder=" …") for name in ("prompt", "reply")}
    return _reply(given.grammar.learned.format(**shown), "a lesson of yours", lesson)


def _reply(text: str, how: str, lesson: Lesson | None = None) -> Reply:
    reply = Reply(text)
    reply.confidence = 1.0
    reply.receipt = Receipt("known", how, "Taught", 1.0, Evidence(lesson.prompt, "", 0, 1.0) if lesson else None)
    return reply


def _given(text: str) -> _Given | None:
    """The lesson in a message, None if it is an ordinary one."""
    text = _SPACES.sub(r"\1", text.strip())
    plain = text.translate(_SHAPES)
    for grammar in _GRAMMARS:
        for pattern in (grammar.teach, *grammar.corrections):
            if found := pattern.match(plain):
                reply = _half(text[slice(*found.span("reply"))], grammar.vague_reply)
                if pattern is not grammar.teach:
                    return _Given(grammar, None, reply) if reply else None
                prompt = _half(text[slice(*found.span("prompt"))], grammar.vague_prompt)
                return _Given(grammar, prompt, reply) if prompt and reply else None
    return None


def _half(text: str, vague: re.Pattern[str]) -> str:
    """A prompt or a reply without its quotes; empty if it is none."""
    text = text.strip()
    plain = text.translate(_SHAPES)
    if quoted := _WHOLLY_QUOTED.fullmatch(plain):
        return text[1 : quoted.end(1) - 1].strip()
    return "" if vague.match(plain) else text


def _corrected(turns: Sequence[Turn]) -> str | None:
    """The prompt of the last answer, or that of the lesson if it was one: a correction may be corrected, too."""
    for turn in reversed(turns):
        given = _given(turn.prompt)
        if given is None or given.prompt:
            return given.prompt if given else turn.prompt
    return None
