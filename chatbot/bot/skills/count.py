"""How many people Diego is talking to."""

import random
import re

from chatbot.bot.skills.skill import Skill
from chatbot.bot.skills.wording import core, plain

# Wordings in plain words; one must be the whole question.
_NOW = "(?: (?:right now|now|currently|at the moment|at (?:this|the present) (?:very )?moment|at present|just now))"
_AT_ONCE = "(?: (?:at once|at the same time|simultaneously|in parallel))"
_WHO = "(?:people|persons|users|clients|humans|visitors|guests|folks|chatters|connections|conversations|chats|sessions)"
_COUNTED = "(?:users|clients|visitors|guests|connections|conversations|chats|sessions)"
_OTHER = "(?:other |more |different |connected |active |simultaneous |concurrent )"
_MANY = f"how many(?: {_OTHER}?{_WHO}| others?| of us| more)?(?: (?:besides|other than|apart from|except) me)?"
_ANYONE = (
    f"(?:any(?: ?one|body)|some(?: ?one|body)|others|(?:any )?(?:other|more) {_WHO}|(?:many|multiple|several) {_WHO}|"
    f"(?:a lot|lots) of {_WHO})"
)
_TALKING = (
    "(?:(?:talking|speaking|chatting|conversing|texting|writing)(?: to| with)?|in (?:a )?conversation with|"
    "connected(?: to| with)?|serving|helping|entertaining)"
)
_WITH_YOU = "(?:(?:talking|speaking|chatting|connected|writing) (?:to|with) you|with you|using you)"
_ROOM = "(?:in|on) (?:this|the|your) (?:chat|chat ?room|room|conversation|channel|server|chat server|site)"
_PLACE = f"(?:online|connected|logged (?:in|on)|chatting|active|(?:in |on )?here|{_ROOM}|{_WITH_YOU})"
_ONLINE = f"{_PLACE}(?: {_PLACE})?"
_ALONE_HERE = f"(?:{_ONLINE}|you(?: a)?re {_TALKING}|you are {_TALKING}|who is {_ONLINE}|thats {_ONLINE})"
_ENGLISH = (
    f"{_MANY}{_NOW}? (?:are you|you are|youre){_NOW}? {_TALKING}(?: besides me)?{_AT_ONCE}?{_NOW}?",
    f"(?:to|with) {_MANY}{_NOW}? are you{_NOW}? (?:talking|speaking|chatting){_AT_ONCE}?{_NOW}?",
    f"{_MANY} do you (?:talk|speak|chat) (?:to|with)(?:{_NOW}|{_AT_ONCE})",
    f"{_MANY}{_NOW}?(?: are| is)?(?: there)?{_NOW}? {_ONLINE}{_NOW}?",
    f"{_MANY} (?:there are|are there){_NOW}? (?:{_ONLINE}|on){_NOW}?",
    (f"how many {_OTHER}?{_COUNTED} (?:are there|do you have)(?: open)?{_NOW}?"),
    f"how many (?:conversations|chats) (?:are you having|do you have going on){_NOW}?",
    f"how many (?:{_WHO} )?(?:are|is){_NOW}? (?:using|talking to|chatting with|speaking to|speaking with) you{_NOW}?",
    f"how many (?:of us are there|are we){_NOW}?(?: here)?{_NOW}?",
    (
        f"(?:whats |what is )?(?:the |your )?(?:current |total |exact )?(?:number|count) of {_OTHER}?{_COUNTED}"
        f"(?: {_ONLINE})?{_NOW}?"
    ),
    f"(?:whats |what is )?(?:the |your )?(?:current )?number of people (?:{_ONLINE}|you are {_TALKING}){_NOW}?",
    "(?:whats |what is )?(?:the |your )?(?:current )?(?:client|user|visitor|connection) count",
    f"who(?: all)? else(?: is| are|s)?{_NOW}? {_ONLINE}{_NOW}?",
    f"who(?: is| are|s){_NOW}? (?:online|connected|logged in|here|{_ROOM}|{_WITH_YOU}){_NOW}?",
    f"who else (?:are you|you are){_NOW}? {_TALKING}{_NOW}?",
    f"who(?: all)? are you{_NOW}? (?:talking|speaking|chatting) (?:to|with)(?: besides me|{_NOW})",
    (
        f"(?:am i|i am|im) (?:really )?(?:the )?(?:only (?:one|person|user|client|human|visitor)|"
        f"first) {_ALONE_HERE}{_NOW}?"
    ),
    f"am i your only (?:one|user|client|visitor|guest|conversation|conversation partner){_NOW}?",
    f"(?:am i|are we) (?:all )?alone (?:{_ONLINE}|in here){_NOW}?",
    f"is it (?:just|only) (?:me|us|you and me|the two of us)(?: in)? here{_NOW}?",
    f"(?:is |are )?(?:there )?{_ANYONE} else{_NOW}? {_ONLINE}{_NOW}?",
    f"(?:is|are)(?: there)? {_ANYONE}{_NOW}? (?:online|connected|logged in|{_WITH_YOU}){_NOW}?",
    f"(?:is|are)(?: there)? (?:others|(?:any )?(?:other|more) {_WHO}){_NOW}? (?:in |on )?here{_NOW}?",
    (
        f"are you(?: also)?{_NOW}?(?: also)? (?:talking|speaking|chatting) (?:to|with) {_ANYONE}(?: else)?"
        f"(?: (?:besides|other than|apart from|except) me| than me)?{_AT_ONCE}?{_NOW}?"
    ),
    f"are you{_NOW}? (?:talking|speaking|chatting) (?:to|with) more than (?:one person|just me|me){_NOW}?",
    f"are you (?:only|just) (?:talking|speaking|chatting) (?:to|with) me{_NOW}?",
    f"are you (?:talking|speaking|chatting) (?:only|just) (?:to|with) me{_NOW}?",
    f"do you have (?:any )?other {_COUNTED}{_NOW}?",
    f"how (?:busy|crowded|full) (?:are you|is it|is the server|is it here|is it in here|is your server){_NOW}?",
    f"are you busy (?:with|talking to|chatting with) {_ANYONE}(?: else)?{_NOW}?",
    f"is it crowded (?:in )?here{_NOW}?",
)

_AHORA = "(?: (?:ahora mismo|ahora|actualmente|en este momento|ya))"
_QUIENES = "(?:otr[oa]s )?(?:personas|usuarios|clientes|gente|humanos|visitantes|conversaciones|conexiones)"
_CUANTOS = f"cuant[oa]s?(?: {_QUIENES})?(?: mas)?"
_HABLANDO = "(?:hablando|chateando|conversando|charlando)"
_EN_LINEA = f"(?:conectad[oa]s?|en linea|online|aqui|en el chat|en este chat|{_HABLANDO} contigo|contigo)"
_SPANISH = (
    f"con {_CUANTOS}{_AHORA}? (?:estas|esta usted){_AHORA}? {_HABLANDO}{_AHORA}?",
    f"con {_CUANTOS} (?:hablas|chateas|conversas|charlas){_AHORA}?",
    f"(?:estas {_HABLANDO}|hablas) con {_CUANTOS}{_AHORA}?",
    f"{_CUANTOS}{_AHORA}? (?:hay|estan|esta){_AHORA}? {_EN_LINEA}{_AHORA}?",
    f"cuant[oa]s (?:usuarios|clientes|conexiones) (?:hay|tienes){_AHORA}?",
    f"a {_CUANTOS} estas (?:atendiendo|hablando){_AHORA}?",
    f"cuantos (?:somos|estamos)(?: aqui)?{_AHORA}?",
    f"(?:cual es )?(?:el )?numero de (?:usuarios|clientes|conexiones)(?: {_EN_LINEA})?{_AHORA}?",
    f"quien(?:es)? mas (?:esta|estan|hay){_AHORA}? {_EN_LINEA}{_AHORA}?",
    f"quien(?:es)? (?:esta|estan){_AHORA}? (?:conectad[oa]s?|en linea|online){_AHORA}?",
    f"con quien mas (?:estas {_HABLANDO}|hablas){_AHORA}?",
    f"hay (?:alguien|gente) mas(?: {_EN_LINEA})?{_AHORA}?",
    f"hay (?:otr[oa]s|mas) (?:personas|usuarios|clientes)(?: {_EN_LINEA}){_AHORA}?",
    (
        f"soy (?:yo )?(?:el unico|la unica)(?: persona| usuario)? (?:que (?:habla|esta {_HABLANDO}) contigo|"
        f"que esta aqui|{_EN_LINEA})"
        f"{_AHORA}?"
    ),
    f"(?:estoy sol[oa]|estamos sol[oa]s) (?:aqui|contigo|en el chat){_AHORA}?",
    (
        f"(?:estas {_HABLANDO}|hablas){_AHORA}? con (?:alguien mas|mas gente|otr[oa]s(?: (?:personas|usuarios))?|"
        f"otra gente){_AHORA}?"
    ),
    f"que tan ocupado estas{_AHORA}?",
)

_MAINTENANT = "(?: (?:maintenant|en ce moment|actuellement|a linstant))"
_QUI = (
    "(?:(?:de |d)?(?:autres )?(?:personnes|gens|utilisateurs|clients|monde|humains|visiteurs|conversations|connexions))"
)
_COMBIEN = f"combien(?: {_QUI})?"
_PARLER = "(?:parler|discuter|chatter|converser|bavarder)"
_EN_LIGNE = "(?:en ligne|connectee?s?|ici|la|sur (?:le|ce) (?:chat|serveur)|avec toi|en train de te parler|a te parler)"
_FRENCH = (
    f"(?:a|avec) {_COMBIEN} (?:es tu|etes vous|tu es|vous etes) en train de {_PARLER}{_MAINTENANT}?",
    (
        f"(?:a|avec) {_COMBIEN} (?:est ce que )?(?:parles tu|tu parles|discutes tu|tu discutes|parlez vous|vous parlez|"
        f"discutez vous){_MAINTENANT}?"
    ),
    f"(?:tu parles|tu discutes|vous parlez|tu es en train de {_PARLER}) (?:a|avec) {_COMBIEN}{_MAINTENANT}?",
    f"{_COMBIEN} (?:sont|est){_MAINTENANT}? {_EN_LIGNE}{_MAINTENANT}?",
    f"{_COMBIEN} (?:te parlent|parlent avec toi|discutent avec toi){_MAINTENANT}?",
    f"combien (?:y a t il|il y a) {_QUI} {_EN_LIGNE}{_MAINTENANT}?",
    f"{_COMBIEN} (?:y a t il|il y a) {_EN_LIGNE}{_MAINTENANT}?",
    f"il y a combien {_QUI} {_EN_LIGNE}{_MAINTENANT}?",
    f"(?:combien sommes nous|on est combien|nous sommes combien)(?: ici| en ligne){_MAINTENANT}?",
    (
        f"(?:quel est )?(?:le )?nombre (?:dutilisateurs|de clients|de connexions|"
        f"de visiteurs)(?: {_EN_LIGNE})?{_MAINTENANT}?"
    ),
    f"qui (?:dautre )?est (?:en ligne|connecte){_MAINTENANT}?",
    f"qui dautre est {_EN_LIGNE}{_MAINTENANT}?",
    f"(?:avec|a) qui dautre (?:parles tu|tu parles|discutes tu){_MAINTENANT}?",
    (
        f"(?:est ce qu ?il y a|y a t il|il y a) (?:quelquun|du monde|dautres (?:personnes|gens|utilisateurs))"
        f"(?: dautre)? (?:en ligne|connectee?s?|ici){_MAINTENANT}?"
    ),
    f"(?:est ce qu ?il y a|y a t il|il y a) quelquun dautre{_MAINTENANT}?",
    (
        f"(?:est ce que )?(?:suis je|je suis) (?:le seul|la seule|seule?) (?:{_EN_LIGNE}|"
        f"a {_PARLER} avec toi){_MAINTENANT}?"
    ),
    (
        f"(?:est ce que )?(?:tu parles|parles tu|tu discutes|discutes tu) (?:a|avec) "
        f"(?:quelquun dautre|dautres(?: (?:personnes|gens|utilisateurs))?){_MAINTENANT}?"
    ),
    f"a quel point es tu occupe{_MAINTENANT}?",
)

_Wordings = tuple[str, ...]
_REPLIES: tuple[tuple[re.Pattern[str], _Wordings, _Wordings, _Wordings, _Wordings], ...] = (
    (
        re.compile("|".join(_ENGLISH)),
        ("Just you.", "Only you right now.", "Nobody but you at the moment."),
        ("2 people: you and one other.", "You and one other person, that makes 2.", "2 at the moment, you included."),
        (
            "{} people right now, you included.",
            "{} at the moment, and you are one of them.",
            "You and others: {} in all.",
        ),
        ("I can't see how many there are at the moment.", "At the moment I only see you."),
    ),
    (
        re.compile("|".join(_SPANISH)),
        ("Solo tú.", "Ahora mismo, solo tú.", "Nadie más que tú, por el momento."),
        ("2 personas: tú y alguien más.", "Tú y otra persona, o sea 2.", "2 en este momento, contándote a ti."),
        (
            "{} personas ahora mismo, contándote a ti.",
            "{} en este momento, y tú eres una de ellas.",
            "Tú y otros: {} en total.",
        ),
        ("Ahora mismo no veo cuántos somos.", "En este momento solo te veo a ti."),
    ),
    (
        re.compile("|".join(_FRENCH)),
        ("Rien que toi.", "Toi seulement, en ce moment.", "Personne d'autre que toi pour l'instant."),
        (
            "2 personnes : toi et quelqu'un d'autre.",
            "Toi et une autre personne, donc 2.",
            "2 en ce moment, toi compris.",
        ),
        ("{} personnes en ce moment, toi compris.", "{} pour l'instant, dont toi.", "Toi et d'autres : {} en tout."),
        ("En ce moment, je ne vois pas combien vous êtes.", "Pour l'instant, je ne vois que toi."),
    ),
)


class ClientCount(Skill):
    """Says how many people the chatbot is talking to, by its `count_clients()`, which may also say None."""

    # Two pieces of every wording. The first are sorted by a letter that is not frequent: four times as fast as a list.
    by_clause = True
    hint = re.compile(
        "(?:w(?:ho| many| busy| crowded| full)|m(?:ber of| i | the only|ero de|bre d)|"
        "r(?:e we|e you|e any|e other|e many|e there|e some|e lots|e a lot|e more)|"
        "s(?: it| any| some| there|eul|olo|ola)|l(?:se|ient)|v(?:e other|e any other)|u(?:ser|nic|pado|ccup)|"
        "c(?:onnection|uant|uánt|ombien)|q(?:uien|uién|ui d|ui est|uelqu)|y(?: otr| m| algui| gente)|ú(?:nic|mero)|"
        "parl|d(?:iscut|u monde|autre|'autre)|n(?: otr| algui))"
        ".*(?:talk|speak|chat|convers|onlin|connect|logged|here|user|client|visitor|guest|you|f us|we|server|it|count|"
        "habl|charl|conect|linea|línea|aqu|contigo|usuario|conexi|somos|estamos|atend|mas|más|est|otr|"
        "parl|discut|ligne|ici|là|la|avec|te |person|gens|utilis|autre|combien|nous)",
        re.DOTALL,
    )

    def answer(self, text: str) -> str | None:
        """How many there are, in the language of the question."""
        count_clients = getattr(self.chatbot, "count_clients", None)
        if count_clients is None:
            return None
        question = core(plain(text))
        for pattern, one, two, many, unknown in _REPLIES:
            if pattern.fullmatch(question):
                known = count_clients()
                count = max(1, known or 0)
                replies = unknown if known is None else {1: one, 2: two}.get(count, many)
                return random.choice(replies).format(f"{count:,}")  # noqa: S311 - no secret
        return None
