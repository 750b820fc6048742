"""Answers are kept, and what strangers send does not stay in memory."""

from parsers.remembering import LONG_ONES, LONGEST, remembered


def test_short_answers_are_kept_and_of_long_texts_the_latest():
    """Thousands of texts of 65,536 characters would be half a gigabyte."""
    asked = []

    @remembered(100)
    def answer(text, number=None):
        asked.append(text[:3])
        return f"{text}{number}"

    texts = [f"{number:03}{'x' * size}" for number in range(2 * LONG_ONES) for size in (1, LONGEST)]
    for text in [*texts, *texts, texts[-1]]:
        assert answer(text, number=1) == f"{text}1"
    assert len(asked) == 2 * LONG_ONES + 2 * 2 * LONG_ONES


def test_only_so_many_are_kept():
    """The least recently asked goes first."""
    asked = []

    @remembered(2)
    def answer(number):
        asked.append(number)

    for number in (1, 2, 3, 1):
        answer(number)
    assert asked == [1, 2, 3, 1]
