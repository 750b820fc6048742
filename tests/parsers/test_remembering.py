"""Answers are kept, and what strangers send does not stay in memory."""

from parsers.remembering import LONGEST, remembered


def test_short_answers_are_kept_and_long_texts_are_not():
    """Thousands of texts of 65,536 characters would be half a gigabyte."""
    asked = []

    @remembered(10)
    def answer(text, number=None):
        asked.append((text, number))
        return f"{text}{number}"

    short, long = "x" * LONGEST, "x" * (LONGEST + 1)
    for text in (short, short, long, long):
        assert answer(text, number=1) == f"{text}1"
    assert asked == [(short, 1), (long, 1), (long, 1)]


def test_only_so_many_are_kept():
    """The least recently asked goes first."""
    asked = []

    @remembered(2)
    def answer(number):
        asked.append(number)

    for number in (1, 2, 3, 1):
        answer(number)
    assert asked == [1, 2, 3, 1]
