import pytest

from chatbot.bot.skills.units import Units
from tests.skilled import ask, nonsense, seconds, skilled


@pytest.fixture(scope="module")
def units() -> Units:
    return skilled(Units)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("how many km in 5 miles", "5 mi = 8.04672 km"),
        ("How many kilometers are in 5 miles?", "5 mi = 8.04672 km"),
        ("how many kilometers are there in a mile?", "1 mi = 1.609344 km"),
        ("convert 10 kg to pounds", "10 kg ≈ 22.046226 lb"),
        ("100 F in C", "100°F ≈ 37.777778°C"),
        ("100°F in °C", "100°F ≈ 37.777778°C"),
        ("what is 5 feet in meters", "5 ft = 1.524 m"),
        ("how many seconds in a day", "1 day = 86,400 s"),
        ("72 fahrenheit to celsius", "72°F ≈ 22.222222°C"),
        ("72 farenheit to celcius", "72°F ≈ 22.222222°C"),
        ("5 ft 10 in cm", "5 ft 10 in = 177.8 cm"),
        ("5 ft 10 in in cm", "5 ft 10 in = 177.8 cm"),
        ("5'10\" in cm", "5 ft 10 in = 177.8 cm"),
        ("5 feet 10 inches in cm", "5 ft 10 in = 177.8 cm"),
        ("5 feet and 10 inches to cm", "5 ft 10 in = 177.8 cm"),
        ("6 lb 4 oz in kg", "6 lb 4 oz ≈ 2.834952 kg"),
        ("what is 180 cm in feet", "180 cm ≈ 5.905512 ft"),
        ("-40 C in F", "-40°C = -40°F"),
        ("minus 40 celsius in fahrenheit", "-40°C = -40°F"),
        ("0 K in C", "0 K = -273.15°C"),
        ("what's 98.6 degrees fahrenheit in celsius?", "98.6°F = 37°C"),
        ("how many ounces in a pound", "1 lb = 16 oz"),
        ("how many feet in a mile", "1 mi = 5,280 ft"),
        ("how many days in a year", "1 year = 365.25 days on average"),
        ("how many weeks are in a year?", "1 year ≈ 52.178571 weeks on average"),
        ("how many months in a year", "1 year = 12 months"),
        ("how many days are in a week", "1 week = 7 days"),
        ("how many MB in a GB", "1 GB = 1,000 MB"),
        ("how many bytes in 2 KiB", "2 KiB = 2,048 B"),
        ("1 GB in MB", "1 GB = 1,000 MB"),
        ("60 mph in km/h", "60 mph = 96.56064 km/h"),
        ("100 km/h to mph", "100 km/h ≈ 62.137119 mph"),
        ("10 knots in mph", "10 knots ≈ 11.507794 mph"),
        ("how many liters in a gallon", "1 US gallon ≈ 3.785412 l"),
        ("2 cups in ml", "2 US cups = 473.176473 ml"),
        ("5 acres in hectares", "5 acres ≈ 2.023428 ha"),
        ("1 m2 in cm2", "1 m² = 10,000 cm²"),
        ("10 square feet in square meters", "10 sq ft ≈ 0.92903 m²"),
        ("90 minutes in hours", "90 min = 1.5 h"),
        ("1 hour 30 minutes in seconds", "1 h 30 min = 5,400 s"),
        ("how many grams are in 2.5 kg", "2.5 kg = 2,500 g"),
        ("1,000 m in km", "1,000 m = 1 km"),
        ("3,5 kg in g", "3.5 kg = 3,500 g"),
        ("what is five feet in meters", "5 ft = 1.524 m"),
        ("how many inches in six feet", "6 ft = 72 in"),
        ("¿Cuántos metros hay en una milla?", "1 mi = 1,609.344 m"),
        ("cuantos km son 5 millas", "5 mi = 8.04672 km"),
        ("cuántos días hay en una semana", "1 semana = 7 días"),
        ("convierte 10 kg a libras", "10 kg ≈ 22.046226 lb"),
        ("10 libras en kilos", "10 lb ≈ 4.535924 kg"),
        ("100 grados fahrenheit en grados celsius", "100°F ≈ 37.777778°C"),
        ("combien de mètres dans un mille", "1 mi = 1,609.344 m"),
        ("combien de grammes dans une livre", "1 lb = 453.59237 g"),
        ("Combien de jours y a-t-il dans une semaine ?", "1 semaine = 7 jours"),
        ("convertis 10 km en miles", "10 km ≈ 6.213712 mi"),
        ("10 pouces en cm", "10 in = 25.4 cm"),
        ("3 semaines en jours", "3 semaines = 21 jours"),
        ("how tall is 6 feet in cm?", "6 ft = 182.88 cm"),
        ("10 in to cm", "10 in = 25.4 cm"),
        ("how many centuries in 1000 years", "1,000 years = 10 centuries"),
        ("0.5 mm in miles", "0.5 mm ≈ 3.10686 × 10^-7 mi"),
        ("how many pints in a liter", "1 l ≈ 2.113376 US pints"),
        ("how many kilometres in 26.2 miles please", "26.2 mi ≈ 42.164813 km"),
        ("Hey, can you convert 30 C to F?", "30°C = 86°F"),
        ("how many milliseconds in 2 seconds", "2 s = 2,000 ms"),
        ("1 light year in km", "1 light year = 9,460,730,472,580.8 km"),
        ("how many seconds does a minute have", "1 min = 60 s"),
        ("10 US gallons in litres", "10 US gallons ≈ 37.854118 l"),
        ("how many hours in 3 days?", "3 days = 72 h"),
        ("350 fahrenheit to celsius my oven is european help", "350°F ≈ 176.666667°C"),
        ("convert 2 cups to ml, it's for a cake in Paris", "2 US cups = 473.176473 ml"),
        ("20 mm = cm", "20 mm = 2 cm"),
        ("1.12345678 km in m", "1.123457 km ≈ 1,123.45678 m"),
        ("1 km 0.12345678 m in m", "1 km 0.123457 m ≈ 1,000.123457 m"),
    ],
)
def test_it_converts(units: Units, question: str, answer: str) -> None:
    assert ask(units, question) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("-300 C in F", "Nothing can be as cold as that."),
        ("convert 5 miles to kg", "These do not go together: one measures lengths, the other masses."),
        ("how many minutes in a mile", "These do not go together: one measures lengths, the other times."),
        ("convertir 5 millas en kg", "No van juntos: uno mide longitudes, el otro masas."),
        ("combien de mètres dans 5 kg", "Cela ne va pas ensemble : l'un mesure des masses, l'autre des longueurs."),
        ("cuántos metros hay en 5 litros", "No van juntos: uno mide volúmenes, el otro longitudes."),
        ("how many bytes in 5 km/h", "These do not go together: one measures speeds, the other amounts of data."),
        ("how many acres in 5 c", "These do not go together: one measures temperatures, the other areas."),
    ],
)
def test_it_says_why_it_does_not(units: Units, question: str, answer: str) -> None:
    assert ask(units, question) == answer


@pytest.mark.parametrize(
    "message",
    [
        "-5 ft 10 in in cm",
        "5 ft 10 lb in cm",
        "5 c 10 c in f",
        "how many people in a day",
        "how many people live in 5 miles",
        "i ran 5 miles in 40 minutes",
        "convert 10 dollars to euros",
        "10 pounds to euros",
        "how many days until christmas",
        "how many days in february",
        "5 to go",
        "10 minutes to midnight",
        "what is 5 in paris",
        "5 miles in minutes",
        "5 feet to second base",
        "what is love in french",
        "born in 1990 in Paris",
        "how many legs does a dog have",
        "a mile in my shoes",
        "how many pounds is an elephant",
        "how many feet does a dog have",
        "3 men in a boat",
        "2 to 3",
        "100 m in 9.58 s",
        "what is a meter",
        "how many bytes",
        "7 days a week",
        "i have 2 kids in a house",
        "he is 5 ft 10 in",
        "what is 72 degrees in celsius",
        "how long is a day in paris",
        "1 in 5",
        "1 in 10 m",
        "how far is 5 km",
        "twice a day",
        "give me 5 minutes",
        "24 hours in a day keep",
        "5' in",
        "' in cm",
        "a in b",
        "- in cm",
        "how many m in m",
        "convert to km",
        "what is the size of a gb",
        "1/2 mile in km",
        "how many hours in a day my cat sleeps",
        "5 minutes to midnight my dear",
        "5 ft 1 in 2 ft 1 in 2 ft in m",
    ],
)
def test_it_leaves_other_messages_alone(units: Units, message: str) -> None:
    assert units.answer(message) is None


def test_it_stands_whatever_is_said(units: Units) -> None:
    assert max(seconds(units, text) for text in nonsense()) < 1


@pytest.mark.parametrize(
    "text",
    [
        "5 ft " * 199 + "in m",
        "how many km in " * 66,
        "1 to " * 200,
        "5 km in " * 120,
        "convert " + "9" * 980 + " km in m",
    ],
)
def test_it_is_not_held_up(units: Units, text: str) -> None:
    assert seconds(units, text) < 1
