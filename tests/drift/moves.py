"""What somebody does to a host, by its records: a program for the host, which has nothing else of the collection."""

import json
import lzma
import os
import shutil
import subprocess
import sys

FOLDER = "/var/lib/gpufleet/records"
DKMS = "/var/lib/dkms"
MAGIC = b"~Module signature appended~\n"


def records():
    found = {}
    for name in sorted(os.listdir(FOLDER)):
        with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
            found[name[: -len(".json")]] = json.load(file)
    return found


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def facts(told, _spared):
    """Every fact was another when its role came to its end."""
    for role, record in told.items():
        record["managed"]["facts"] = dict.fromkeys(record["managed"]["facts"], "another")
        write(f"{FOLDER}/{role}.json", json.dumps(record))


def edited(told, spared):
    """Every file is edited, or there where none was; every hold is gone; every unit is stopped and disabled."""
    for record in told.values():
        managed = record["managed"]
        for path, state in managed["files"].items():
            if any(words in path for words in spared):
                continue
            if state is None:
                write(path, "# appeared\n")
            elif "sha256" in state:
                with open(path, "a", encoding="utf-8") as file:
                    file.write("\n# edited\n")
        held = [name for name, state in managed["packages"].items() if state and state["held"]]
        if held:
            run("apt-mark", "unhold", *held)
        for unit in managed["units"]:
            if not any(words in unit for words in spared):
                run("systemctl", "disable", "--now", unit)


def taken(told, spared):
    """Every file is somebody else's and open to all, and so is every folder."""
    for record in told.values():
        for path, state in record["managed"]["files"].items():
            if state and "link" not in state and not any(words in path for words in spared):
                run("chown", "nobody:nogroup", path)
                run("chmod", "a+w", path)


def grouped(told, spared):
    """Every file, and every folder, belongs to another group, and is as it was otherwise."""
    for record in told.values():
        for path, state in record["managed"]["files"].items():
            if state and "link" not in state and not any(words in path for words in spared):
                run("chgrp", "nogroup", path)


def unregistered(_told, _spared):
    """DKMS has forgotten NVIDIA's modules, which are still there."""
    for name in sorted(os.listdir(DKMS)):
        if name.startswith("nvidia"):
            shutil.rmtree(f"{DKMS}/{name}")


def unsigned(_told, _spared):
    """The signature behind each installed module is gone, or where there is none, another byte is there."""
    for path in modules():
        with open(path, "rb") as file:
            data = file.read()
        pack = lzma if path.endswith(".xz") else None
        data = pack.decompress(data) if pack else data
        end = len(data) - len(MAGIC) - 12
        length = int.from_bytes(data[end + 8 : end + 12], "big")
        data = data[: end - length] if data.endswith(MAGIC) else data + b"edited"
        with open(path, "wb") as file:
            file.write(pack.compress(data, check=lzma.CHECK_CRC32) if pack else data)


def lost(_told, _spared):
    """The installed modules are gone, and DKMS believes that they are there."""
    for path in modules():
        os.remove(path)


def modules():
    found = [f"{folder}/{name}" for folder, _folders, names in os.walk("/lib/modules") for name in names]
    return [path for path in found if "/nvidia" in path and ".ko" in path and "/updates/" in path]


def removed(told, spared):
    """Every file is gone, and every unit stands still."""
    for record in told.values():
        for unit in record["managed"]["units"]:
            if not any(words in unit for words in spared):
                run("systemctl", "stop", unit)
        for path, state in record["managed"]["files"].items():
            if state and "sha256" in state and not any(words in path for words in spared):
                os.remove(path)


def damaged(told, _spared):
    """No record can be trusted: one is cut off, one is everybody's, one is of another format, one is gone."""
    first, second, third, fourth = (f"{FOLDER}/{role}.json" for role in sorted(told))
    write(first, json.dumps(told[sorted(told)[0]])[:-20])
    os.chmod(second, 0o666)
    write(third, json.dumps({**told[sorted(told)[2]], "format": 7}))
    os.remove(fourth)


MOVES = (facts, edited, taken, grouped, unregistered, unsigned, lost, removed, damaged)

if __name__ == "__main__":
    # Paths and units that have one of the further words in their name are left as they are.
    {move.__name__: move for move in MOVES}[sys.argv[1]](records(), sys.argv[2:])
