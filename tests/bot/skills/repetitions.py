"""A program: all skills answer messages 20 times as long as may be, which repeat what their patterns look for.

What takes time in the square of a message's length takes 400 times as long here as it ever can, and the system ends
the program. Otherwise it takes four seconds.
"""

import resource
import sys
from collections.abc import Iterator
from itertools import product

from chatterbot.conversation import Statement

from chatbot.bot.skills.arithmetic import Arithmetic
from chatbot.bot.skills.clock import Clock
from chatbot.bot.skills.count import ClientCount
from chatbot.bot.skills.units import Units
from chatbot.messages import MAX_CHARACTERS
from tests.skilled import skilled

_LENGTH = 20 * MAX_CHARACTERS
_MOST_SECONDS = 12  # of the processor's time, whatever else the machine does
_HEADS = ("1+1", "what time is it in ", "how many km in 5 ")
_MARKS = "=?!.,;: \n-+*/^%()√x'°²０？éﷺ日"
_WORDS = (
    "1,1+,2x,111,1.1,5 ft,5',hey,please,thanks,rn,for me,là,now,here,today,what is,how many,hundred,one hundred and,"
    "million,times,plus,is,equals,half of,of,and,the,km,in,to,en,cubic feet,my,christmas,until,monday,tokyo,a"
)
_PIECES = (
    *_MARKS,
    "=?",
    "!?",
    "= ",
    "? ",
    "! ",
    ". ",
    "; ",
    " .",
    "là!",
    "111,",
    *(f"{word} " for word in _WORDS.split(",")),
)


def _messages() -> Iterator[str]:
    for head, piece in product(_HEADS, _PIECES):
        yield f"{head}{piece * _LENGTH}"[:_LENGTH] + "x"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    sys.set_int_max_str_digits(0)  # no message that is short enough has so many
    skills = [skilled(skill, count_clients=lambda: 1) for skill in (ClientCount, Clock, Arithmetic, Units)]
    for skill, message in product(skills, _messages()):
        skill.process(Statement(message))
