"""How questions are put: spellings that mean the same, and the courtesies around them, in three languages."""

import re
import unicodedata

from chatbot.bot.words import words

DIGITS = "0123456789" + "".join(chr(0xFF10 + digit) for digit in range(10))
"""The digits that `fold` makes plain ones, or leaves."""

_SPELLINGS = str.maketrans(
    {
        **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)},
        **dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u00b4`"), "'"),
        **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-"),
        **dict.fromkeys(map(ord, "¿¡"), " "),
        ord("\u2032"): "'",
        ord("\u2033"): '"',
    }
)

_BEFORE = (
    "hey|hi|hello|hiya|good (?:morning|evening|afternoon)|ok|okay|so|well|and|also|oh|alright|diego|please|pls|plz|"
    "excuse me|sorry|by the way|btw|just curious|quick question|"
    "(?:can|could|would|will) you|do you (?:happen to )?know|(?:do you have )?any idea|(?:tell|give|show) (?:me|us)|"
    "let me know|(?:can|may|could) i ask(?: you)?|i(?: am|'?m)? (?:just )?(?:was )?wonder(?:ing)?|i(?:'?m| am) curious|"
    "i(?:'?d| would) (?:just |really )?(?:like|love) to(?: know)?|i (?:want|need) to(?: know)?|"
    "hola|oye|buenas|buenos dias|buenas tardes|y(?![ -]a)|pues|por favor|perdona?|disculpa|una pregunta|"
    "(?:me )?(?:puedes|podrias|puede|podria)(?: decirme| decir)?|dime|digame|me dices|sabes|quiero saber|"
    "quisiera saber|"
    "bonjour|bonsoir|salut|coucou|dis(?![ -]moi)|alors|et|s'?il (?:te|vous) plait|stp|svp|pardon|excuse[sz]?[ -]moi|"
    "(?:est[ -]ce que )?(?:tu peux|vous pouvez|tu pourrais)(?: me dire)?|"
    "(?:peux[ -]tu|pourrais[ -]tu|pouvez[ -]vous|pourriez[ -]vous)(?: me dire)?|"
    "(?:dis|dites|donne|donnez)[ -]moi|(?:est[ -]ce que )?(?:tu sais|vous savez)|sais[ -]tu|savez[ -]vous"
)
_AFTER = (
    "please|pls|plz|diego|thanks|thank you|thx|for me|do you know|my friend|rn|atm|lol|haha|mate|dude|bro|buddy|tho|"
    "por favor|porfa|gracias|amigo|s'?il (?:te|vous) plait|stp|svp|merci"
)
_COURTESY_BEFORE = re.compile(rf"(?:(?:{_BEFORE})[ ,.!:;-]+)*")
# It begins where punctuation does and is no more than a few, lest it be tried anew from each of many marks or words.
_COURTESY_AFTER = re.compile(rf"(?<![ ,.!?])(?:[ ,.!?]+(?:{_AFTER})){{1,4}}[ .!?]*$")


def fold(text: str) -> str:
    """A text in lower case, with plain letters, apostrophes, hyphens and spaces, without accents; symbols stay."""
    if not text.isascii():
        letters = unicodedata.normalize("NFD", text.translate(_SPELLINGS).casefold())
        text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(text.lower().split())


def plain(text: str) -> str:
    """The words of a text, folded, without symbols."""
    return " ".join(words(fold(text)))


def core(question: str) -> str:
    """A folded or plain question without greetings and courtesies."""
    begin = _COURTESY_BEFORE.match(question)
    assert begin is not None, "it matches nothing, too"
    rest = question[begin.end() :]
    end = _COURTESY_AFTER.search(rest)
    return rest[: end.start()] if end else rest
