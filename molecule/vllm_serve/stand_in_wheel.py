"""Writes a wheel, a stand-in for another release of a distribution than the lock has: NAME VERSION FOLDER."""

import sys
import zipfile

name, version, folder = sys.argv[1:]
about = f"{name}-{version}.dist-info"
texts = {
    f"{name}/__init__.py": "",
    f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
texts[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*texts, f"{about}/RECORD"])
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, text in texts.items():
        wheel.writestr(path, text)
