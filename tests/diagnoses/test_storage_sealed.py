"""Large files, sealed piece by piece: they open whole and in order, or not at all."""

import tracemalloc
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from diagnoses import storage
from diagnoses.sealing import SealError, new_key
from diagnoses.storage import sealed
from diagnoses.storage.sealed import PIECE_BYTES, SealingWriter, pieces, writing

NAME = "exports/ab/packed"
SEALED_PIECE = PIECE_BYTES + 16


def sealed_bytes(key: bytes, data: bytes, name: str = NAME) -> bytes:
    with writing(name, key) as file:
        file.write(data)
    return storage.read(name)


def opened(key: bytes, data: bytes, name: str = NAME) -> bytes:
    return b"".join(pieces(BytesIO(data), key, name))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_what_was_written_comes_back_and_is_nowhere_in_clear(size: int) -> None:
    key, data = new_key(), (b"a patient's picture " * (size // 20 + 1))[:size]
    kept = sealed_bytes(key, data)
    assert opened(key, kept) == data
    assert b"patient" not in kept


def _changed(data: bytes, how: str) -> bytes:
    first, second, third = (data[1 + number * SEALED_PIECE : 1 + (number + 1) * SEALED_PIECE] for number in range(3))
    return {
        "a byte of it is another": data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
        "its end is cut off": data[:1] + first + second,
        "a part of a piece is cut off": data[:-1],
        "a piece is left out": data[:1] + first + third,
        "two pieces are swapped": data[:1] + second + first + third,
        "something is added": data + b"more",
        "it is of another format": b"\x02" + data[1:],
        "nothing is left": b"",
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "a byte of it is another",
        "its end is cut off",
        "a part of a piece is cut off",
        "a piece is left out",
        "two pieces are swapped",
        "something is added",
        "it is of another format",
        "nothing is left",
    ],
)
def test_a_file_does_not_open_where(how: str) -> None:
    key = new_key()
    kept = sealed_bytes(key, bytes(2 * PIECE_BYTES + 7))
    with pytest.raises(SealError):
        opened(key, _changed(kept, how))


def test_a_file_opens_under_its_own_key_and_name_alone() -> None:
    key = new_key()
    kept = sealed_bytes(key, b"a picture")
    with pytest.raises(SealError):
        opened(new_key(), kept)
    with pytest.raises(SealError):
        opened(key, kept, "exports/ab/another")


def test_what_comes_in_crumbs_is_opened_all_the_same() -> None:
    class Crumbs(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 1000))

    key = new_key()
    kept = sealed_bytes(key, bytes(PIECE_BYTES + 7))
    assert b"".join(pieces(Crumbs(kept), key, NAME)) == bytes(PIECE_BYTES + 7)


def test_a_zip_of_any_size_is_written_as_into_a_file_and_held_in_memory_only_in_part() -> None:
    key, picture = new_key(), bytes(PIECE_BYTES // 2)
    tracemalloc.start()
    with writing(NAME, key) as file, ZipFile(file, "w") as archive:
        for number in range(40):
            archive.writestr(f"{number}.png", picture, ZIP_STORED if number % 2 else ZIP_DEFLATED)
            file.settle()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 * PIECE_BYTES
    with storage.reading(NAME) as kept:
        whole = ZipFile(BytesIO(b"".join(sealed.pieces(kept, key, NAME))))
    assert whole.testzip() is None
    assert [info.flag_bits for info in whole.infolist()] == [0] * 40, "sizes stand before each file, not after it"


def test_what_is_settled_is_not_gone_back_to() -> None:
    writer = SealingWriter(BytesIO(), new_key(), NAME)
    writer.write(bytes(PIECE_BYTES + 1))
    writer.settle()
    with pytest.raises(ValueError, match="sealed already"):
        writer.seek(0)


def test_of_a_file_that_comes_to_nothing_nothing_stays() -> None:
    def fail() -> None:
        with writing(NAME, new_key()) as file:
            file.write(b"a picture")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    with pytest.raises(FileNotFoundError):
        storage.read(NAME)
