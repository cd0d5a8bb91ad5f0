"""What visitors say about themselves and about this conversation: names, and what was said last."""

import re
import unicodedata
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Any, NamedTuple

from chatterbot.conversation import Statement
from chatterbot.logic import LogicAdapter

from chatbot.bot.room import ROOM
from chatbot.bot.skills.wording import core, plain
from chatbot.bot.turns import NO_LIMIT, Turn
from chatbot.bot.words import key

MOST_WORDS = 3
MOST_CHARACTERS = 40

_LOOKED_AT = 120
_MOST_SENTENCES = 4
_SENTENCE_END = re.compile(r"(?<=[.!?…]) ")

# Joiners shape names in Persian and Indic scripts.
_IN_NAMES = frozenset(" '\u2019-\u2010\u2011\u200c\u200d")
_AFTER_NAMES = frozenset('.,;:!?…()"”»—–。，！？、،؟')

# Pieces of all wordings, sorted by a letter that is not frequent: twice as fast as a list of words.
_HINT = re.compile(
    "y(?: (?:[a-z]+ )?n(?:ame|ickn)| words)|l(?:(?<=cal)l(?: me|ed)|l[aá]m|ast |tim[oa] )|"
    "m(?:on (?:petit )?(?:nom|pr[eé]n)|e (?:nomme|pr[eé]n)|e name|i nombre| i\\b|essage)|"
    "p(?:p?el(?:l?[ea]|o)|revious|hrase|onse)|"
    "w(?:ho i|h(?:at|ich) name|hat (?:(?:did|have|had|was|were) )?(?:i|you) (?:just |last )?[sawtre])|"
    "q(?:ui(?:[eé]n soy| suis| je suis)|uote me|uestion|uoi|u[eé] (?:es lo que )?(?:te |me )?(?:acab|dij|he d|has d|"
    "escr|pr|re)|"
    "ue (?:je|tu|j['’]|t['’]) ?(?:v|t?['’]?as? |m['’]|ai)|u['’]?(?:ai|as)[ -])|viens[ -]"
)


class _Telling(NamedTuple):
    """How people tell their names in a language: what comes before a name, and words that are in none.

    `first`: words that begin none, though they may stand in one, like the articles.
    """

    name: re.Pattern[str]
    call: re.Pattern[str]
    none: frozenset[str]
    first: frozenset[str]
    reply: str
    own: str


class _Told(NamedTuple):
    """A name, and what is said behind it."""

    telling: _Telling
    name: str
    rest: str


class _Question(NamedTuple):
    """What is asked in a language, as a pattern of plain words; the reply, and the one if there is nothing to tell."""

    asked: re.Pattern[str]
    reply: str
    nothing: str


# Also what may stand before the name is told. Words that may deny it need a mark behind them.
_BEFORE = (
    r"\W*+(?:(?:(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|day|afternoon|evening)|there|oh|well|ok|okay|so|"
    r"and|but|"
    r"please|just|actually|by the way|btw|from now on|diego|bot|"
    r"hola|buenas|saludos|buen d[ií]a|buenos d[ií]as|buenas (?:tardes|noches)|pues|bueno|y|pero|por cierto|por favor|"
    r"yo|"
    r"bonjour|bonsoir|salut|coucou|alors|au fait|et|mais|moi|s['’]il te pla[iî]t)\b|"
    r"(?:yes|no|s[ií]|oui|non|(?:nice|pleased) to meet you|mucho gusto|encantad[oa]|enchantée?)(?=[,.!;:]))"
    "[ ,.!;:-]++)*"
)
_BEHIND = " ?:? [\"“«‘']? ?"


def _opener(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{_BEFORE}(?:{pattern}){_BEHIND}", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TELLINGS = (
    _Telling(
        _opener(
            r"my (?:(?:first|full|real|given) )?(?:nick)?name(?:['’]?s| is)(?: also| actually)?|"
            r"i(?:['’]?m| am) (?:called|named)"
        ),
        _opener(
            "(?:(?:you (?:can|may|could|should)|(?:can|could|will|would) you|i(?:['’]?d like| want) you to)"
            "(?: please| just)? )?call me"
        ),
        _words(
            # What goes on behind a name.
            "and but or nor if when whenever while once until till because since as than then that though although "
            "what whats who whos whom whose which where how why whatever whoever whichever however "
            "i im ive id ill me mine myself you youre your yours he hes she it its we were they theyre us them "
            "is isnt are arent was wasnt be been being am has have had does doesnt did didnt dont cant cannot wont "
            "should shouldnt must would could not never no none nothing nobody something someone somebody anything "
            "anyone everything everyone all any some one "
            "in on at to for from by of with without about after before during upon into up out off over between "
            "please thanks thank nice pleased glad lol haha hehe btw too also actually really very quite pretty just "
            "only "
            "simply merely rather still already again always often sometimes sometime anytime ever even yet here there "
            "later back now soon tomorrow today tonight yesterday asap maybe perhaps immediately instead first next "
            "every "
            "this these those right straight away daily monday tuesday wednesday thursday friday saturday sunday "
            # What people say of a name, or of themselves.
            "same similar different important unimportant irrelevant relevant secret private confidential personal "
            "hidden unknown anonymous classified long short difficult hard easy common rare unusual boring ugly "
            "beautiful "
            "cool funny great good bad better best wrong right correct taken gone lost forgotten enough needed "
            "required "
            "known called spelled spelt written pronounced misspelled mispronounced changed shown listed given "
            "names business crazy mad insane nuts stupid silly dumb foolish idiotic old oldfashioned lazy paranoid "
            "naive "
            "cynical weird strange odd picky selfish romantic sentimental sensitive sceptical skeptical pessimistic "
            "optimistic superstitious suspicious ignorant cheap spoiled biased irresponsible impatient ungrateful "
            "jealous "
            "evil mean fat fatty thin ill sick tired late early collect gay queer loser freak nerd weirdo liar"
        ),
        _words("a an the my his her our their so can do la le el de"),
        "Nice to meet you, {}. I'll remember that.",
        "I'm Diego.",
    ),
    _Telling(
        _opener("(?:tambi[eé]n )?me llamo|mi nombre(?: completo)? es"),
        _opener("(?:me (?:puedes?|pod[eé]s) llamar|(?:puedes?|pod[eé]s) llamarme|ll[aá]m[ae]me)"),
        _words(
            "y e o u pero mas aunque si sino cuando mientras porque pues que quien cual como donde cuanto "
            "yo tu te ti me mi usted ustedes tuyo suyo nosotros soy eres es somos son fue era ser tengo tiene vivo "
            "estoy "
            "esta estan he ha no ni nunca nada nadie ninguno algo alguien todo todos "
            "a al en con sin por para desde hasta sobre entre segun "
            "mucho mucha muy tan poco bastante tambien ahora luego despues tarde pronto manana hoy ayer siempre "
            "otra otro vez cada ya aqui alli gracias encantado encantada jaja jajaja lol mejor igual mismo misma solo "
            "asi cuanto antes "
            "importante secreto privado confidencial desconocido anonimo largo corto dificil raro feo bonito lindo "
            "comun loco loca tonto tonta estupido estupida viejo vieja exagerado exagerada paranoico paranoica "
            "romantico romantica antiguo antigua mentiroso mentirosa"
        ),
        _words("la el lo los las de del un una unos unas su sus mis tus"),
        "Mucho gusto, {}. Lo recordaré.",
        "Yo soy Diego.",
    ),
    _Telling(
        _opener(
            "j(?:e |e ?)?m['’]? ?app?el+e(?: aussi)?|mon (?:petit )?(?:pr[eé])?nom(?: est| ?,? c['’]est)|"
            "je me (?:nomme|pr[eé]nomme)"
        ),
        _opener("(?:tu peux|vous pouvez|tu pourrais) (?:aussi )?m['’]appeler|app?el+(?:e|ez)[- ]moi"),
        _words(
            "et ou mais car donc si quand lorsque pendant parce puisque que qui quoi quel quelle comment ou "
            "je jai tu te toi moi il elle nous vous ils elles on tien votre vien suis es est cest sont sera etait ai "
            "as a "
            "ne pas nest jamais rien personne aucun aucune quelque quelquun tout toute tous "
            "en dans avec sans pour par depuis avant apres sur sous chez entre "
            "tres trop si peu plus assez bien aussi maintenant tard tot bientot demain aujourdhui hier toujours encore "
            "ce cet cette ici deja merci enchante enchantee ravi ravie mdr lol stp svp sil plutot comme juste "
            "seulement "
            "mieux pareil meme vite souvent parfois "
            "important secret secrete prive confidentiel inconnu anonyme long court difficile complique rare moche "
            "joli "
            "courant banal fou folle idiot idiote stupide bete vieux vieille parano naif naive romantique menteur "
            "menteuse"
        ),
        _words("la le les l de du des d un une ton ta tes son sa ses mes mon ma a au aux"),
        "Enchanté, {}. Je m'en souviendrai.",
        "Moi, c'est Diego.",
    ),
)

_BUT = re.compile(r"\W*+(?:but|pero|mais)\b", re.IGNORECASE)
_AND_YOU = re.compile(
    "(?:(?:and )?(?:you|yours)|(?:and )?what(?:s| is) (?:yours|your name)|(?:and )?who are you|"
    "(?:y )?(?:tu|usted|vos|el tuyo|el suyo|(?:tu )?como te llamas|cual es el tuyo|cual es tu nombre)|"
    "(?:et )?(?:toi|vous|le tien|le votre|(?:toi )?comment (?:tu tappelles|tappelles tu)|toi cest quoi ton nom|"
    "quel est (?:le tien|ton nom|ton prenom)|cest quoi ton (?:pre)?nom))"
)

_AGAIN = "(?: again| then| now| though| anyway| exactly)*"
_STILL = "(?:(?:do you |can you |did you )?(?:still |even )?(?:remember|recall|know) )?"
_NAMES = (
    _Question(
        re.compile(
            f"{_STILL}(?:(?:what(?:s| is| was)|say|guess|try and guess|remind me of|remember|"
            f"call me by) )?my name{_AGAIN}|"
            f"{_STILL}(?:what my name (?:is|was)|what(?: do you call me| am i called| im called| i am called)){_AGAIN}|"
            f"(?:what|how) do (?:you|i) call me|what name (?:do i have|did i (?:give|tell) you)|which name do i have|"
            f"(?:can you )?guess what im called|{_STILL}who(?: am i| i am|m i){_AGAIN}(?: by name)?|"
            "i bet you (?:dont|do not) (?:know|remember) (?:my name|who i am)|"
            "(?:did i tell|have i told|ive told|i told) you my name(?: yet| before| already)?|"
            "(?:have you forgotten|you forgot|youve forgotten|did you forget|you (?:dont|do not) (?:know|"
            "remember)) my name|"
            "(?:do )?you (?:still )?(?:remember|know) my name(?: dont you)?"
        ),
        "You're {}.",
        "You haven't told me your name yet. Say \"My name is …\", and I'll remember it.",
    ),
    _Question(
        re.compile(
            "(?:(?:a que )?no sabes |recuerdas |te acuerdas (?:de )?|sabes |todavia |aun |"
            "y )*como (?:es que )?me llamo(?: yo)?|"
            "(?:cual es |cual era |di |dime |adivina |recuerdas |te acuerdas de |recuerdame |sabes |conoces |no sabes |"
            "por que no sabes |olvidaste |has olvidado |y )*mi nombre|"
            "te dije mi nombre(?: cual es)?|(?:y |recuerdas |sabes |te acuerdas de )*quien soy(?: yo)?"
        ),
        "Te llamas {}.",
        "Todavía no me has dicho tu nombre. Di «Me llamo …» y lo recordaré.",
    ),
    _Question(
        re.compile(
            "(?:(?:est ce que )?(?:tu |vous )?(?:sais|savez|(?:te |t)?(?:rappelles|souviens(?: de)?)|te souviens)"
            "(?: tu| vous)?(?: encore)? )?(?:moi )?(?:comment|cmt) (?:est ce que )?(?:je ma?pp?elle?s?|mappelle je|"
            "on mappelle)"
            "(?: deja| alors| moi)?|"
            "(?:(?:cest quoi|cetait quoi|quel est|quel etait|dis|redis|devine|rappelle moi|t ?as oublie|tu as oublie|"
            "(?:est ce que )?(?:tu |vous |t ?as )?(?:te |vous )?"
            "(?:sais|savez|connais|connaissez|souviens de|souvenez de|rappelles|rappelez|retenu|as retenu)"
            "(?: tu| vous)?)(?: encore| deja)? )?mon (?:petit )?(?:pre)?nom(?: deja)?|"
            "(?:moi )?je ma?pp?elle comment(?: alors| deja)?|"
            "je tai dit comment je mappelais|(?:tu sais |sais tu )?qui (?:suis je|je suis)|je suis qui"
        ),
        "Tu t'appelles {}.",
        "Tu ne m'as pas encore dit ton nom. Dis « Je m'appelle … » et je m'en souviendrai.",
    ),
)

_SAID = "(?:say|write|type|ask|tell)(?: to)?(?: you| me)?(?: just now| before| earlier| last| right now)?"
_SAID_ES = "(?:decir|escribir|preguntar|responder|contestar)(?:te|me)?"
_SAID_FR = "(?:(?:te |me |vous |t|m)?(?:dire|ecrire|demander|repondre))"
_PROMPTS = (
    _Question(
        re.compile(
            f"what did i (?:just |last )?{_SAID}|what (?:have|had) i just (?:said|written|asked|told you)|"
            "(?:(?:do you |can you )?(?:remember|repeat|recall|tell me|remind me) )?what i (?:just )?(?:said|wrote|"
            "asked)"
            "(?: you)?(?: just now| last)?|"
            "(?:what was |what is |whats |repeat |quote )?my (?:last|previous) (?:message|question|prompt|sentence|"
            "words)|"
            "(?:what was |whats |what is )?the last thing (?:that )?i (?:just )?(?:said|wrote|asked|typed|"
            "told you)(?: you)?|"
            "what was i (?:just )?saying|what were my words just now|can you quote me"
        ),
        "You said: “{}”",
        "Nothing yet: this is the first thing that you say to me.",
    ),
    _Question(
        re.compile(
            f"que (?:te )?acabo de {_SAID_ES}|que (?:es lo que )?(?:te )?(?:dije|escribi|pregunte|he dicho)"
            "(?: antes| hace un momento| recien| ahora| ahora mismo| justo ahora| por ultimo)?|"
            "(?:cual (?:fue|era|es) )?mi ultim[oa] (?:mensaje|pregunta|frase)|"
            "(?:que (?:fue|es) )?lo ultimo que (?:te )?(?:dije|escribi|pregunte|he dicho)|"
            f"(?:repite|recuerdas|te acuerdas de|no recuerdas) lo que (?:te )?(?:dije|acabo de {_SAID_ES})"
        ),
        "Has dicho: «{}»",
        "Nada todavía: esto es lo primero que me dices.",
    ),
    _Question(
        re.compile(
            f"(?:quest ce que |que )?je viens de {_SAID_FR}(?: quoi)?|que viens je de {_SAID_FR}|"
            "(?:quest ce que |que )?j(?:e t|e vous )?ai (?:juste )?(?:dit|ecrit|demande)(?: quoi)?"
            "(?: avant| juste avant| a linstant)?|qu(?:e t)?ai je (?:dit|ecrit|demande)(?: a linstant| avant)?|"
            "(?:cetait quoi |cest quoi |quel(?:le)? (?:etait|est|fut) )?m(?:on|a) (?:dernier|derniere) "
            "(?:message|question|phrase)|"
            f"(?:repete|tu te rappelles|tu te souviens de) ce que (?:jai dit|je tai dit|je viens de {_SAID_FR})"
        ),
        "Tu as dit : « {} »",
        "Rien encore : c'est la première chose que tu me dis.",
    ),
)
_REPLIES = (
    _Question(
        re.compile(
            f"what did you (?:just |last )?(?:{_SAID}|answer|reply)|what (?:have|had) you just (?:said|written|"
            f"told me)|"
            "(?:(?:can you )?(?:repeat|remember) )?what you (?:just )?(?:said|wrote|told me)|"
            "(?:what was |what is |whats |repeat )?your (?:last|previous) (?:message|answer|reply|sentence|words)|"
            "(?:what was |whats )?the last thing (?:that )?you (?:just )?(?:said|wrote|told me)|"
            "what were you (?:just )?saying"
        ),
        "I said: “{}”",
        "Nothing yet: this is our beginning.",
    ),
    _Question(
        re.compile(
            f"que (?:me )?acabas de {_SAID_ES}|que (?:me )?(?:dijiste|respondiste|contestaste|has dicho)"
            "(?: antes| hace un momento| recien| ahora)?|"
            "(?:cual (?:fue|era|es) )?tu ultim[oa] (?:mensaje|respuesta|frase)|"
            f"(?:que fue )?lo ultimo que (?:me )?(?:dijiste|has dicho)|repite lo que (?:dijiste|acabas de {_SAID_ES})"
        ),
        "He dicho: «{}»",
        "Nada todavía: acabamos de empezar.",
    ),
    _Question(
        re.compile(
            f"(?:quest ce que |que )?tu viens de {_SAID_FR}(?: quoi)?|que viens tu de {_SAID_FR}|"
            "(?:quest ce que |que )?(?:tu (?:as|mas)|tas|tu as) (?:juste )?(?:dit|ecrit|repondu)(?: quoi)?"
            "(?: avant| juste avant| a linstant)?|quas tu dit|que mas tu dit|"
            "(?:cetait quoi |cest quoi |quel(?:le)? (?:etait|est|fut) )?t(?:on|a) (?:dernier|derniere) "
            "(?:message|reponse|phrase)|"
            f"repete ce que (?:tu as dit|tas dit|tu viens de {_SAID_FR})"
        ),
        "J'ai dit : « {} »",
        "Rien encore : nous venons de commencer.",
    ),
)

_FORGETTINGS = (
    _Question(
        re.compile(
            "(?:you (?:can|should|may|must) |i (?:want|would like|d like) you to )?(?:now )?"
            "(?:forget|delete|erase|remove) my name(?: now| again)?|"
            "(?:dont|do not|stop) (?:remember(?:ing)?|call(?:ing)? me by) my name(?: any ?more)?"
        ),
        "I have forgotten your name. What was said stays in your history; /forget erases that, too.",
        "I don't know your name, so there is nothing to forget.",
    ),
    _Question(
        re.compile("(?:quiero que )?(?:olvida(?:te de)?|olvides|borra|elimina) mi nombre|no recuerdes mi nombre"),
        "He olvidado tu nombre. Lo que hemos dicho sigue en tu historial; /forget borra también eso.",
        "No sé tu nombre, así que no hay nada que olvidar.",
    ),
    _Question(
        re.compile("(?:tu peux |vous pouvez )?(?:oublier|oublie|oubliez|efface|effacer|supprime) mon (?:pre)?nom"),
        "J'ai oublié ton nom. Ce qui a été dit reste dans ton historique ; /forget l'efface aussi.",
        "Je ne connais pas ton nom, il n'y a donc rien à oublier.",
    ),
)

_GREETINGS = {
    f"{greeting}{to}": reply
    for reply, greetings in {
        "Hello, {}! Good to see you.": (
            "hello, hi, hey, hiya, howdy, greetings, hello there, hi there, hey there, hello again, hi again, good day"
        ),
        "Good morning, {}!": "good morning, morning, hello good morning, hi good morning",
        "Good afternoon, {}!": "good afternoon",
        "Good evening, {}!": "good evening, evening",
        "¡Hola, {}! Me alegra verte.": "hola, buenas, muy buenas, hola buenas, saludos, hola de nuevo",
        "¡Buenos días, {}!": (
            "buenos días, buenos dias, buen día, buen dia, hola buenos días, hola buenos dias, muy buenos días"
        ),
        "¡Buenas tardes, {}!": "buenas tardes, hola buenas tardes",
        "¡Buenas noches, {}!": "buenas noches, hola buenas noches",
        "Bonjour, {} ! Content de te voir.": "bonjour, bonjour à toi, rebonjour, bjr",
        "Salut, {} ! Content de te voir.": "salut, coucou, salut à toi, slt",
        "Bonsoir, {} !": "bonsoir, bsr",
    }.items()
    for greeting in greetings.split(", ")
    for to in ("", " diego")
}
"""By keys of texts (`words.key`)."""


class Personal(LogicAdapter):
    """Remembers what visitors want to be called and knows what was said last, by the chatbot's `diary`, if it has one.

    A statement's `conversation` is the visitor's number. In the room nobody is named.
    """

    def can_process(self, statement: Statement) -> bool:
        """Whether a message may concern it; cheap, as it is asked about every message."""
        if self.chatbot.diary is None or statement.conversation == ROOM:
            return False
        return statement.search_text in _GREETINGS or _HINT.search(statement.text[:_LOOKED_AT].lower()) is not None

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        """The answer with confidence 1, or an empty text with confidence 0."""
        answer = self._told(statement) or self._asked(statement) or self._greeted(statement)
        reply = Statement(answer or "")
        reply.confidence = 1 if answer else 0
        return reply

    def _told(self, statement: Statement) -> str | None:
        """Remember a name; a question behind it is answered as well."""
        told = told_name(statement.text)
        if told is None:
            return None
        self.chatbot.diary.call(statement.conversation, told.name)
        replies = [told.telling.reply.format(told.name)]
        if _AND_YOU.fullmatch(plain(told.rest)):
            replies.append(told.telling.own)
        elif told.rest.endswith("?") and told_name(told.rest) is None:
            question = Statement(told.rest, conversation=statement.conversation, search_text=key(told.rest))
            answer = self.chatbot.generate_response(question)
            replies += [answer.text] if answer.confidence > 0 else []
        return " ".join(replies)

    def _asked(self, statement: Statement) -> str | None:
        finders: tuple[tuple[tuple[_Question, ...], Callable[[str], str | None]], ...] = (
            (_NAMES, self.chatbot.diary.name),
            (_PROMPTS, self._last_prompt),
            (_REPLIES, self._last_reply),
            (_FORGETTINGS, self.chatbot.diary.forget_name),
        )
        for text in (statement.text, *_SENTENCE_END.split(statement.text)[:_MOST_SENTENCES]):
            if len(text) > _LOOKED_AT:  # no question of these is so long, and some characters are eighteen in plain
                continue
            asked = core(plain(text))
            for questions, find in finders:
                for question in questions:
                    if question.asked.fullmatch(asked):
                        found = find(statement.conversation)
                        return question.reply.format(found) if found else question.nothing
        return None

    def _greeted(self, statement: Statement) -> str | None:
        """Greet a visitor by name, but not if the name was mentioned lately: that would be too much."""
        reply = _GREETINGS.get(statement.search_text)
        name = self.chatbot.diary.name(statement.conversation) if reply else None
        if not reply or not name:
            return None
        mention = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        lately = self.chatbot.memory.last_replies(statement.conversation)
        return None if any(map(mention.search, lately)) else reply.format(name)

    def _last_turn(self, visitor: str) -> Turn | None:
        turns: list[Turn] = self.chatbot.diary.turns.before(visitor, NO_LIMIT, 1)
        return turns[0] if turns else None

    def _last_prompt(self, visitor: str) -> str | None:
        turn = self._last_turn(visitor)
        return turn.prompt if turn else None

    def _last_reply(self, visitor: str) -> str | None:
        turn = self._last_turn(visitor)
        return turn.reply if turn else None


def told_name(text: str) -> _Told | None:
    """The name that somebody says to have, None if none is told; of several, as in a nickname, the last."""
    said = " ".join(text.split())
    ends = islice(_SENTENCE_END.finditer(said), _MOST_SENTENCES - 1)
    for begin in (0, *(end.end() for end in ends)):
        if told := _told_at(said[begin:]):
            return _told_at(told.rest) or told
    return None


def _told_at(said: str) -> _Told | None:
    for telling in _TELLINGS:
        for opener in (telling.name, telling.call):
            if (opened := opener.match(said)) and (name := _name(said[opened.end() :], telling)):
                rest = said[opened.end() + len(name) :].strip()
                if opener is telling.name or not _BUT.match(rest):  # call me crazy, but …
                    return _Told(telling, name, rest)
    return None


def _name(said: str, telling: _Telling) -> str | None:
    """The name with which a text begins."""
    letters = "".join(takewhile(_is_in_names, said))
    after = said[len(letters) : len(letters) + 1]
    said_words = letters.split()
    words = [*takewhile(lambda word: plain(word).partition(" ")[0] not in telling.none, said_words)]
    cut = len(words) < len(said_words)
    if not cut and after and after not in _AFTER_NAMES and unicodedata.category(after) != "So":
        return None
    name = " ".join(words).rstrip("".join(_IN_NAMES))
    if not 0 < len(words) <= MOST_WORDS or len(name) > MOST_CHARACTERS:
        return None
    if not all(word[0].isalpha() for word in words):
        return None
    begins_none = plain(words[0]) in telling.first and (len(words) > 1 or words[0].islower())
    return None if begins_none else name


def _is_in_names(character: str) -> bool:
    return character in _IN_NAMES or unicodedata.category(character)[0] in "LM"
