from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from chatbot.bot.skills.arithmetic import (
    NO_DIVISION,
    NO_FACTORIAL,
    NO_ROOT,
    TOO_BIG,
    TOO_DEEP,
    WHICH_FACTORIAL,
    Arithmetic,
    is_exact,
    plainly,
    read_number,
)
from tests.skilled import ask, nonsense, seconds, skilled


@pytest.fixture(scope="module")
def arithmetic() -> Arithmetic:
    return skilled(Arithmetic)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("2+2", "2 + 2 = 4"),
        ("what is 2+2", "2 + 2 = 4"),
        ("What is 2 + 2?", "2 + 2 = 4"),
        ("2 plus 2", "2 + 2 = 4"),
        ("twelve times three", "12 × 3 = 36"),
        ("what is five plus five", "5 + 5 = 10"),
        ("12 times 8", "12 × 8 = 96"),
        ("10 divided by 4", "10 ÷ 4 = 2.5"),
        ("square root of 144", "√144 = 12"),
        ("what is the square root of 2?", "√2 ≈ 1.4142135624"),
        ("15% of 80", "15% of 80 = 12"),
        ("what's 15 percent of 80?", "15% of 80 = 12"),
        ("3 squared", "3^2 = 9"),
        ("2 to the power of 10", "2^10 = 1,024"),
        ("half of 90", "½ of 90 = 45"),
        ("5 factorial", "5! = 120"),
        ("what is 5!", "5! = 120"),
        ("what is 5!?", "5! = 120"),
        ("cuánto es 2 por 3", "2 × 3 = 6"),
        ("¿Cuánto es 2 más 3?", "2 + 3 = 5"),
        ("cuanto es 10 dividido entre 4", "10 ÷ 4 = 2.5"),
        ("¿cuánto es dos más dos?", "2 + 2 = 4"),
        ("combien font 7 fois 8", "7 × 8 = 56"),
        ("Combien font 7 fois 8 ?", "7 × 8 = 56"),
        ("combien fait 10 divisé par 4", "10 ÷ 4 = 2.5"),
        ("7 moins 3", "7 - 3 = 4"),
        ("1,000.5 + 1", "1,000.5 + 1 = 1,001.5"),
        ("3,5 + 1,5", "3.5 + 1.5 = 5"),
        ("1 000 + 1", "1,000 + 1 = 1,001"),
        ("0.1+0.2", "0.1 + 0.2 = 0.3"),
        ("10/3=", "10 ÷ 3 ≈ 3.3333333333"),
        ("what is 10/4", "10 ÷ 4 = 2.5"),
        ("what is 1/2", "1 ÷ 2 = 0.5"),
        ("1/3 + 1/6 =", "1 ÷ 3 + 1 ÷ 6 = 0.5"),
        ("2^10", "2^10 = 1,024"),
        ("2**10", "2^10 = 1,024"),
        ("2**100", "2^100 = 1,267,650,600,228,229,401,496,703,205,376"),
        ("2^2^2^2", "2^2^2^2 = 65,536"),
        ("what is 100!", "100! ≈ 9.332621544 × 10^157"),
        ("what is 200!", "200! ≈ 7.886578674 × 10^374"),
        ("what is 5 mod 3", "5 mod 3 = 2"),
        ("7 // 2", "7 // 2 = 3"),
        ("10 % 3", "10 mod 3 = 1"),
        ("-3 + 5", "-3 + 5 = 2"),
        ("2 * -3", "2 × -3 = -6"),
        ("2^-2", "2^-2 = 0.25"),
        ("(1+2)*3", "(1 + 2) × 3 = 9"),
        ("((2))+1", "((2)) + 1 = 3"),
        ("what is one hundred and five times two thousand", "105 × 2,000 = 210,000"),
        ("twenty-one plus twenty one", "21 + 21 = 42"),
        ("a hundred minus one", "100 - 1 = 99"),
        ("one million divided by seven", "1,000,000 ÷ 7 ≈ 142,857.1428571429"),
        ("2+2=?", "2 + 2 = 4"),
        ("2 + 2 =", "2 + 2 = 4"),
        ("how much is 3 times 4", "3 × 4 = 12"),
        ("calculate 12 x 12", "12 × 12 = 144"),
        ("3x4=", "3 × 4 = 12"),
        ("12 x 12", "12 × 12 = 144"),
        ("add 5 and 7", "5 + 7 = 12"),
        ("add 5 to 7", "5 + 7 = 12"),
        ("subtract 3 from 10", "10 - 3 = 7"),
        ("multiply 3 by 4", "3 × 4 = 12"),
        ("divide 10 by 4", "10 ÷ 4 = 2.5"),
        ("the sum of 2 and 3", "2 + 3 = 5"),
        ("what is the product of 6 and 7?", "6 × 7 = 42"),
        ("multiply 2+3 by 4", "(2 + 3) × 4 = 20"),
        ("5²", "5^2 = 25"),
        ("what is 2¹⁰?", "2^10 = 1,024"),
        ("２＋２", "2 + 2 = 4"),
        ("√16", "√16 = 4"),
        ("sqrt(2)^2", "√(2)^2 ≈ 2"),
        ("cube root of 27", "∛27 = 3"),
        ("cube root of -27", "∛-27 = -3"),
        ("2^0.5", "2^0.5 ≈ 1.4142135624"),
        ("8^(1/3)", "8^(1 ÷ 3) = 2"),
        ("10% of 2 million", "10% of 2,000,000 = 200,000"),
        ("a third of 9", "⅓ of 9 = 3"),
        ("a quarter of 100", "¼ of 100 = 25"),
        ("20% of 50 + 3", "20% of 50 + 3 = 13"),
        ("Hey Diego, what is 2+2?", "2 + 2 = 4"),
        ("can you calculate 5*5 please", "5 × 5 = 25"),
        (
            "999999999999999 * 999999999999999",
            "999,999,999,999,999 × 999,999,999,999,999 = 999,999,999,999,998,000,000,000,000,001",
        ),
        ("10^100", "10^100 ≈ 1 × 10^100"),
        ("10^101", "10^101 ≈ 1 × 10^101"),
        ("what does 2+2 equal?", "2 + 2 = 4"),
        ("2 + 2 equals", "2 + 2 = 4"),
        ("What is 3.14 * 2", "3.14 × 2 = 6.28"),
        ("raíz cuadrada de 16", "√16 = 4"),
        ("la mitad de 10", "½ of 10 = 5"),
        ("racine carrée de 16", "√16 = 4"),
        ("20 % de 50", "20% of 50 = 10"),
        ("5 au carré", "5^2 = 25"),
        ("quinze plus un", "15 + 1 = 16"),
        ("2 elevado a 8", "2^8 = 256"),
        ("2 × 3 ÷ 4", "2 × 3 ÷ 4 = 1.5"),
        ("three squared", "3^2 = 9"),
        ("six times seven", "6 × 7 = 42"),
        ("how much is 20% of 300?", "20% of 300 = 60"),
        ("8 - 2 * 3", "8 - 2 × 3 = 2"),
        ("-2^2", "-2^2 = -4"),
        ("0^0", "0^0 = 1"),
        ("1^99999999999", "1^99,999,999,999 = 1"),
        ("(-1)^99999999999", "(-1)^99,999,999,999 = -1"),
        ("10 to the power 3", "10^3 = 1,000"),
        ("1 - 3.5", "1 - 3.5 = -2.5"),
        ("nine hundred ninety nine thousand nine hundred ninety nine plus one", "999,999 + 1 = 1,000,000"),
        ("square root of 1.21", "√1.21 = 1.1"),
        ("0.12345678901 × 10000000000", "0.123456789 × 10,000,000,000 ≈ 1,234,567,890.1"),
        ("half of 0.12345678901 + 0.5", "½ of 0.123456789 + 0.5 ≈ 0.5617283945"),
        ("10x10 =", "10 × 10 = 100"),
        ("0 x 10", "0 × 10 = 0"),
        ("what is 5!=? !", "5! = 120"),
        ("3 + 4 is equal to ==? !", "3 + 4 = 7"),
    ],
)
def test_it_works_out(arithmetic: Arithmetic, question: str, answer: str) -> None:
    assert ask(arithmetic, question) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("9^9^9", TOO_BIG),
        ("what is 10!!!!", WHICH_FACTORIAL),
        ("what is 201!", TOO_BIG),
        ("1 / 0", NO_DIVISION),
        ("what is 0/0?", NO_DIVISION),
        ("square root of -4", NO_ROOT),
        ("(-8)^(1/3)", NO_ROOT),
        ("what is twelve divided by zero", NO_DIVISION),
        ("0^-1", NO_DIVISION),
        ("(-3)!", NO_FACTORIAL),
        ("9" * 401 + " + 1", TOO_BIG),
        ("9" * 300 + " * " + "9" * 300, TOO_BIG),
        ("1.0000001^99999999", TOO_BIG),
        ("10^99999999999", TOO_BIG),
        ("(" * 450 + "1+1" + ")" * 450, TOO_DEEP),
        ("2^" * 400 + "2", TOO_DEEP),
        ("-" * 900 + "1+1", TOO_DEEP),
        ("what is 0.5!", NO_FACTORIAL),
        ("7 // 0", NO_DIVISION),
        ("7 mod 0", NO_DIVISION),
    ],
)
def test_it_says_why_it_does_not(arithmetic: Arithmetic, question: str, answer: str) -> None:
    assert arithmetic.answer(question) == answer


@pytest.mark.parametrize(
    "message",
    [
        "2024-05-06",
        "what is 2024-05-06",
        "24/7",
        "what is 24/7",
        "9/11",
        "50/50",
        "what is 50/50",
        "C++",
        "3-4 days",
        "1.2.3",
        "what is 1.2.3",
        "555-1234",
        "555-123-4567",
        "+49 170 1234567",
        "42",
        "what is 42",
        "-5",
        "what is five",
        "10/4",
        "3-4",
        "2-1",
        "3 por 2",
        "5!",
        "10!!!!",
        "1920x1080",
        "4x4",
        "I have 2 + 2 apples",
        "2 apples + 3 apples",
        "1+1=window",
        "2+2=5",
        "five times a day",
        "three times",
        "the last times",
        "minus",
        "plus",
        "x",
        "(",
        "((((((((((((((((((((((((((((((((((((((",
        "5%",
        "what is 5%",
        "100%",
        "1990",
        "I was born in 1990",
        "!!!",
        "what is !",
        "2 +",
        "+ 2",
        "one two three",
        "twenty twelve plus",
        "what is the square",
        "one plus",
        "what is love",
        "two plus two is four",
        "is 2+2 4",
        "-",
        "--",
        "a",
        "10:30 - 11:30",
        "what is 12/25/2024",
        "1-800-555-1234",
        "3 + x",
        "half of them",
        "what is half of",
        "3 of 4",
        "A+",
        "18+",
        "C#",
        "what is 7-eleven",
        "1,2,3",
        "1,2,3 + 1",
        ",5 + 1",
        "10.0.0.1/24",
        "five by five",
        "12-14",
        "what is 3 4",
        "times 3",
        "5 minutes + 3",
        "what is (1+2",
        "what is (1+2*3",
        "100!",
        "1/0",
        "2(3)",
        "1e5+1",
        "1/3000000",
        "2/3",
        "2−1",
        "what is 6 divided by 2(1+2)",
        "0.5!",
        "what is 0x10 + 1",
        "1 + 0x10",
        "1234567890123/7",
    ],
)
def test_it_leaves_other_messages_alone(arithmetic: Arithmetic, message: str) -> None:
    assert arithmetic.answer(message) is None


def test_what_is_rounded_is_not_called_equal(arithmetic: Arithmetic) -> None:
    assert str(arithmetic.answer("10^60.5")).startswith("10^60.5 ≈ 3,162,277,660")


def test_a_long_sum_is_not_repeated(arithmetic: Arithmetic) -> None:
    assert arithmetic.answer("1+" * 499 + "1") == "That comes to 500."


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", 1000),
        ("1 000", 1000),
        ("12,345,678.5", Fraction(24691357, 2)),
        ("1,00", 1),
        ("0,125", Fraction(1, 8)),
        ("3,5", Fraction(7, 2)),
        (".5", Fraction(1, 2)),
        ("2.5 million", 2500000),
        ("zero", 0),
        ("ninety-nine", 99),
        ("one hundred and five", 105),
        ("a hundred", 100),
        ("twelve thousand three hundred and forty five", 12345),
        ("a million", 1000000),
    ],
)
def test_a_number_is_read(text: str, value: Fraction) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    ("value", "text", "exact"),
    [
        (Fraction(0), "0", True),
        (Fraction(-1234567), "-1,234,567", True),
        (Fraction(1, 8), "0.125", True),
        (Fraction(1, 3), "0.333", False),
        (Fraction(2, 3), "0.667", False),
        (Fraction(-1, 2), "-0.5", True),
        (Fraction(1, 10**7), "1 × 10^-7", False),
        (Fraction(10**100), "1 × 10^100", False),
        (Fraction(10**100 - 1), ",".join(["9"] + ["999"] * 33), True),
    ],
)
def test_a_number_is_written_plainly(value: Fraction, text: str, *, exact: bool) -> None:
    assert plainly(value, 3) == text
    assert is_exact(value, 3) is exact


def test_it_stands_whatever_is_said(arithmetic: Arithmetic) -> None:
    assert max(seconds(arithmetic, text) for text in nonsense()) < 1


@pytest.mark.parametrize(
    "text",
    [
        "2^0.5+" * 160 + "1",
        "(1/3)^0.3+" * 99 + "1",
        "what is 5" + "!" * 900,
        "9^9^",
        "1/7+1/11+" * 100 + "1",
        "7 " * 500,
    ],
)
def test_it_is_not_held_up(arithmetic: Arithmetic, text: str) -> None:
    assert seconds(arithmetic, text[:1000]) < 1


def test_threads_share_it(arithmetic: Arithmetic) -> None:
    sums = [f"{number} * 2" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(arithmetic.answer, sums))
    assert said == [f"{number} × 2 = {number * 2}" for number in range(400)]
