"""What the demo sends, and what became of it."""

import pydoc_data.topics
import re
import threading
from collections import Counter
from pathlib import Path

FILES = (Path("/var/lib/dpkg/status"), Path(pydoc_data.topics.__file__))
"""The first that is there is sent: what Debian and Ubuntu know of their packages, or Python's own help."""
MOST_RECORDS = 1_000

Place = tuple[str, int]
"""Who sent a record, and its number in the file."""


def records_of_machine() -> tuple[Path, list[bytes]]:
    """A real text file of this machine, cut at its empty lines; joined again, the records are the file's beginning."""
    file = next(path for path in FILES if path.exists())
    records = re.split(r"(?<=\n\n)(?=\S)", file.read_text(errors="replace"))
    return file, [record.encode() for record in records[:MOST_RECORDS]]


class Account:
    """Keeps what was confirmed and what was received. Clients in several threads write it."""

    def __init__(self, records: list[bytes]) -> None:
        self.records = records
        self.confirmed: set[Place] = set()
        self.received: dict[Place, bytes] = {}
        self.copies: Counter[Place] = Counter()
        """Distinct messages by the record that they carry: more than 1 where a send was repeated in doubt."""
        self.redelivered = 0
        """Deliveries of a message that had been delivered before."""
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def confirm(self, place: Place) -> None:
        with self._lock:
            self.confirmed.add(place)

    def take(self, place: Place, message_id: str, record: bytes) -> None:
        with self._lock:
            if message_id in self._ids:
                self.redelivered += 1
            else:
                self._ids.add(message_id)
                self.copies[place] += 1
                self.received[place] = record

    def confirmed_of(self, sender: str) -> int:
        with self._lock:
            return sum(name == sender for name, _ in self.confirmed)

    def is_complete(self) -> bool:
        with self._lock:
            return self.confirmed <= self.received.keys()

    @property
    def lost(self) -> int:
        return len(self.confirmed - self.received.keys())

    @property
    def duplicates(self) -> int:
        return self.copies.total() - len(self.copies)

    def put_together(self, sender: str) -> bytes:
        """The file as it was received."""
        return b"".join(self.received.get((sender, number), b"") for number in range(len(self.records)))
