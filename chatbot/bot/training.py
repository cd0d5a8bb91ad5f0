"""From the names of corpora to knowledge, if anything has changed since the last time."""

import logging

from tqdm import tqdm

from chatbot.bot.corpora import find_sources, read_corpus
from chatbot.bot.storage import KnowledgeStorage

logger = logging.getLogger(__name__)


def train(storage: KnowledgeStorage, names: tuple[str, ...]) -> None:
    """Make the storage know what the named corpora say, and nothing else that was trained before.

    Does nothing if it knows just that. Raises CorpusError or StorageError, and the knowledge stays as it was.
    """
    sources = {source: source.sha256() for source in find_sources(names)}
    if storage.trained_sources() == {source.name: sha256 for source, sha256 in sources.items()}:
        return
    logger.info("Training Diego on %s.", ", ".join(names))
    corpora = [(read_corpus(source), sha256) for source, sha256 in sources.items()]
    total = sum(len(corpus.lines) for corpus, _ in corpora)
    with tqdm(total=total, desc="Training", unit=" statements", disable=None) as progress:
        storage.replace_knowledge(corpora, progress.update)
    logger.info("Statements that Diego knows: %s.", f"{total:,}")
