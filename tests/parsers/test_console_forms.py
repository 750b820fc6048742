"""Console output: each form proves itself by its own examples; what no form knows is told and never guessed."""

import time

import pytest
from pydantic import ValidationError

from parsers.console import LONGEST, MOST_LEFT_OUT, read
from parsers.console_forms import Form, forms
from parsers.meaning import table

FORMS = forms()
EXAMPLES = [(form, number, example) for form in FORMS for number, example in enumerate(form.example, 1)]


def settings(reading):
    return [f"{one.setting}{one.partition and f' in {one.partition}'} = {one.value}" for one in reading.shown]


@pytest.mark.parametrize(("form", "number", "example"), EXAMPLES, ids=[f"{form.name} {n}" for form, n, _ in EXAMPLES])
def test_a_form_reads_its_examples(form, number, example):
    """All settings, all complete lists, and exactly the lines that it does not know; the others' forms change nothing."""
    reading = read(example.text, FORMS)
    assert settings(reading) == list(example.settings)
    assert [one.members for one in reading.lists] == list(example.lists)
    assert [one.line for one in reading.left_out] == list(example.left_out)
    assert {one.form for one in reading.shown} <= {form.name}


def test_every_line_of_a_form_is_in_an_example():
    """A line that no example has may have been wrong from the beginning; sentences that say nothing are excepted."""
    for form in FORMS:
        text = [" ".join(line.split()) for example in form.example for line in example.text.split("\n")]
        silent = [
            line.match.pattern
            for line in form.line
            if (line.sets or line.lists) and not any(line.match.fullmatch(row) for row in text)
        ]
        assert silent == [], form.name


def test_forms_know_real_commands_each_once():
    """By their full words, as the table of commands has them."""
    known = {row["command"] for row in table("commands")}
    commands = [command for form in FORMS for command in form.commands]
    assert len(commands) == len(set(commands))
    assert [name for name in commands if name not in known | {"audit config get"}] == []


SAID = {"name": "x", "commands": ("x",), "seen": "recalled", "source": "x", "example": ({"text": "", "settings": ()},)}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ({"match": "a", "sets": [{"setting": "x {b}", "value": "1"}]}, "nothing fills b"),
        ({"match": "a", "keeps": ["client"]}, "nothing fills client"),
        ({"match": "("}, "valid regular expression"),
        ({"match": "a", "set": []}, "Extra inputs"),
        ({"match": "a", "sets": [{"setting": "x", "value": "1", "each": "names"}]}, "nothing fills names"),
    ],
)
def test_a_wrong_form_is_refused(line, wrong):
    """With the place where it is wrong."""
    with pytest.raises(ValidationError, match=wrong):
        Form.model_validate({**SAID, "line": (line,)})


IPCHECK = "NTLS client source IP validation : Disable"


@pytest.mark.parametrize(
    ("text", "shown", "why"),
    [
        (IPCHECK, ["ipcheck = off"], []),
        (f"\x1b[1m[luna-1] lunash:>\x1b[0mntls ipcheck show\r\n{IPCHECK}\r\n", ["ipcheck = off"], []),
        ("NTLS client source IP validation : Perhaps", [], ["no such line"]),
        ("lunash:>ntls ipcheck show\nsome noise\n" + IPCHECK, ["ipcheck = off"], ["no such line"]),
        (f"lunash:>ntls ipcheck show\n{IPCHECK}\nCommand Result : 65535 (Luna Shell execution)", [], ["failed (65535"]),
        (f"lunash:>ntls ipcheck show\n{IPCHECK} \u202e", [], ["no console prints"]),
        (f"lunash:>ntls ipcheck show\n{'x' * (LONGEST + 1)}", [], ["longer than"]),
        ("a letter to the auditor\nof two lines", [], ["belongs to no command"]),
        ("lunash:>hsm selftest\nfine\n\nlunash:>", [], ["no form knows what this command prints"]),
        ("lunash:>hsm\nwhat?", [], ["no form knows"]),
        ("lunash:>", [], []),
        ("", [], []),
    ],
)
def test_what_is_not_known_is_told(text, shown, why):
    """One line, one output or the whole file; the rest is read."""
    reading = read(text, FORMS)
    assert settings(reading) == shown
    assert [begins in one.why for one, begins in zip(reading.left_out, why, strict=True)] == [True] * len(why)


def test_a_partition_without_a_name_wants_one():
    """LunaCM does not print which slot it speaks of."""
    text = "lunacm:> partition showpolicies\nPartition Policies\n20: Max failed user logins allowed : 5\n"
    assert [(one.line, "--partition" in one.why) for one in read(text, FORMS).left_out] == [(3, True)]
    assert settings(read(text, FORMS, "prod-tls")) == ["partition policy 20 in prod-tls = 5"]


def test_two_values_of_one_setting_are_a_conflict():
    """A file shows one moment; the same value twice is no conflict."""
    text = f"lunash:>ntls ipcheck show\n{IPCHECK}\nlunash:>ntls ipcheck show\n{IPCHECK}\n"
    assert read(text, FORMS).conflicts == []
    (conflict,) = read(text + "lunash:>ntls ipcheck show\n" + IPCHECK.replace("Dis", "En"), FORMS).conflicts
    assert (conflict.line, conflict.text) == (
        6,
        "ipcheck is 'on', in line 2 it is 'off': a file shows one moment",
    )


def test_a_list_with_an_unknown_line_takes_nothing_away():
    """That line may have been one of its members."""
    text = (
        "lunash:>client list\nregistered client 1: app-1\nregistered customer 2: app-2\nCommand Result : 0 (Success)\n"
    )
    reading = read(text, FORMS)
    assert (settings(reading), reading.lists) == (["client app-1 = registered"], [])
    assert len(reading.left_out) == 2


def test_a_file_of_unknown_lines_is_told_in_bounds():
    """The first ones, and how many more."""
    reading = read("lunash:>client list\n" + "x\n" * 2000, FORMS)
    assert len(reading.left_out) == MOST_LEFT_OUT + 1
    assert (reading.left_out[-1].line, reading.left_out[-1].why) == (2001, "and 1500 more lines up to this one")


def test_secrets_are_neither_kept_nor_told():
    """Options of commands, answers to questions, words behind 'password:'; outputs that nobody knows are not kept."""
    text = (
        "[luna-1] lunash:>hsm login -password hunter2\nhunter3\nCommand Result : 0 (Success)\n"
        "[luna-1] lunash:>ntls ipcheck show -pin hunter4\n> hunter5\nlogin challenge: hunter6\nPassword = hunter7\n"
        f"{IPCHECK}\nCommand Result : 0 (Success)\npassword: hunter8\n"
    )
    reading = read(text, FORMS)
    assert settings(reading) == ["ipcheck = off"]
    told = "\n".join([*reading.kept, *(f"{one.text} {one.why}" for one in reading.left_out)])
    assert "hunter" not in told
    assert IPCHECK in told


@pytest.mark.parametrize(
    "line", ["x" * 499, "a " * 249, "1 " * 249, "(" * 499, "user " + "a," * 240, '"' * 499, "Allow " + "On 6 " * 98]
)
def test_no_line_takes_long(line):
    """However it is made: each form on fifty hostile lines."""
    begun = time.process_time()
    for form in FORMS:
        read(f"lunash:>{form.commands[0]}\n" + f"{line}\n" * 50, FORMS)
    assert time.process_time() - begun < 3
