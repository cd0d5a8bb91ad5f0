"""Places and their time zones: pytz's, and beside them what people say in English, Spanish and French."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytz

from chatbot.bot.skills.wording import plain

LANGUAGES = ("en", "es", "fr")

# For each zone its places, each as in English/Spanish/French, or once where these are the same.
_CITIES = {
    "America/New_York": "New York/Nueva York/New York, New York City, NYC, Washington, Washington DC, "
    "Washington D.C., Boston, Miami, "
    "Philadelphia/Filadelfia/Philadelphie, Atlanta, Orlando, Florida/Florida/Floride, Pennsylvania, Massachusetts, "
    "New Jersey, Virginia, North Carolina, South Carolina, Ohio, Michigan, Connecticut, Maryland, Maine, Vermont, "
    "Delaware, New Hampshire, Rhode Island, West Virginia, Eastern time, EST, EDT, ET",
    "America/Chicago": "Chicago, Houston, Dallas, Austin, San Antonio, New Orleans, Minneapolis, Texas, Illinois, "
    "Wisconsin, Minnesota, Iowa, Missouri, Oklahoma, Kansas, Nebraska, Arkansas, "
    "Louisiana/Luisiana/Louisiane, Alabama, "
    "Mississippi, Tennessee, Nashville, Central time, CST, CDT",
    "America/Denver": "Denver, Colorado, Utah, Salt Lake City, New Mexico, Wyoming, Montana, Mountain time, MDT",
    "America/Phoenix": "Phoenix, Arizona",
    "America/Los_Angeles": "Los Angeles, LA, San Francisco, SF, San Diego, Seattle, Portland, Las Vegas, "
    "Vegas, Nevada, "
    "Silicon Valley, Hollywood, California/California/Californie, Washington State, Oregon, Pacific time, PST, PDT, PT",
    "Pacific/Honolulu": "Hawaii/Hawái/Hawaï",
    "America/Anchorage": "Alaska",
    "America/Toronto": "Toronto, Montreal/Montreal/Montréal, Ottawa, Ontario, Quebec/Quebec/Québec",
    "America/Edmonton": "Calgary, Alberta",
    "America/Vancouver": "British Columbia/Columbia Británica/Colombie-Britannique",
    "America/Mexico_City": "Mexico City/Ciudad de México/Ville de Mexico, CDMX, Guadalajara",
    "America/Havana": "Havana/La Habana/La Havane",
    "America/Sao_Paulo": "Rio, Rio de Janeiro/Río de Janeiro/Rio de Janeiro, São Paulo, Brasilia",
    "America/Guayaquil": "Quito",
    "Europe/London": "London/Londres/Londres, England/Inglaterra/Angleterre, Scotland/Escocia/Écosse, "
    "Wales/Gales/Pays de Galles, Northern Ireland/Irlanda del Norte/Irlande du Nord, "
    "Edinburgh/Edimburgo/Édimbourg, Manchester, Liverpool, Glasgow",
    "Europe/Dublin": "Dublin/Dublín/Dublin",
    "Europe/Lisbon": "Lisbon/Lisboa/Lisbonne, Porto/Oporto/Porto",
    "Europe/Madrid": "Madrid, Barcelona/Barcelona/Barcelone, Valencia, Seville/Sevilla/Séville, "
    "Bilbao, Malaga/Málaga/Malaga",
    "Atlantic/Canary": "Canary Islands/Canarias/Canaries, Tenerife",
    "Europe/Paris": "Paris/París/Paris, Lyon, Marseille/Marsella/Marseille, Nice/Niza/Nice, Toulouse, Bordeaux",
    "Europe/Brussels": "Brussels/Bruselas/Bruxelles",
    "Europe/Amsterdam": "Amsterdam/Ámsterdam/Amsterdam, Rotterdam, The Hague/La Haya/La Haye",
    "Europe/Berlin": "Berlin/Berlín/Berlin, Munich/Múnich/Munich, München, Hamburg/Hamburgo/Hambourg, "
    "Frankfurt/Fráncfort/Francfort, Cologne/Colonia/Cologne, Köln, Stuttgart, Düsseldorf",
    "Europe/Zurich": "Zurich/Zúrich/Zurich, Geneva/Ginebra/Genève, Bern/Berna/Berne, Basel/Basilea/Bâle",
    "Europe/Rome": "Rome/Roma/Rome, Milan/Milán/Milan, Naples/Nápoles/Naples, Venice/Venecia/Venise, "
    "Florence/Florencia/Florence, Turin/Turín/Turin",
    "Europe/Vienna": "Vienna/Viena/Vienne",
    "Europe/Prague": "Prague/Praga/Prague",
    "Europe/Warsaw": "Warsaw/Varsovia/Varsovie, Krakow/Cracovia/Cracovie",
    "Europe/Copenhagen": "Copenhagen/Copenhague/Copenhague",
    "Europe/Stockholm": "Stockholm/Estocolmo/Stockholm",
    "Europe/Athens": "Athens/Atenas/Athènes",
    "Europe/Istanbul": "Istanbul/Estambul/Istanbul, Ankara",
    "Europe/Moscow": "Moscow/Moscú/Moscou, Saint Petersburg/San Petersburgo/Saint-Pétersbourg, St Petersburg",
    "Europe/Kyiv": "Kyiv/Kiev/Kiev",
    "Africa/Cairo": "Cairo/El Cairo/Le Caire",
    "Africa/Johannesburg": "Cape Town/Ciudad del Cabo/Le Cap",
    "Asia/Jerusalem": "Jerusalem/Jerusalén/Jérusalem, Tel Aviv",
    "Asia/Dubai": "Dubai/Dubái/Dubaï, Abu Dhabi",
    "Asia/Kolkata": "Mumbai/Bombay/Bombay, Delhi, New Delhi/Nueva Delhi/New Delhi, Bangalore, Bengaluru, Chennai, "
    "Hyderabad, IST",
    "Asia/Shanghai": "Beijing/Pekín/Pékin, Peking, Shanghai/Shanghái/Shanghai, Shenzhen, Guangzhou",
    "Asia/Hong_Kong": "Hong Kong",
    "Asia/Tokyo": "Tokyo/Tokio/Tokyo, Osaka, Kyoto",
    "Asia/Seoul": "Seoul/Seúl/Séoul",
    "Asia/Ho_Chi_Minh": "Hanoi, Ho Chi Minh City, Saigon",
    "Australia/Sydney": "Sydney/Sídney/Sydney, Canberra",
    "UTC": "UTC",
    "GMT": "GMT, Greenwich",
    "CET": "CET, CEST",
}

# Countries that people call otherwise than pytz, in the same way.
_COUNTRIES = {
    "AE": "the United Arab Emirates/Emiratos Árabes Unidos/Émirats arabes unis, the UAE, the Emirates",
    "AR": "Argentina/Argentina/Argentine",
    "AS": "American Samoa",
    "AT": "Austria/Austria/Autriche",
    "AU": "Australia/Australia/Australie",
    "BA": "Bosnia and Herzegovina/Bosnia y Herzegovina/Bosnie-Herzégovine, Bosnia/Bosnia/Bosnie",
    "BE": "Belgium/Bélgica/Belgique",
    "BR": "Brazil/Brasil/Brésil",
    "CA": "Canada/Canadá/Canada",
    "CD": "DR Congo, the Democratic Republic of the Congo",
    "CF": "the Central African Republic",
    "CG": "the Republic of the Congo",
    "CH": "Switzerland/Suiza/Suisse",
    "CI": "Ivory Coast/Costa de Marfil/Côte d'Ivoire",
    "CL": "Chile/Chile/Chili",
    "CM": "Cameroon/Camerún/Cameroun",
    "CN": "China/China/Chine",
    "CO": "Colombia/Colombia/Colombie",
    "CR": "Costa Rica",
    "CU": "Cuba",
    "CZ": "the Czech Republic/República Checa/République tchèque, Czechia/Chequia/Tchéquie",
    "DE": "Germany/Alemania/Allemagne",
    "DK": "Denmark/Dinamarca/Danemark",
    "DO": "the Dominican Republic/República Dominicana/République dominicaine",
    "DZ": "Algeria/Argelia/Algérie",
    "EC": "Ecuador/Ecuador/Équateur",
    "EG": "Egypt/Egipto/Égypte",
    "ES": "Spain/España/Espagne",
    "FI": "Finland/Finlandia/Finlande",
    "FR": "France/Francia/France",
    "GB": "the UK/Reino Unido/Royaume-Uni, the United Kingdom, Britain, Great Britain/Gran Bretaña/Grande-Bretagne",
    "GR": "Greece/Grecia/Grèce",
    "HR": "Croatia/Croacia/Croatie",
    "HU": "Hungary/Hungría/Hongrie",
    "IE": "Ireland/Irlanda/Irlande",
    "IL": "Israel/Israel/Israël",
    "IN": "India/India/Inde",
    "IQ": "Iraq/Irak/Irak",
    "IR": "Iran/Irán/Iran",
    "IS": "Iceland/Islandia/Islande",
    "IT": "Italy/Italia/Italie",
    "JP": "Japan/Japón/Japon",
    "KE": "Kenya/Kenia/Kenya",
    "KP": "North Korea/Corea del Norte/Corée du Nord",
    "KR": "South Korea/Corea del Sur/Corée du Sud, Korea/Corea/Corée",
    "LB": "Lebanon/Líbano/Liban",
    "MA": "Morocco/Marruecos/Maroc",
    "MM": "Myanmar, Burma/Birmania/Birmanie",
    "MU": "Mauritius/Mauricio/Île Maurice",
    "MX": "Mexico/México/Mexique",
    "NL": "the Netherlands/Países Bajos/Pays-Bas, Holland/Holanda/Hollande",
    "NO": "Norway/Noruega/Norvège",
    "NZ": "New Zealand/Nueva Zelanda/Nouvelle-Zélande",
    "PE": "Peru/Perú/Pérou",
    "PH": "the Philippines/Filipinas/Philippines",
    "PK": "Pakistan/Pakistán/Pakistan",
    "PL": "Poland/Polonia/Pologne",
    "PT": "Portugal",
    "RO": "Romania/Rumania/Roumanie",
    "RU": "Russia/Rusia/Russie",
    "SA": "Saudi Arabia/Arabia Saudita/Arabie saoudite",
    "SE": "Sweden/Suecia/Suède",
    "SG": "Singapore/Singapur/Singapour",
    "SN": "Senegal/Senegal/Sénégal",
    "SY": "Syria/Siria/Syrie",
    "SZ": "Eswatini, Swaziland",
    "TH": "Thailand/Tailandia/Thaïlande",
    "TN": "Tunisia/Túnez/Tunisie",
    "TR": "Turkey/Turquía/Turquie, Türkiye",
    "TT": "Trinidad and Tobago, Trinidad",
    "UA": "Ukraine/Ucrania/Ukraine",
    "US": "the USA/Estados Unidos/États-Unis, the US, the United States, the United States of America, America, "
    "the States, EE UU, EEUU",
    "VE": "Venezuela",
    "VN": "Vietnam",
    "WS": "Samoa",
    "ZA": "South Africa/Sudáfrica/Afrique du Sud",
}

# Where the capital's zone, or the one where most people live, is not the first that pytz names.
_MAIN_ZONES = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "FM": "Pacific/Pohnpei",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}
_CONTINENTS = ("Africa", "America", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_NO_PLACES = ("Center", "North", "South", "West", "ACT", "NSW", "LHI")
_ARTICLES = ("the ", "el ", "la ", "los ", "las ", "le ", "les ", "l")


class Place(NamedTuple):
    """A city or a country. `names` are for `LANGUAGES`; `country` is a code of two letters, if it is a country's."""

    names: tuple[str, ...]
    zone: str
    country: str | None
    is_country: bool


class Places:
    """Finds places by what people call them. It never changes, so threads may share it."""

    def __init__(self) -> None:
        self._countries = {zone: code for code, zones in pytz.country_timezones.items() for zone in zones}
        self._places: dict[str, Place] = {}
        for zone, cities in _CITIES.items():
            for names in _entries(cities):
                self._add(Place(names, zone, self._countries.get(zone), is_country=False))
        self._names: dict[str, tuple[str, ...]] = {}
        for code in pytz.country_timezones:
            name = pytz.country_names[code]
            for names in _entries(", ".join(filter(None, (_COUNTRIES.get(code), name, name.replace("&", "and"))))):
                self._names.setdefault(code, names)
                self._add(Place(names, _main_zone(code), code, is_country=True))
        for zone in pytz.all_timezones:
            continent, _, city = zone.rpartition("/")
            if continent.partition("/")[0] in _CONTINENTS and city not in _NO_PLACES:
                self._add(Place((city.replace("_", " "),) * 3, zone, self._countries.get(zone), is_country=False))
        self._most_words = max(len(name.split()) for name in self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def find(self, name: str) -> Place | None:
        """The place of a plain name, which may have an article before it and its country behind it."""
        without_article = (name.removeprefix(article) for article in _ARTICLES if name.startswith(article))
        for spelling in (name, *without_article, f"le {name}"):  # au Caire is Le Caire
            if spelling in self._places:
                return self._places[spelling]
        words = name.split()
        for cut in range(1, len(words) if len(words) <= 2 * self._most_words else 0):
            city, country = (self._places.get(" ".join(part)) for part in (words[:cut], words[cut:]))
            if city and country and city.country and city.country == country.country and not city.is_country:
                return city if country.is_country or city.zone == country.zone else None
        return None

    def country_names(self, code: str) -> tuple[str, ...]:
        """What a country is called in `LANGUAGES`."""
        return self._names[code]

    def _add(self, place: Place) -> None:
        for name in place.names:
            self._places.setdefault(plain(name).removeprefix("the "), place)


def has_several_times(code: str, now: datetime) -> bool:
    """Whether clocks differ within a country now."""
    return len({now.astimezone(pytz.timezone(zone)).utcoffset() for zone in pytz.country_timezones[code]}) > 1


def main_city(zone: str) -> tuple[str, ...]:
    """What the city that stands for a zone is called in `LANGUAGES`."""
    city = zone.rpartition("/")[2].replace("_", " ")
    return next(_entries(_CITIES.get(zone, city)))


def _main_zone(code: str) -> str:
    first: str = pytz.country_timezones[code][0]
    return _MAIN_ZONES.get(code, first)


def _entries(listed: str) -> Iterator[tuple[str, ...]]:
    """What each place of a list is called in `LANGUAGES`."""
    for entry in listed.split(", "):
        names = tuple(entry.split("/"))
        yield names if len(names) > 1 else names * len(LANGUAGES)
