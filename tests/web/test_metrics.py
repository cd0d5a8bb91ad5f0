from starlette.testclient import TestClient

from app import app
from chatbot.web.metrics import METRICS, refused


def test_refusals_are_counted_by_their_reason(client: TestClient) -> None:
    scope = {"state": client.app_state}
    for reason in ("rate", "busy", "rate"):
        refused(scope, reason)
    shown = client.get("/metrics").text
    assert 'diego_refusals_total{reason="rate"} 2.0\n' in shown
    assert 'diego_refusals_total{reason="busy"} 1.0\n' in shown
    assert 'diego_refusals_total{reason="host"} 0.0\n' in shown


def test_every_app_has_numbers_of_its_own(client: TestClient) -> None:
    with TestClient(app) as other:
        refused({"state": other.app_state}, "rate")
        assert other.app_state[METRICS] is not client.app_state[METRICS]
        assert 'diego_refusals_total{reason="rate"} 0.0\n' in client.get("/metrics").text
