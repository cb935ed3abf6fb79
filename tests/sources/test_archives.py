"""Archives: unsafe, damaged, in parts, with passwords, interrupted and resumed."""

import io
import random
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from pyzipper import WZ_AES, AESZipFile

from svfap.datasets.local_copy import unpacker
from svfap.errors import SvfapError
from svfap.sources import archives
from svfap.sources.archives import unpack, unpack_all

FILES = {f"clips/é {n}.bin": random.Random(n).randbytes(30_000) for n in range(8)}
TEXT = b"the words that are hidden here are none that matter to anyone"


def zipped(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def failure(archive: Path, folder: Path) -> str:
    with pytest.raises(SvfapError) as caught:
        unpack(archive, folder)
    assert "\n" not in str(caught.value)
    assert not [path for path in folder.rglob("*.part")]
    return str(caught.value)


def check(folder: Path, files: dict[str, bytes] = FILES) -> None:
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == files


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tars(mode, tmp_path):
    archive = tmp_path / f"a.tar{'.' * (':' in mode)}{mode[2:]}"
    with tarfile.open(archive, mode) as tar:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o7777
            tar.addfile(info, io.BytesIO(content))
    assert unpack(archive, tmp_path / "out") == len(FILES)
    check(tmp_path / "out")
    made = next(path for path in (tmp_path / "out").rglob("*.bin"))
    assert not stat.S_IMODE(made.stat().st_mode) & 0o7000


def test_a_zip_and_a_selection_of_its_files(tmp_path):
    archive = zipped(tmp_path / "a.zip")
    unpack(archive, tmp_path / "out", keep=lambda name: name.endswith("3.bin"))
    check(tmp_path / "out", {"clips/é 3.bin": FILES["clips/é 3.bin"]})
    assert archive.exists()


def test_existing_files_are_not_written_again(tmp_path):
    archive = zipped(tmp_path / "a.zip")
    unpack(archive, tmp_path / "out")
    first, second, *_ = sorted((tmp_path / "out" / "clips").iterdir())
    second.write_bytes(b"cut short")
    before = first.stat().st_mtime_ns
    unpack(archive, tmp_path / "out")
    check(tmp_path / "out")
    assert first.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil", "C:/evil", "a/..", "."]
)
def test_no_path_leads_out(name, tmp_path):
    archive = zipped(tmp_path / "a.zip", {"good": b"1"})
    with zipfile.ZipFile(archive, "a") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, b"evil")
    assert "leads out of its folder" in failure(archive, tmp_path / "out")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    assert "leads out of its folder" in failure(tmp_path / "a.tar", tmp_path / "out")
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip", "a.tar", "out"}


def tarred(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_the_last_of_several_members_with_one_name_counts(tmp_path):
    archive = tarred(tmp_path / "a.tar", [("a", b"old"), ("b", b"1"), ("./a", b"newer")])
    for _ in range(2):
        assert unpack(archive, tmp_path / "out") == 2
        check(tmp_path / "out", {"a": b"newer", "b": b"1"})


@pytest.mark.parametrize("members", [["x" * 256], ["a", "a/b"], ["a/b", "a"]])
def test_names_that_no_folder_can_hold(members, tmp_path):
    archive = tarred(tmp_path / "a.tar", [(name, b"1") for name in members])
    assert " cannot be written (" in failure(archive, tmp_path / "out")


def test_the_longest_names(tmp_path):
    files = {"x" * 255: b"1", "\u00fc" * 127: b"2"}
    unpack(tarred(tmp_path / "a.tar", [*files.items()]), tmp_path / "out")
    check(tmp_path / "out", files)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE],
)
def test_no_links_nor_devices(kind, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = kind, "/etc"
        tar.addfile(link)
    assert "is not a plain file" in failure(tmp_path / "a.tar", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc")
    assert "is a link" in failure(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(300_000_000))
    assert "would unpack to 0.3 GB, which is implausible" in failure(
        tmp_path / "a.zip", tmp_path / "out"
    )


def test_a_disk_too_small(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip")
    monkeypatch.setattr(
        "svfap.sources.partial.shutil.disk_usage", lambda _: type("", (), {"free": 1000})
    )
    assert "free some space" in failure(archive, tmp_path / "out")


@pytest.mark.parametrize("keep", [0.3, 0.999])
def test_an_incomplete_archive(keep, tmp_path):
    content = zipped(tmp_path / "whole.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content[: int(len(content) * keep)])
    assert "damaged or incomplete" in failure(tmp_path / "a.zip", tmp_path / "out")
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(tmp_path / "whole.zip", "a.bin")
    content = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[: int(200_000 * keep)])
    assert "damaged or incomplete" in failure(tmp_path / "a.tar", tmp_path / "out")


def test_a_flipped_bit_is_noticed(tmp_path):
    archive = zipped(tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    content[20_000] ^= 1
    archive.write_bytes(content)
    assert "damaged or incomplete" in failure(archive, tmp_path / "out")


def encrypt_zipcrypto(path: Path, password: bytes, files: dict[str, bytes]) -> None:
    """Encrypt with ZipCrypto, which `zipfile` reads but does not write (APPNOTE 6.1)."""
    table = [0] * 256
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table[index] = value

    def key_stream():
        keys = [0x12345678, 0x23456789, 0x34567890]

        def update(byte: int) -> None:
            keys[0] = keys[0] >> 8 ^ table[(keys[0] ^ byte) & 0xFF]
            keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
            keys[2] = keys[2] >> 8 ^ table[(keys[2] ^ keys[1] >> 24) & 0xFF]

        for byte in password:
            update(byte)

        def hide(byte: int) -> int:
            mask = (keys[2] | 2) & 0xFFFF
            hidden = byte ^ ((mask * (mask ^ 1)) >> 8) & 0xFF
            update(byte)
            return hidden

        return hide

    plain = zipped(path.with_suffix(".plain"), {name: b"\0" * 12 + c for name, c in files.items()})
    data = bytearray(plain.read_bytes())
    with zipfile.ZipFile(plain) as archive:
        for info in archive.infolist():
            content = files[info.filename]
            crc = zipfile.crc32(content)
            hide = key_stream()
            head = bytes(11) + bytes([crc >> 24])
            hidden = bytes(hide(byte) for byte in head + content)
            begin = info.header_offset + 30 + len(info.filename.encode())
            data[begin : begin + len(hidden)] = hidden
            local = info.header_offset
            flags = struct.unpack_from("<H", data, local + 6)[0] | 1
            struct.pack_into("<H", data, local + 6, flags)
            struct.pack_into("<III", data, local + 14, crc, len(hidden), len(content))
            central = data.index(b"PK\x01\x02" + data[local + 4 : local + 4], archive.start_dir)
            while data[central + 46 :][: len(info.filename.encode())] != info.filename.encode():
                central = data.index(b"PK\x01\x02", central + 1)
            struct.pack_into("<H", data, central + 8, flags)
            struct.pack_into("<III", data, central + 16, crc, len(hidden), len(content))
    plain.unlink()
    path.write_bytes(data)


def encrypt_aes(path: Path, password: bytes, files: dict[str, bytes]) -> None:
    with AESZipFile(path, "w", encryption=WZ_AES) as archive:
        archive.setpassword(password)
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("write", [encrypt_zipcrypto, encrypt_aes])
def test_passwords(write, tmp_path):
    files = {"clips/a.txt": TEXT, "b.bin": bytes(range(256))}
    archive = tmp_path / "archives" / "a.zip"
    archive.parent.mkdir()
    write(archive, b"secret", files)
    assert "write its password into" in failure(archive, tmp_path / "out")
    (archive.parent / "password.txt").write_text("wrong\n")
    message = failure(archive, tmp_path / "out")
    assert "correct" in message
    assert "wrong" not in message
    (archive.parent / "password.txt").write_text(" secret\r\n")
    assert unpack(archive, tmp_path / "out") == 2
    check(tmp_path / "out", files)


def cut(archive: Path, size: int) -> list[Path]:
    """Cut as `7z -v` and `split` do: `.zip.001`, `.zip.002`, ..."""
    content = archive.read_bytes()
    parts = []
    for number, begin in enumerate(range(0, len(content), size), start=1):
        parts.append(archive.with_name(f"{archive.name}.{number:03d}"))
        parts[-1].write_bytes(content[begin : begin + size])
    archive.unlink()
    return parts


def cut_by_letters(archive: Path, size: int) -> list[Path]:
    """Cut as VoxCeleb2 is published: `vox2_mp4_partaa`, `vox2_mp4_partab`, ..."""
    letters = [f"{a}{b}" for a in "ab" for b in "abcdefghijklmnopqrstuvwxyz"]
    return [
        part.rename(archive.with_name(f"vox2_mp4_part{mark}"))
        for part, mark in zip(cut(archive, size), letters, strict=False)
    ]


def split(archive: Path, size: int) -> list[Path]:
    """Split as `zip -s` does: offsets count from the start of the part (APPNOTE 8)."""
    with zipfile.ZipFile(archive) as file:
        start = file.start_dir
    content = bytearray(b"PK\x07\x08" + archive.read_bytes())
    position, end = start + 4, content.rindex(b"PK\x05\x06")
    while position < end:
        offset = struct.unpack_from("<I", content, position + 42)[0] + 4
        struct.pack_into("<H", content, position + 34, offset // size)
        struct.pack_into("<I", content, position + 42, offset % size)
        position = content.find(b"PK\x01\x02", position + 1)
        position = end if position < 0 else position
    last = (len(content) - 1) // size
    struct.pack_into("<HH", content, end + 4, last, (start + 4) // size)
    struct.pack_into("<I", content, end + 16, (start + 4) % size)
    archive.unlink()
    parts = []
    for number in range(last + 1):
        name = archive.name if number == last else f"{archive.stem}.z{number + 1:02d}"
        parts.append(archive.with_name(name))
        parts[-1].write_bytes(content[number * size : (number + 1) * size])
    return parts


@pytest.mark.parametrize("divide", [cut, cut_by_letters, split])
@pytest.mark.parametrize("size", [8_001, 50_000, 61_003, 400_000])
def test_zips_in_parts(divide, size, tmp_path):
    parts = divide(zipped(tmp_path / "a.zip"), size)
    assert len(parts) == -(-(240_000 + 1500) // size)
    begin = parts[-1] if divide is split else parts[0]
    unpack(begin, tmp_path / "out")
    check(tmp_path / "out")
    assert all(part.exists() for part in parts)


@pytest.mark.parametrize(
    ("divide", "lost", "message"),
    [(cut, 1, "part 2 of 5 is"), (split, 0, "part 1 of 4 is"), (split, 1, "part 2 of 4 is")],
)
def test_a_part_that_is_missing(divide, lost, message, tmp_path):
    parts = divide(zipped(tmp_path / "a.zip"), 50_000)
    parts[lost].unlink()
    begin = parts[0] if divide is cut else parts[-1]
    assert f"its {message} missing" in failure(begin, tmp_path / "out")


def test_the_last_parts_that_are_missing(tmp_path):
    parts = split(zipped(tmp_path / "a.zip"), 50_000)
    parts[-2].unlink()
    assert "has 5 parts, but 4 are here" in failure(parts[-1], tmp_path / "out")


def test_all_archives_below_a_folder_and_those_inside_them(tmp_path):
    inner = zipped(tmp_path / "inner.zip")
    (tmp_path / "root" / "M003").mkdir(parents=True)
    with tarfile.open(tmp_path / "root" / "M003" / "video.tar", "w") as tar:
        tar.add(inner, "video/front.zip")
    bring = unpacker("M003/video/clips")
    bring(tmp_path / "root")
    assert len(list((tmp_path / "root" / "M003" / "video" / "clips").iterdir())) == len(FILES)
    before = (tmp_path / "root" / archives.UNPACKED).read_text()
    unpacked = [line.split()[1] for line in before.splitlines()]
    assert unpacked == ["M003/video.tar", "M003/video/front.zip"]
    (tmp_path / "root" / "M005").mkdir()
    zipped(tmp_path / "root" / "M005" / "later.zip")
    bring(tmp_path / "root")
    assert len(list((tmp_path / "root" / "M005" / "clips").iterdir())) == len(FILES)
    bring(tmp_path / "root")


def test_archives_of_a_copy_that_the_user_unpacked_are_ignored(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "a.zip").write_bytes(b"is not read")
    unpacker("clips")(tmp_path)
    with pytest.raises(SvfapError, match="damaged or incomplete"):
        unpacker("frames")(tmp_path)
    with pytest.raises(SvfapError, match="damaged or incomplete"):
        unpacker("clips")(tmp_path)


def test_an_interrupted_unpacking_resumes(tmp_path, monkeypatch):
    zipped(tmp_path / "a.zip")
    real = archives._extract
    calls = iter(range(100))

    def interrupted(member, path):
        if next(calls) == 3:
            raise KeyboardInterrupt
        real(member, path)

    monkeypatch.setattr(archives, "_extract", interrupted)
    bring = unpacker("clips")
    with pytest.raises(KeyboardInterrupt):
        bring(tmp_path)
    assert len(list((tmp_path / "clips").iterdir())) == 3
    monkeypatch.setattr(archives, "_extract", real)
    bring(tmp_path)
    assert len(list((tmp_path / "clips").iterdir())) == len(FILES)


def test_a_folder_without_archives(tmp_path):
    unpack_all(tmp_path)
    unpacker("clips")(tmp_path / "none")
    assert not list(tmp_path.iterdir())
