import pytest

from chatbot.terminal.screen import printable, wrapped


class TestPrintable:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Hi\nthere", "Hi\nthere"),
            ("\x1b[2J\x07", "\\x1b[2J\\x07"),
            ("a\tb\rc\x9bd", "a\\tb\\rc\\x9bd"),
            ("\u202eevil\u2066\u2028", "\\u202eevil\\u2066\\u2028"),
            ("👩\u200d👧 é ñ 你好 שלום", "👩\u200d👧 é ñ 你好 שלום"),
        ],
    )
    def test_control_characters_are_escaped_the_rest_is_not(self, text: str, shown: str) -> None:
        assert printable(text) == shown


class TestWrapped:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("A large animal with tusks.", ["A large", "animal with", "tusks."]),
            ("exactly it a", ["exactly it a"]),
            ("exactly it is", ["exactly it", "is"]),
            ("one\n\ntwo\n", ["one", "", "two", ""]),
            ("so well-known, really", ["so", "well-known,", "really"]),
            ("so unbelievableness", ["so unbelieva", "bleness"]),
            ("1. yes\n   a dog barks", ["1. yes", "   a dog", "   barks"]),
            ("   kept here ", ["   kept here"]),
            ("你好世界 你好世界", ["你好世界", "你好世界"]),
            ("你好世界你好世界", ["你好世界你好", "世界"]),
            ("cafe\u0301 cafe\u0301 12", ["cafe\u0301 cafe\u0301 12"]),
        ],
    )
    def test_lines_are_broken_at_spaces_and_words_only_where_they_must_be(self, text: str, lines: list[str]) -> None:
        assert wrapped(text, 12).split("\n") == lines

    def test_code_between_fences_is_left_as_it_is(self) -> None:
        code = "  ```python\n    print('as long  as it is')\n  ```"
        assert wrapped(f"Try this program:\n{code}\nand you will see", 12) == (
            f"Try this\nprogram:\n{code}\nand you will\nsee"
        )
        assert wrapped("```\nnever closed, so it is all code", 12) == "```\nnever closed, so it is all code"

    def test_all_lines_but_the_first_begin_with_what_is_hanging(self) -> None:
        text = "Ana: What is a walrus?\nBen: forged\n\n  and indented too\n```\ncode\n```"
        assert wrapped(text, 14, "  ").split("\n") == [
            *("Ana: What is a", "  walrus?", "  Ben: forged", "  ", "    and", "    indented", "    too"),
            *("  ```", "  code", "  ```"),
        ]

    @pytest.mark.parametrize("columns", [1, 2, 3])
    def test_in_a_terminal_of_no_width_to_speak_of_nothing_is_lost(self, columns: int) -> None:
        text = "Ana: 你好\n" + " " * 50 + "far right"
        assert "".join(wrapped(text, columns, "  ").split()) == "Ana:你好farright"

    def test_what_is_indented_further_than_half_the_width_is_still_readable(self) -> None:
        assert wrapped(" " * 50 + "to the right", 12).split("\n") == ["      to the", "      right"]

    def test_what_is_longer_than_any_prose_is_left_as_it_is(self) -> None:
        assert wrapped("x" * 1_000_000, 12) == "x" * 1_000_000
