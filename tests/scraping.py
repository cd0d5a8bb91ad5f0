"""What Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Server

Sample = tuple[str, ...]
"""Its name, and the values of its labels."""


def samples(text: str) -> dict[Sample, float]:
    """What a scrape has found."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(server: Server) -> dict[Sample, float]:
    """What a scrape of a server has found: the sum over its processes, if it has several."""
    total: dict[Sample, float] = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for sample in family.samples:
            labels = (value for label, value in sample.labels.items() if label != "process")
            key = sample.name, *labels
            total[key] = total.get(key, 0.0) + sample.value
    return total
