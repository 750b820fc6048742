"""A loader that is killed at any moment stores every record once."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from store.database import Database
from support.spooled import Receiver

PROGRAM = """
import sys, threading
from pathlib import Path
sys.path.insert(0, "tests")
from ingest.loader import Loader
from ingest.parsed import unparsed
from store.database import Database

class Plain:
    def parse(self, lines):
        return unparsed(lines)

folder = Path(sys.argv[1])
db = Database.open(folder / "store.duckdb", wait_seconds=60)
print("open", flush=True)
told = lambda stored: print(stored.to_position, flush=True)
loader = Loader(db, folder, Plain(), told, max_bytes=20_000, max_wait=0.0)
loader.start()
threading.Event().wait()
"""
ROUNDS = 8
BATCHES = 40


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_loader_stores_every_record_once(tmp_path, seed):
    """Kill -9 in the middle of whatever it does, again and again: nothing is lost, nothing is there twice."""
    chance, receiver, lines = random.Random(seed), Receiver(tmp_path), 0
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as loader:
            assert loader.stdout.readline() == "open\n"
            for _ in range(BATCHES):
                count = chance.randrange(1, 200)
                receiver.commit(*(b"line %d" % number for number in range(lines, lines + count)))
                lines += count
            for _ in range(chance.randrange(4)):
                assert loader.stdout.readline()
            loader.kill()
    receiver.commit(b"line %d" % lines)  # there is always something left for the last one
    receiver.close()
    lines, batches = lines + 1, ROUNDS * BATCHES + 1
    stored, chained, custody = finished(tmp_path, batches)
    first = (1 << 48) + 1
    assert stored == (lines, lines, first, first + lines - 1)
    assert chained == (batches, batches, batches)
    assert custody == (lines, lines, lines)


def finished(folder, batches):
    """What is there when a last loader has stored the rest."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as loader:
        assert loader.stdout.readline() == "open\n"
        while int(loader.stdout.readline()) < batches:
            pass
        loader.kill()
    db = Database.open(folder / "store.duckdb", wait_seconds=60)
    with db.reader() as cursor:
        answers = [
            cursor.execute(question).fetchall()[0]
            for question in (
                "SELECT count(*), count(DISTINCT record_id), min(record_id), max(record_id) FROM records",
                "SELECT count(*), count(DISTINCT batch), max(position) FROM batches",
                "SELECT sum(received), sum(spooled), sum(stored) FROM custody",
            )
        ]
    db.close()
    return answers
