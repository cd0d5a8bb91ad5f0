"""What the packaged corpora say, read by other means than Diego's."""

import yaml

from chatbot.bot.corpora import find_sources


def replies_in(corpus: str, prompt: str) -> set[str]:
    """The replies to a prompt that begins dialogues of the corpus."""
    (source,) = find_sources((corpus,))
    dialogues = yaml.safe_load(source.path.read_text())["conversations"]
    return {reply for said, reply, *_ in dialogues if said == prompt}
