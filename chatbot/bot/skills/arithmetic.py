"""Sums, worked out exactly where that can be.

A dot is the decimal point. A comma or space before each group of three digits separates thousands, as in 1,000 and
1 000; any other comma is a decimal one, as in 3,5.
"""

import math
import re
from collections.abc import Callable, Iterator
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from chatbot.bot.skills.skill import Skill
from chatbot.bot.skills.wording import DIGITS, core, fold

MAX_DIGITS = 400
TOO_BIG = f"That is too big a sum for me: I work with numbers of up to {MAX_DIGITS} digits."
TOO_DEEP = "That is too many brackets or powers in one another for me. Could you put it more simply?"
NO_DIVISION = "Nothing can be divided by zero, so there is no answer to that."
NO_ROOT = "That has no answer among the real numbers."
NO_FACTORIAL = "Only whole numbers from 0 on have a factorial."
WHICH_FACTORIAL = "I can't tell what so many exclamation marks mean. One after a number makes its factorial."

_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_MAX_DEPTH = 30
_MAX_FACTORIAL = 200
_PRINTED_DIGITS = 100
_DECIMALS = 10
_WRITTEN = 100
_SMALLEST = Fraction(1, 10**4)
_PRECISE = Context(prec=60)
_ROUNDED = Context(prec=50)

_POWER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_VALUES = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
}
_OTHER_VALUES = {
    word: value
    for words in (
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince",
        "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize",
    )
    for value, word in enumerate(words.split())
}


def _any(words: tuple[str, ...] | dict[str, int]) -> str:
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


_BELOW_100 = f"(?:{_any(_TENS)}(?:[ -]{_any(_ONES[1:10])})?|{_any(_ONES)})"
_BELOW_1000 = f"(?:(?:a|{_any(_ONES[1:10])}) hundred(?: (?:and )?{_BELOW_100})?|{_BELOW_100})"
_IN_WORDS = f"(?:{_BELOW_1000}|a) (?:thousand(?: (?:and )?{_BELOW_1000})?|million)|{_BELOW_1000}"
_IN_DIGITS = (
    r"(?:[1-9]\d{0,2}(?:[ ,]\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+)"
    r"(?: (?:hundred|thousand|million|billion)\b)?"
)

NUMBER = rf"(?:{_IN_DIGITS}|(?<![a-z])(?:{_IN_WORDS})(?![a-z]))"
"""A pattern for a number in figures or English words."""

# What operators are called; each is looked for in this order.
_OPERATORS = {
    "squared": "squared|al cuadrado|au carre",
    "cubed": "cubed|al cubo|au cube",
    "√": "(?:the )?square root of|sqrt|(?:la )?raiz cuadrada de|(?:la )?racine carree de",
    "∛": "(?:the )?cube root of|(?:la )?raiz cubica de|(?:la )?racine cubique de",
    "^": "(?:raised )?to the power(?: of)?|raised to|elevado a(?: la)?|(?:a la )?puissance",
    "% of": "(?:%|percent|per cent|por ciento|pour ?cent) ?(?:of|de)",
    "half": "(?:a |one )?half of|(?:la )?mitad de|(?:la )?moitie de",
    "third": "(?:a |one )?third of",
    "quarter": "(?:a |one )?quarter of",
    "factorial of ": "(?:the )?factorial of",
    "!": "factorial",
    "mod": "modulo|mod",
    "×": r"times|multiplied by|multiplicado por|multiplie par|por|fois|(?<!(?<![\d.,])0)x",  # not that of 0x10
    "÷": "divided by|dividido entre|dividido por|divise par|entre",
    "+": "plus|mas",
    "-": "minus|menos|moins",
}
_SIGNS = {"**": "^", "*": "×", "·": "×", "/": "÷"}
_EXPONENTS = {"squared": 2, "cubed": 3}
_PARTS = {"half": ("½", Fraction(1, 2)), "third": ("⅓", Fraction(1, 3)), "quarter": ("¼", Fraction(1, 4))}
_SIGN = r"\*\*|//|!+|[-+*/×÷·^%()√∛]"
_KINDS = (*_OPERATORS, "sign", "digits", "words", "other")
_TOKEN = re.compile(
    " *(?:"
    + "|".join(
        f"({pattern})"
        for pattern in (
            *(rf"(?:{names})(?![a-z])" for names in _OPERATORS.values()),
            _SIGN,
            _IN_DIGITS,
            rf"(?:{_IN_WORDS})(?![a-z])",
            rf"{_any(_OTHER_VALUES)}(?![a-z])",
        )
    )
    + ")"
)

_LEAD = re.compile(
    r"(?:what(?:'?s| is| are| does| do)|how much (?:is|are|does|do)|calculate|compute|evaluate|solve|work out|"
    r"(?:what(?:'?s| is) )?the (?:result|value|answer) (?:of|to)|"
    r"cuantos? (?:es|son|da|dan|vale|hacen?)|calcula|cual es el resultado de|resuelve|"
    r"combien (?:font|fait|vaut|ca fait)|(?:ca )?fait combien|calcule|que (?:font|vaut)|quel est le resultat de)"
    r"[ :]+"
)
_EQUALS = re.compile(
    " (?:equals?|is|makes?|is equal to|equal to|equals to|es|es igual a|son|fait|font|ca fait|ca fait combien|egale?)$"
)
_MARKS = "?!= "
_VERBS = [
    (re.compile(f"(?:{verb}) (.+?) (?:{preposition}) (.+)"), sum_)
    for verb, preposition, sum_ in (
        ("add|(?:the )?sum of", "and|to", "{0} + {1}"),
        ("subtract", "from", "{1} - {0}"),
        ("(?:the )?difference (?:between|of)", "and", "{0} - {1}"),
        ("multiply|(?:the )?product of", "by|and|with", "{0} × {1}"),
        ("divide", "by", "{0} ÷ {1}"),
    )
]
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[ ,]\d{3})+(?:\.\d+)?")

# Dates, numbers of telephones, and what people say in figures but do not want worked out.
_NO_SUM = re.compile(
    r"\d{4}-\d\d?-\d\d?|\d\d?/\d\d?/\d{2,4}|\d+(?:-\d+){2,}|24/7|9/11|50[-/]50|20/20|7[-/](?:11|eleven)"
)
_NO_BARE_SUM = re.compile(r"[\d.,]+(?:[-/x][\d.,]+)+|[\d.,]+!+|.* (?:por|entre) .*")


class _Refusal(Exception):
    """It is a sum, but not one to be worked out; the text is a sentence that says why."""


class _NotASum(Exception):
    """A text is no sum."""


class _Token(NamedTuple):
    """An operator, or a number with its value; a number without a text is written plainly."""

    text: str
    value: Fraction | None = None


# Pieces of every wording, sorted by a letter that is not frequent: faster than a list of words.
_AFTER_DIGIT = (
    "[ )]*(?:[-+*/×÷·^%!⁰-⁹¹²³−–＋]|x *[0-9(]|más |mas |por |pour|entre |menos |moins |fois |mod|elev|al c|au c|puiss)"
)
_HINT = re.compile(
    "|".join(f"{digit}{_AFTER_DIGIT}" for digit in DIGITS)
    + r"|\([ (]*[0-9(]|√|∛|p(?:lus |er ?cent |ower (?:of|[0-9])|roduct of)|m(?:inus |ultipl|es |od[ u]| of |itad|oiti)|"
    "vid|f(?:ference (?:b|of)|actorial| of )|q(?:rt|uare|uarter of|uared)|b(?:tract|ed|e root)|d(?:d | of )|"
    "c(?:alcul|arr|ombien f|uánt|uant)|z c"
)


class Arithmetic(Skill):
    """Works out sums in figures and English number words, with operators in figures, English, Spanish and French."""

    hint = _HINT

    def answer(self, text: str) -> str | None:
        """The sum and what it comes to, or why it cannot be worked out."""
        question = core(fold(_POWER.sub(lambda power: "^" + power[0].translate(_SUPERSCRIPTS), text))).rstrip(" .")
        lead = _LEAD.match(question)
        body, marks = _split_marks(question[lead.end() :] if lead else question)
        asked = lead is not None or "=" in marks
        if _NO_SUM.fullmatch(body) or (not asked and _NO_BARE_SUM.fullmatch(body)):
            return None
        try:
            tokens = list(_tokens(_without_verb(body)))
            return _Sum(tokens).answer() if _is_sum(tokens) else None
        except _NotASum:
            return None
        except _Refusal as refusal:
            return str(refusal)


def _split_marks(body: str) -> tuple[str, str]:
    """What is asked, and from the first ? or = on the marks behind it; a ! before these is a factorial's."""
    # No pattern searched for, as that would begin anew at each of many marks.
    before = body.rstrip(_MARKS)
    marks = body[len(before) :].lstrip("! ")
    return _EQUALS.sub("", body.removesuffix(marks).rstrip(" ")), marks


def _without_verb(body: str) -> str:
    for pattern, sum_ in _VERBS:
        if parts := pattern.fullmatch(body):
            return sum_.format(*(part if re.fullmatch(NUMBER, part) else f"({part})" for part in parts.groups()))
    return body


def _is_sum(tokens: list[_Token]) -> bool:
    texts = [token.text for token in tokens if token.value is None]
    return len(texts) < len(tokens) and any(text not in ("(", ")", "neg") for text in texts)


def _tokens(text: str) -> Iterator[_Token]:
    end = 0
    before: _Token | None = None
    while end < len(text):
        found = _TOKEN.match(text, end)
        if found is None or found.lastindex is None:
            raise _NotASum
        tokens = list(_read(_KINDS[found.lastindex - 1], found[found.lastindex], before))
        yield from tokens
        before = tokens[-1]
        end = found.end()


def _read(kind: str, text: str, before: _Token | None) -> Iterator[_Token]:
    if kind in ("digits", "words", "other"):
        yield _Token("", Fraction(_OTHER_VALUES[text]) if kind == "other" else read_number(text))
    elif kind in _EXPONENTS:
        yield _Token("^")
        yield _Token(str(_EXPONENTS[kind]), Fraction(_EXPONENTS[kind]))
    elif kind in _PARTS:
        yield _Token(*_PARTS[kind])
        yield _Token("of")
    else:
        symbol = _SIGNS.get(text, text) if kind == "sign" else kind
        begins = before is None or (before.value is None and before.text not in (")", "!"))
        symbol = "neg" if symbol == "-" and begins else symbol
        yield _Token("mod" if symbol == "%" else symbol)


def read_number(text: str) -> Fraction:
    """The value of what matches `NUMBER`."""
    if text[-1].isalpha() and not text[0].isdigit():
        return Fraction(_in_words(text))
    number, _, scale = text.partition(" ") if text[-1].isalpha() else (text, "", "")
    number = re.sub("[ ,]", "", number) if _GROUPED.fullmatch(number) else number.replace(",", ".")
    return Fraction(number) * _SCALES.get(scale, 1)


def _in_words(text: str) -> int:
    total = part = 0
    for word in text.replace("-", " ").split():
        if word in ("thousand", "million"):
            total, part = total + (part or 1) * _SCALES[word], 0
        elif word == "hundred":
            part *= 100
        else:
            part += {"a": 1, "and": 0}.get(word, _VALUES.get(word, 0))
    return total + part


class _Sum:
    """Works out the sum of its tokens. It is exact until there is a root that is not a fraction."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._exact = True

    def answer(self) -> str:
        value = self._expression(0)
        if self._next < len(self._tokens):
            raise _NotASum
        result = plainly(value, _DECIMALS)
        written = _written(self._tokens[: _WRITTEN + 1])  # each is a character or more
        if len(written) > _WRITTEN:
            return f"That comes to {result}."
        operands = (token.value for token in self._tokens if token.value is not None and not token.text)
        exact = self._exact and all(is_exact(shown, _DECIMALS) for shown in (value, *operands))
        return f"{written} {'=' if exact else '≈'} {result}"

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else _Token("")

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token

    def _expression(self, binding: int) -> Fraction:
        """By precedence climbing: operators that bind less than `binding` are left."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Refusal(TOO_DEEP)
        value = self._operand()
        while (operator := self._peek()).text in _BINDING and _BINDING[operator.text] >= binding:
            self._next += 1
            strength = _BINDING[operator.text]
            right = self._expression(strength if operator.text == "^" else strength + 1)
            value = _bounded(
                self._power(value, right) if operator.text == "^" else _BINARY[operator.text](value, right)
            )
        self._depth -= 1
        return value

    def _operand(self) -> Fraction:
        token = self._take()
        if token.value is not None:
            value = token.value
        elif token.text == "(":
            value = self._expression(0)
            if self._take().text != ")":
                raise _NotASum
        elif token.text == "neg":
            return -self._expression(_NEGATION)
        elif token.text in ("√", "∛"):
            value = self._root(self._expression(_FUNCTION), 2 if token.text == "√" else 3)
        elif token.text == "factorial of ":
            value = _factorial(self._expression(_FUNCTION))
        else:
            raise _NotASum
        while self._peek().text.startswith("!"):
            if self._take().text != "!":
                raise _Refusal(WHICH_FACTORIAL)
            value = _factorial(value)
        return value

    def _power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if base == 0 and exponent < 0:
            raise _Refusal(NO_DIVISION)
        if base in (0, 1) or exponent == 0:
            return base if exponent else Fraction(1)
        if base == -1 and exponent.denominator == 1:
            return Fraction(-1 if exponent.numerator % 2 else 1)
        if abs(exponent) * max(base.numerator.bit_length(), base.denominator.bit_length()) > _MAX_BITS:
            raise _Refusal(TOO_BIG)
        if exponent.denominator == 1:
            return base**exponent.numerator
        if base < 0:
            raise _Refusal(NO_ROOT)
        return self._fractional_power(base, exponent)

    def _root(self, base: Fraction, degree: int) -> Fraction:
        if base < 0 and degree == 3:
            return -self._power(-base, Fraction(1, 3))
        return self._power(base, Fraction(1, degree))

    def _fractional_power(self, base: Fraction, exponent: Fraction) -> Fraction:
        power = _PRECISE.power(_decimal(base), _decimal(exponent))
        value = Fraction(_ROUNDED.plus(power))
        few = exponent.denominator <= _MAX_DEPTH and abs(exponent.numerator) <= _MAX_DEPTH
        self._exact &= few and value**exponent.denominator == base**exponent.numerator
        return value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise _Refusal(TOO_BIG)
    return value


def _divide(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise _Refusal(NO_DIVISION)
    return left / right


def _factorial(value: Fraction) -> Fraction:
    if value < 0 or value.denominator != 1:
        raise _Refusal(NO_FACTORIAL)
    if value > _MAX_FACTORIAL:
        raise _Refusal(TOO_BIG)
    return Fraction(math.factorial(value.numerator))


_BINARY: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "×": lambda left, right: left * right,
    "÷": _divide,
    "//": lambda left, right: Fraction(math.floor(_divide(left, right))),
    "mod": lambda left, right: left - right * math.floor(_divide(left, right)),
    "of": lambda left, right: left * right,
    "% of": lambda left, right: left * right / 100,
}
_BINDING = {"+": 1, "-": 1, "×": 2, "÷": 2, "//": 2, "mod": 2, "of": 3, "% of": 3, "^": 5}
_NEGATION = 4
_FUNCTION = 6


def _decimal(value: Fraction) -> Decimal:
    return _PRECISE.divide(Decimal(value.numerator), Decimal(value.denominator))


def is_exact(value: Fraction, decimals: int) -> bool:
    """Whether `plainly` gives all digits of a number."""
    return bool(10**decimals % value.denominator == 0 and abs(value) < 10**_PRINTED_DIGITS)


def plainly(value: Fraction, decimals: int) -> str:
    """A number as people write it: with so many decimals, or with a power of ten if it is very large or small."""
    if value and not _SMALLEST <= abs(value) < 10**_PRINTED_DIGITS:
        digits, _, exponent = f"{_decimal(value):.{decimals - 1}e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')} × 10^{int(exponent)}"
    whole, rest = divmod(round(abs(value) * 10**decimals), 10**decimals)
    return f"{'-' if value < 0 else ''}{whole:,}.{rest:0{decimals}}".rstrip("0").rstrip(".")


def _written(tokens: list[_Token]) -> str:
    spellings = {"neg": "-", "^": "^", "% of": "% of "}
    return "".join(
        plainly(token.value, _DECIMALS)
        if token.value is not None and not token.text
        else spellings.get(token.text) or (f" {token.text} " if token.text in _BINDING else token.text)
        for token in tokens
    )
