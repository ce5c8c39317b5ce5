"""Files that are something else besides what their name says: a pickle or an archive that programs find in them."""

from __future__ import annotations

import pickletools
import re
import zipfile

from .entries import Entry
from .finding import Finding

__all__ = ["behind_faults", "disguise_faults"]

MODULE = re.compile(r"[^\W\d][\w.]* [^\W\d][\w.]*")
CALLS = {"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"}
NAMED = {"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
MOST_OPCODES = 20_000


def disguise_faults(entry: Entry) -> list[Finding]:
    """What a file is besides.

    Args:
        entry: Of a kind that is no pickle and no archive.
    """
    if _runs_as_pickle(entry):
        return [Finding("pickle", entry.name, "", "a pickle besides", "it runs code where it is loaded by this name")]
    return behind_faults(entry)


def behind_faults(entry: Entry) -> list[Finding]:
    """An archive behind what a file shows.

    Args:
        entry: Of a kind that is no archive.
    """
    if not _ends_as_archive(entry):
        return []
    why = "Python runs it, and others unpack it, whatever stands before"
    return [Finding("archive", entry.name, "", "an archive behind its content", why)]


def _runs_as_pickle(entry: Entry) -> bool:
    """Whether its beginning is a pickle that calls something, of any protocol, or goes on as one without end.

    Those of protocol 0 and 1 have no mark at their beginning, and may be plain letters. Most texts take more from the
    stack than there is, or name no module.
    """
    named, stack = False, Stack()
    with entry.opened() as file:
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
                kind = opcode.name
                if not stack.can(opcode) or (kind in ("GLOBAL", "INST") and not MODULE.fullmatch(str(argument))):
                    return False
                named = named or kind in NAMED
                if (kind in CALLS and named) or count > MOST_OPCODES:
                    return True
        except Exception:  # pickletools raises anything on bytes that are no pickle
            return False
    return False


class Stack:
    """How much lies on the stack of a pickle, and where its marks are."""

    def __init__(self) -> None:
        self.depth = 0
        self.marks: list[int] = []

    def can(self, opcode: pickletools.OpcodeInfo) -> bool:
        """Do an opcode, if what it takes is there.

        Args:
            opcode: The next one.
        """
        taken, given = opcode.stack_before, opcode.stack_after
        on_mark = bool(self.marks) and self.marks[-1] == self.depth
        if pickletools.markobject in taken or (opcode.name == "POP" and on_mark):
            if not self.marks:
                return False
            self.depth = self.marks.pop()
            taken = taken[: taken.index(pickletools.markobject)] if pickletools.markobject in taken else []
        self.depth -= len(taken)
        if self.depth < (self.marks[-1] if self.marks else 0):
            return False
        for one in given:
            if one is pickletools.markobject:
                self.marks.append(self.depth)
            else:
                self.depth += 1
        return True


def _ends_as_archive(entry: Entry) -> bool:
    with entry.opened() as file:
        if not zipfile.is_zipfile(file):
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                return bool(archive.namelist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            return False  # the four bytes of a mark, by chance
