"""Tests of the raw files that the kit writes: one for each detector of an exposure, the same whenever it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .requirement import mismatches, requirement

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["Files"]


class Files:
    """Tests of raw files."""

    @requirement()
    def test_every_raw_has_a_file_of_its_own(self, subject: Subject) -> None:
        """Each file is there, and of one raw or, if the kit writes whole exposures, of one exposure."""
        seen: dict[str, str] = {}
        with mismatches() as wrong:
            for raw in subject.raws:
                wrong.that(raw.path.is_file(), f"file of {raw}", str(raw.path), "to be there")
                exposure = subject.kit.write_exposure is not None
                owner = f"exposure {raw.observation.exposure}" if exposure else str(raw)
                wrong.equal(f"owner of {raw.path}", seen.setdefault(str(raw.path), owner), owner)

    @requirement(after=(test_every_raw_has_a_file_of_its_own,))
    def test_writing_again_gives_the_same_bytes(self, subject: Subject) -> None:
        """The same observation and pixels give the same file, name and bytes."""
        folder = subject.folder("again")
        with mismatches() as wrong:
            for raw in subject.firsts:
                again = subject.write(folder, raw.observation)[0].path
                wrong.equal(f"name of {raw} when written again", again.name, raw.path.name)
                one, two = raw.path.read_bytes(), again.read_bytes()
                if one != two:
                    wrong.that(False, f"{raw} when written again", _difference(one, two), "the same bytes")


def _difference(one: bytes, two: bytes) -> str:
    """Say where two files differ: the card, if it is in a header."""
    place = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    start = place - place % 80
    card = two[start : start + 80]
    if card.isascii() and card[8:9] in (b"=", b" ") and card[:8].strip():
        return f"card {card.decode().rstrip()!r}, before {one[start : start + 80].decode(errors='replace').rstrip()!r}"
    return f"another byte at {place}"
