"""Conversions between units.

The table is our own, with the factors that define the units: pint, which ChatterBot's UnitConversion needs, is over
1 MB and takes 60 ms to import. kB, MB … are powers of 1,000, as the standards have it; KiB, MiB … are those of 1,024.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from chatbot.bot.skills.arithmetic import NUMBER, is_exact, plainly, read_number
from chatbot.bot.skills.skill import Skill
from chatbot.bot.skills.wording import DIGITS, core, fold


class _Unit(NamedTuple):
    """`factor` and `offset` lead to the base unit of the dimension, as in K = (°F + 459.67) × 5/9."""

    written: tuple[tuple[str, str], ...]
    dimension: str
    factor: Fraction
    offset: Fraction


# For each dimension its units: how one and several are written, in English, Spanish and French if that is not a symbol;
# the factor, and the offset if there is one; and what people call it, without accents. A name of three letters or more
# may have an s behind it.
_TABLE = {
    "length": (
        ("km", "1000", "km, kms, kilometer, kilometre, kilometro"),
        ("m", "1", "m, meter, metre, metro"),
        ("cm", "1/100", "cm, cms, centimeter, centimetre, centimetro"),
        ("mm", "1/1000", "mm, millimeter, millimetre, milimetro"),
        ("µm", "1/1000000", "µm, um, micrometer, micrometre, micron"),
        ("nm", "1/1000000000", "nm, nanometer, nanometre, nanometro"),
        ("mi", "1609.344", "mi, mile, milla, mille"),
        ("nautical mile|nautical miles", "1852", "nmi, nautical mile, milla nautica, mille nautique, mille marin"),
        ("yd", "0.9144", "yd, yds, yard, yarda"),
        ("ft", "0.3048", "ft, foot, feet, pie, pied, '"),
        ("in", "0.0254", "in, inch, inches, pulgada, pouce, '', \""),
        (
            "light year|light years",
            "9460730472580800",
            "light year, lightyear, ano luz, anos luz, annee lumiere, annees lumiere",
        ),
        ("au", "149597870700", "au, astronomical unit"),
    ),
    "mass": (
        ("kg", "1", "kg, kgs, kilo, kilogram, kilogramme, kilogramo"),
        ("g", "1/1000", "g, gr, gram, gramme, gramo"),
        ("mg", "1/1000000", "mg, milligram, milligramme, miligramo"),
        ("µg", "1/1000000000", "µg, ug, mcg, microgram, microgramme, microgramo"),
        ("t", "1000", "tonne, metric ton, tonelada"),
        ("US ton|US tons", "907.18474", "ton, us ton, short ton"),
        ("lb", "0.45359237", "lb, lbs, pound, libra, livre"),
        ("oz", "0.028349523125", "oz, ounce, onza, once"),
        ("stone", "6.35029318", "st, stone"),
    ),
    "temperature": (
        (
            "°C",
            "1 273.15",
            (
                "c, °c, celsius, celcius, degree celsius, degrees celsius, degrees celcius, degree c, degrees c, "
                "deg c, centigrade, degrees centigrade, grado celsius, grados celsius, grado centigrado, "
                "grados centigrados, grados c, degre celsius, degres celsius, degres c"
            ),
        ),
        (
            "°F",
            "5/9 459.67",
            (
                "f, °f, fahrenheit, farenheit, degree fahrenheit, degrees fahrenheit, degree f, degrees f, deg f, "
                "grado fahrenheit, grados fahrenheit, grados f, degre fahrenheit, degres fahrenheit, degres f"
            ),
        ),
        ("K", "1", "k, kelvin, degrees kelvin, °k"),
    ),
    "volume": (
        ("l", "1", "l, liter, litre, litro"),
        ("ml", "1/1000", "ml, mls, milliliter, millilitre, mililitro"),
        ("cl", "1/100", "cl, centiliter, centilitre, centilitro"),
        ("dl", "1/10", "dl, deciliter, decilitre, decilitro"),
        ("m³", "1000", "m3, m^3, cubic meter, cubic metre, metro cubico, metros cubicos, metre cube, metres cubes"),
        ("cm³", "1/1000", "cm3, cm^3, cc, cubic centimeter, cubic centimetre, centimetro cubico, centimetre cube"),
        ("cubic foot|cubic feet", "28.316846592", "ft3, ft^3, cubic foot, cubic feet, cu ft"),
        ("cubic inch|cubic inches", "0.016387064", "in3, in^3, cubic inch, cubic inches, cu in"),
        ("US gallon|US gallons", "3.785411784", "gal, gallon, us gallon, galon, galones"),
        ("imperial gallon|imperial gallons", "4.54609", "imperial gallon, uk gallon"),
        ("US quart|US quarts", "0.946352946", "qt, quart"),
        ("US pint|US pints", "0.473176473", "pint, us pint"),
        ("imperial pint|imperial pints", "0.56826125", "imperial pint, uk pint"),
        ("US cup|US cups", "0.2365882365", "cup"),
        ("US fl oz", "0.0295735295625", "fl oz, floz, fluid ounce"),
        ("US tbsp", "0.01478676478125", "tbsp, tablespoon"),
        ("US tsp", "0.00492892159375", "tsp, teaspoon"),
    ),
    "speed": (
        (
            "m/s",
            "1",
            "m/s, mps, meter per second, meters per second, metres per second, metros por segundo, metres par seconde",
        ),
        (
            "km/h",
            "5/18",
            (
                "km/h, kmh, kph, kmph, km per hour, kilometer per hour, kilometers per hour, kilometres per hour, "
                "kilometros por hora, km por hora, kilometres par heure, kilometre heure, kilometres heure"
            ),
        ),
        ("mph", "0.44704", "mph, mi/h, mile per hour, miles per hour, millas por hora, miles par heure"),
        ("knot|knots", "463/900", "kn, kt, knot, nudo, noeud"),
        ("ft/s", "0.3048", "ft/s, fps, feet per second"),
    ),
    "area": (
        (
            "m²",
            "1",
            (
                "m2, m^2, sqm, sq m, square meter, square metre, metro cuadrado, metros cuadrados, metre carre, "
                "metres carres"
            ),
        ),
        (
            "km²",
            "1000000",
            (
                "km2, km^2, sq km, square kilometer, square kilometre, kilometro cuadrado, kilometros cuadrados, "
                "kilometre carre, kilometres carres"
            ),
        ),
        (
            "cm²",
            "1/10000",
            "cm2, cm^2, sq cm, square centimeter, square centimetre, centimetros cuadrados, centimetres carres",
        ),
        ("ha", "10000", "ha, hectare, hectarea"),
        ("acre|acres", "4046.8564224", "acre, acres"),
        ("sq ft", "0.09290304", "ft2, ft^2, sqft, sq ft, square foot, square feet, pies cuadrados, pieds carres"),
        ("sq in", "0.00064516", "in2, in^2, sq in, square inch, square inches"),
        ("sq mi", "2589988.110336", "mi2, sq mi, square mile, millas cuadradas"),
    ),
    "time": (
        ("ms", "1/1000", "ms, millisecond, milliseconde, milisegundo"),
        ("s", "1", "s, sec, secs, second, segundo, seconde"),
        ("min", "60", "min, mins, minute, minuto"),
        ("h", "3600", "h, hr, hrs, hour, hora, heure"),
        ("day|days/día|días/jour|jours", "86400", "day, dia, dias, jour"),
        ("week|weeks/semana|semanas/semaine|semaines", "604800", "week, semana, semaine"),
        ("month|months/mes|meses/mois|mois", "2629800", "month, mes, meses, mois"),
        ("year|years/año|años/an|ans", "31557600", "yr, yrs, year, ano, anos, an, ans, annee"),
        ("decade|decades/década|décadas/décennie|décennies", "315576000", "decade, decada, decennie"),
        ("century|centuries/siglo|siglos/siècle|siècles", "3155760000", "century, centuries, siglo, siecle"),
    ),
    "data": (
        ("bit|bits", "1/8", "bit"),
        ("B", "1", "byte, octet"),
        ("kB", "1000", "kb, kilobyte, ko, kilooctet"),
        ("MB", "1000000", "mb, meg, megabyte, mo, megaoctet"),
        ("GB", "1000000000", "gb, gig, gigabyte, go, gigaoctet"),
        ("TB", "1000000000000", "tb, terabyte, teraoctet"),
        ("PB", "1000000000000000", "pb, petabyte"),
        ("KiB", "1024", "kib, kibibyte"),
        ("MiB", "1048576", "mib, mebibyte"),
        ("GiB", "1073741824", "gib, gibibyte"),
        ("TiB", "1099511627776", "tib, tebibyte"),
    ),
}
_CALENDAR = ("month", "year", "decade", "century")
"""A month is a twelfth of a year, and a year is 365.25 days, as it is on average."""


def _units() -> dict[str, _Unit]:
    units = {}
    for dimension, rows in _TABLE.items():
        for written, numbers, names in rows:
            factor, _, offset = numbers.partition(" ")
            forms = [form.partition("|") for form in (written.split("/") if "|" in written else [written])]
            unit = _Unit(
                tuple((one, several or one) for one, _, several in forms),
                dimension,
                Fraction(factor),
                Fraction(offset or 0),
            )
            for name in names.split(", "):
                units[name] = unit
                if len(name) > 2:
                    units.setdefault(name + "s", unit)
    return units


_UNITS = _units()
_DECIMALS = 6
_MOST_AMOUNTS = 4
_SPLIT = re.compile(rf"(?<![a-z^\d])({NUMBER})")
_A = re.compile("(?:an?|one|una?|uno|une) ")
# What people say behind a conversion, as in: 350 f to c my oven is european.
_ASIDE = re.compile(
    r"(?<= )((?:in|into|to|as) [^ ,.!?;]+)[,.!?;]* (?:my|i'?m|it'?s|for|help|because|cause|cuz|since)\b.*"
)
_CONJUNCTION = re.compile("(?:,? (?:and|y|et)|,)$")


class _Language(NamedTuple):
    """How a language asks, and what it says. `clear` are questions for a conversion whatever the units are."""

    clear: re.Pattern[str]
    bare: re.Pattern[str]
    on_average: str
    unlike: str
    too_cold: str


def _asking(*wordings: str) -> re.Pattern[str]:
    """`FROM` and `TO` in a wording stand for an amount and for a unit."""
    # The name of a group may occur once in a pattern, hence the numbers.
    return re.compile(
        "|".join(
            wording.replace("FROM", f"(?P<from{number}>.+)").replace("TO", f"(?P<to{number}>.+?)")
            for number, wording in enumerate(wordings)
        )
    )


_LANGUAGES = (
    _Language(
        _asking(
            "how many TO (?:are |is )?(?:there )?(?:in|is|are|equals?|makes?(?: up)?|per) FROM",
            "how many TO (?:do|does) FROM (?:have|equal|contain|make)",
            "(?:convert|change|turn|(?:what|how (?:much|many|far|long|tall|heavy|hot|cold|big))(?: is| are|'?s)) "
            "FROM (?:in|into|to|as) TO",
        ),
        _asking("FROM (?:in|into|to|as|is how many|equals how many|=) TO"),
        " on average",
        "These do not go together: one measures {}, the other {}.",
        "Nothing can be as cold as that.",
    ),
    _Language(
        _asking(
            "cuant[oa]s TO (?:hay en|son|es|tienen?|equivalen a|en) FROM",
            "(?:convierte|convertir|pasa|pasar|cuant[oa]s? (?:es|son)|a cuanto equivalen?) FROM (?:a|en) TO",
        ),
        _asking("FROM en TO"),
        " de media",
        "No van juntos: uno mide {}, el otro {}.",
        "Nada puede estar tan frío.",
    ),
    _Language(
        _asking(
            "combien (?:de |d')?TO (?:y a[ -]t[ -]il dans|il y a dans|dans|font|fait|en) FROM",
            "(?:convertis|convertir|convertissez|combien (?:font|fait)|que font) FROM en TO",
        ),
        _asking("FROM vers TO"),
        " en moyenne",
        "Cela ne va pas ensemble : l'un mesure {}, l'autre {}.",
        "Rien ne peut être aussi froid.",
    ),
)
_DIMENSIONS = {
    "length": ("lengths", "longitudes", "des longueurs"),
    "mass": ("masses", "masas", "des masses"),
    "temperature": ("temperatures", "temperaturas", "des températures"),
    "volume": ("volumes", "volúmenes", "des volumes"),
    "speed": ("speeds", "velocidades", "des vitesses"),
    "area": ("areas", "superficies", "des surfaces"),
    "time": ("times", "tiempos", "des durées"),
    "data": ("amounts of data", "cantidades de datos", "des quantités de données"),
}


class Units(Skill):
    """Converts lengths, masses, temperatures, volumes, speeds, areas, times and sizes of data."""

    # Pieces of every wording, sorted by a letter that is not frequent: faster than a list of words.
    hint = re.compile(
        "|".join(f"{digit}[.,0-9 ]*[a-zµ°º'\"’′″]" for digit in DIGITS)
        + "|w many [a-z ]+ (?:in|is|are|make|equal|do|does|per) |"
        "c(?:uánt|uant)[oa]s [a-zñíé ]+ (?:hay|son|es|en|tiene) |combien d|v(?:ert |ierte |ertir |ertis )|"
        "s (?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty) [a-z ]+ (?:in|to) [a-z]"
    )

    def answer(self, text: str) -> str | None:
        """The amount in both units, or why it cannot be converted."""
        question = _ASIDE.sub(r"\1", core(fold(text))).rstrip(" ?!.=")
        for column, language in enumerate(_LANGUAGES):
            for pattern in (language.clear, language.bare):
                if asked := pattern.fullmatch(question):
                    said = {name[:-1]: part for name, part in asked.groupdict().items() if part}
                    amounts, to = _amounts(said["from"]), said["to"]
                    if amounts and to in _UNITS:
                        return _converted(amounts, to, column, clear=pattern is language.clear)
        return None


def _amounts(text: str) -> list[tuple[Fraction, str]] | None:
    """What `5 ft 10 in`, `5 ft 10` and `a mile` are: numbers, each with the name of a unit of one dimension."""
    before, *parts = _SPLIT.split(_A.sub("1 ", text, count=1) if _A.match(text) else text)
    sign = {"": 1, "-": -1, "minus": -1}.get(before.strip())
    names = [_CONJUNCTION.sub("", name.strip()) for name in parts[1::2]]
    if names[1:] and names[-2:] in (["ft", ""], ["feet", ""], ["foot", ""], ["'", ""]):
        names[-1] = "in"
    if not sign or not 0 < len(names) <= _MOST_AMOUNTS or any(name not in _UNITS for name in names):
        return None
    dimensions = {_UNITS[name].dimension for name in names}
    if len(names) > 1 and (sign < 0 or len(dimensions) > 1 or "temperature" in dimensions):
        return None
    return [(sign * read_number(number), name) for number, name in zip(parts[::2], names, strict=True)]


def _converted(amounts: list[tuple[Fraction, str]], to: str, column: int, *, clear: bool) -> str | None:
    language = _LANGUAGES[column]
    source, target = _UNITS[amounts[0][1]], _UNITS[to]
    if source.dimension != target.dimension:
        dimensions = (_DIMENSIONS[unit.dimension][column] for unit in (source, target))
        return language.unlike.format(*dimensions) if clear else None
    base = sum((number + _UNITS[name].offset) * _UNITS[name].factor for number, name in amounts)
    if source.dimension == "temperature" and base < 0:
        return language.too_cold
    value = base / target.factor - target.offset
    sign = "=" if all(is_exact(shown, _DECIMALS) for shown in (value, *(number for number, _ in amounts))) else "≈"
    calendar = {_UNITS[name].written[0][0] in _CALENDAR for name in (amounts[0][1], to)}
    written = " ".join(_written(number, name) for number, name in amounts)
    return f"{written} {sign} {_written(value, to)}{language.on_average if len(calendar) > 1 else ''}"


def _written(number: Fraction, name: str) -> str:
    """A number with a unit, in the language of the unit's name if it differs from that."""
    forms = _UNITS[name].written
    one, several = next((form for form in forms if name in map(fold, form)), forms[0])
    amount = plainly(number, _DECIMALS)
    return f"{amount}{'' if one.startswith('°') else ' '}{one if abs(number) == 1 else several}"
