"""Files that no corpus may be like, each with the sentence that says why."""

HEADER = "mine.csv:1: expected a header with the columns text and reply, each once, but got"
RECORD = 'expected an object with "text" and "reply"'
NESTED = "expected dialogues, which are lists of texts, but got lists in lists"


def _bad(name: str, content: str | bytes, problem: str) -> tuple[str, bytes, str]:
    return name, content.encode() if isinstance(content, str) else content, f"{name}:{problem}."


BAD_FILES = [
    _bad("mine.yml", "", "1: expected a mapping with the key `conversations`, but got nothing"),
    _bad("mine.yml", "- Hi", "1: expected a mapping with the key `conversations`, but got a list"),
    _bad("mine.yml", "dialogues: []", "1: expected the key `conversations`, but it is missing"),
    _bad("mine.yml", "? [a]\n: b\nconversations: []", "1: expected a text as key, but got a list"),
    _bad("mine.yml", "conversations: Hi", "1: expected a list of dialogues, but got a text"),
    _bad("mine.yml", "conversations:\n- Hi", "2: expected a list of lines, but got a text"),
    _bad("mine.yml", "conversations:\n- - Hi\n  - [a]", "3: expected a text, but got a list"),
    _bad("mine.yml", "conversations:\n- - Hi\n  - a: b", "3: expected a text, but got a mapping"),
    _bad("mine.yml", "conversations:\n- - Hi\n  - ''", "3: expected a text, but got an empty one"),
    _bad("mine.yml", "conversations:\n- - Hi\n  -", "3: expected a text, but got an empty one"),
    _bad("mine.yml", "categories: Hi\nconversations: []", "1: expected a list of categories, but got a text"),
    _bad(
        "mine.yml",
        f"conversations:\n- - Hi\n  - {'x' * 1101}",
        "3: expected a text of at most 1,100 characters, but got 1,101",
    ),
    _bad(
        "mine.yml",
        f"categories: [{'x' * 51}]\nconversations: []",
        "1: expected a text of at most 50 characters, but got 51",
    ),
    _bad("mine.yml", "conversations:\n- [Hi", "3: no valid YAML: did not find expected ',' or ']'"),
    _bad("mine.yml", "conversations:\n- - &a Hi\n  - *a", "3: expected a corpus without aliases, but got one"),
    _bad(
        "mine.yml", "conversations: []\nconversations: []", "2: expected the key `conversations` once, but got it again"
    ),
    _bad("mine.yml", "conversations: []\n---\nconversations: []", "2: expected one document, but got another"),
    _bad("mine.yml", "conversations: " + "[" * 100_000, "1: expected a text, but got a list"),
    _bad("mine.yml", "more: " + "[" * 100_000, f"1: {NESTED}"),
    _bad("mine.yml", b"conversations:\n- [\xff]", "2: expected UTF-8 text, but got the byte 0xff"),
    _bad("mine.yml", b"conversations:\n- [a,\n\0]", "3: expected text, but got U+0000"),
    _bad("mine.yml", 'conversations:\n- - "\\0"', "2: expected a text, but got one with U+0000"),
    _bad("mine.json", "", "1: expected a mapping with the key `conversations`, but got nothing"),
    _bad("mine.json", "[]", "1: expected a mapping with the key `conversations`, but got a list"),
    _bad("mine.json", '"Hi"', "1: expected a mapping with the key `conversations`, but got a text"),
    _bad("mine.json", '{"conversations":\n"Hi"}', "2: expected a list of dialogues, but got a text"),
    _bad("mine.json", '{"conversations": [\n"Hi"]}', "2: expected a list of lines, but got a text"),
    _bad("mine.json", '{"conversations": [[\n"Hi",\n3]]}', "3: expected a text, but got a number"),
    _bad("mine.json", '{"conversations": [[\n"Hi",\ntrue]]}', "3: expected a text, but got true or false"),
    _bad("mine.json", '{"conversations": [[\n"Hi",\nnull]]}', "3: expected a text, but got null"),
    _bad("mine.json", '{"conversations": [[\n"Hi",\n" "]]}', "3: expected a text, but got an empty one"),
    _bad(
        "mine.json",
        '{"conversations": [],\n"conversations": []}',
        "2: expected the key `conversations` once, but got it again",
    ),
    _bad("mine.json", '{"conversations": [],\n"more": [1,\nNaN]}', "3: expected JSON, but got NaN"),
    _bad("mine.json", '{"conversations": [[\n"Hi",\n]]}', "3: no valid JSON: Expecting value"),
    _bad("mine.json", '{"conversations": [],\n"more": ' + "[" * 100_000, f"1: {NESTED}"),
    _bad("mine.json", '{"conversations": [],\n"more": ' + "[" * 30 + "]" * 30 + "}", f"2: {NESTED}"),
    _bad(
        "mine.json",
        '{"conversations": [[\n"\\ud800"]]}',
        "2: expected a text, but got one with half of a character, U+D800",
    ),
    _bad("mine.json", '{"conversations": [[\n"\\u0000"]]}', "2: expected a text, but got one with U+0000"),
    _bad("mine.json", b'{"conversations": [[\n"\xc3("]]}', "2: expected UTF-8 text, but got the byte 0xc3"),
    ("mine.csv", b"", f"{HEADER} nothing."),
    ("mine.csv", b"text;reply\n", f"{HEADER} text;reply."),
    ("mine.csv", b"text\n", f"{HEADER} text."),
    ("mine.csv", b"text,reply,text\n", f"{HEADER} text,reply,text."),
    _bad("mine.csv", "text,reply\nHi,Hello\nHi\n", "3: expected 2 columns, as in the header, but got 1"),
    _bad(
        "mine.csv", 'text,reply\n"Hi\nyou",Hello\nHi,Hello,Bye\n', "4: expected 2 columns, as in the header, but got 3"
    ),
    _bad("mine.csv", "text,reply\nHi,\n", "2: expected a text, but got an empty one"),
    _bad("mine.csv", 'text,reply\n" ",Hello\n', "2: expected a text, but got an empty one"),
    _bad("mine.csv", f"text,reply\nHi,{'x' * 1101}\n", "2: expected a text of at most 1,100 characters, but got 1,101"),
    _bad(
        "mine.csv",
        f"text,reply\nHi,{'x' * 131_073}\n",
        "2: expected fields of at most 131,072 characters, but got more; a quote may be missing",
    ),
    _bad(
        "mine.csv",
        'text,reply\nHi,"Hello\nBye,Bye\n',
        "2: expected the quote that opens here to be closed, but got the end of the file",
    ),
    _bad("mine.csv", 'text,reply\nHi,"Hello" you\n', "2: no valid CSV: ',' expected after '\"'"),
    _bad("mine.csv", "text,reply\nHi,Hello\rBye,Bye\n", "2: expected a line break of LF or CR LF, but got a lone CR"),
    _bad("mine.csv", b"text,reply\nHi,Hello\nHi,\xe9\n", "3: expected UTF-8 text, but got the byte 0xe9"),
    _bad("mine.csv", "text,reply\nHi,\0\n", "2: expected a text, but got one with U+0000"),
    ("mine.tsv", b"text\treply\nHi,Hello\n", "mine.tsv:2: expected 2 columns, as in the header, but got 1."),
    _bad("mine.jsonl", "", f"1: {RECORD}, but got nothing"),
    _bad("mine.jsonl", '\n"Hi"\n', f"2: {RECORD}, but got a text"),
    _bad("mine.jsonl", '{"text": "Hi"}\n', f"1: {RECORD}, which are texts, but got none with reply"),
    _bad("mine.jsonl", '{"text": ["Hi"], "reply": "Hello"}\n', f"1: {RECORD}, which are texts, but got a list as text"),
    _bad("mine.jsonl", '{"text": "Hi", "reply": 3}\n', f"1: {RECORD}, which are texts, but got a number as reply"),
    _bad("mine.jsonl", '{"text": "Hi", "reply": null}\n', f"1: {RECORD}, which are texts, but got null as reply"),
    _bad("mine.jsonl", '{"text": "Hi", "reply": "Hello"}\n{"text": "Hi"', "2: no valid JSON: Expecting ',' delimiter"),
    _bad(
        "mine.jsonl",
        '{"text": "Hi", "text": "You", "reply": "Hello"}',
        "1: expected the key `text` once, but got it again",
    ),
    _bad("mine.jsonl", '{"text": "Hi", "reply": "Hello", "more": NaN}', "1: expected JSON, but got NaN"),
    _bad("mine.jsonl", "\n" + "[" * 100_000, f"2: {NESTED}"),
    _bad(
        "mine.jsonl",
        '{"text": "Hi", "reply": "\\udc00"}',
        "1: expected a text, but got one with half of a character, U+DC00",
    ),
    _bad("mine.jsonl", '{"text": "Hi", "reply": ""}', "1: expected a text, but got an empty one"),
    _bad("mine.jsonl", b'\n\n{"text": "\xff"}', "3: expected UTF-8 text, but got the byte 0xff"),
]
