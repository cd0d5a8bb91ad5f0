"""What Diego says when he does not know."""

from chatbot.bot.corpora import language_of
from chatbot.bot.receipts import Receipt

SENTENCES = {
    "english": (
        "I don't know that yet. Whoever runs me can teach me.",
        "That is beyond what I have been taught so far. Could you put it another way?",
        "I have no answer to that yet, and I would rather say so than make one up. I can be taught, though.",
    ),
    "spanish": (
        "Eso todavía no lo sé. Quien me administra puede enseñármelo.",
        "Eso va más allá de lo que me han enseñado. ¿Puedes decirlo de otra manera?",
        "Aún no tengo respuesta para eso, y prefiero decirlo a inventarme una. Pero se me puede enseñar.",
    ),
    "french": (
        "Je ne le sais pas encore. La personne qui me gère peut me l'apprendre.",
        "Cela dépasse ce qu'on m'a appris. Peux-tu le dire autrement ?",
        "Je n'ai pas encore de réponse, et je préfère le dire plutôt que d'en inventer une. Mais on peut m'instruire.",
    ),
}
"""By the language's name in a packaged corpus."""


def unknown(receipt: Receipt) -> tuple[str, ...]:
    """The sentences, in the language of the packaged corpus that came nearest; in English if there is none."""
    language = language_of(receipt.runner_up.source) if receipt.runner_up else ""
    return SENTENCES.get(language, SENTENCES["english"])
