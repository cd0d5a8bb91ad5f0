from datetime import UTC, datetime

import pytest
import pytz

from chatbot.bot.skills.places import Places, has_several_times, main_city
from chatbot.bot.skills.wording import plain

NOW = datetime(2026, 3, 6, 17, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def places() -> Places:
    return Places()


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Tokyo", "Asia/Tokyo"),
        ("Tokio", "Asia/Tokyo"),
        ("NYC", "America/New_York"),
        ("LA", "America/Los_Angeles"),
        ("San Francisco", "America/Los_Angeles"),
        ("Barcelone", "Europe/Madrid"),
        ("Bangalore", "Asia/Kolkata"),
        ("Rio", "America/Sao_Paulo"),
        ("Pékin", "Asia/Shanghai"),
        ("the United States of America", "America/New_York"),
        ("la France", "Europe/Paris"),
        ("l'Allemagne", "Europe/Berlin"),
        ("los Países Bajos", "Europe/Amsterdam"),
        ("Caire", "Africa/Cairo"),
        ("Paris, France", "Europe/Paris"),
        ("London, England", "Europe/London"),
        ("Portland, Oregon", "America/Los_Angeles"),
        ("New York, USA", "America/New_York"),
        ("Brazil", "America/Sao_Paulo"),
        ("Canada", "America/Toronto"),
        ("Russia", "Europe/Moscow"),
        ("Samoa", "Pacific/Apia"),
        ("American Samoa", "Pacific/Pago_Pago"),
        ("El Salvador", "America/El_Salvador"),
        ("Antigua and Barbuda", "America/Antigua"),
        ("UTC", "UTC"),
    ],
)
def test_a_place_has_a_zone(places: Places, name: str, zone: str) -> None:
    place = places.find(plain(name))
    assert place is not None
    assert place.zone == zone


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Narnia",
        "the",
        "the west",
        "Center",
        "Paris, Texas",
        "Boston, California",
        "London, Ontario",
        "Tokyo, France",
        "France, France",
    ],
)
def test_what_is_no_place_or_not_clearly_one_is_not_found(places: Places, name: str) -> None:
    assert places.find(plain(name)) is None


@pytest.mark.parametrize("code", pytz.country_timezones)
def test_every_country_is_found_by_its_names(places: Places, code: str) -> None:
    assert len(places.country_names(code)) == 3
    place = places.find(plain(pytz.country_names[code]))
    assert place is not None
    # Some are also a city, as Singapore is.
    assert place.country == code


def test_every_place_of_our_own_is_in_a_zone_that_there_is(places: Places) -> None:
    known = {place.zone for place in map(places.find, map(plain, ("Kyiv", "Hanoi", "Calgary", "Tenerife"))) if place}
    assert known == {"Europe/Kyiv", "Asia/Ho_Chi_Minh", "America/Edmonton", "Atlantic/Canary"}
    assert {place.zone for place in places} <= pytz.all_timezones_set
    assert all(len(place.names) == 3 for place in places)


@pytest.mark.parametrize(("code", "several"), [("US", True), ("ES", True), ("DE", False), ("AR", False), ("FR", False)])
def test_a_country_may_have_several_times(code: str, *, several: bool) -> None:
    assert has_several_times(code, NOW) is several


def test_a_zone_has_a_city() -> None:
    assert main_city("America/New_York") == ("New York", "Nueva York", "New York")
    assert main_city("Pacific/Port_Moresby") == ("Port Moresby",) * 3
