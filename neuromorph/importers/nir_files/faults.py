"""Problems and notes of one file, collected while it is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuromorph.errors import InputError, Place, Problem


@dataclass
class Faults:
    """What is wrong with a file (`problems`) and what a reader of its results should know (`notes`)."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, where: str, message: str, hint: str = "") -> None:
        """A problem at a path inside the file."""
        problem = Problem(message, Place(self.file, key=where.strip("/") or None), hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def note(self, text: str) -> None:
        """A remark; each is kept once."""
        if text not in self.notes:
            self.notes.append(text)

    def stop(self) -> None:
        """Raises InputError with every problem found so far."""
        if self.problems:
            raise InputError(self.problems)
