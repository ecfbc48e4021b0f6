"""Takes single files out of a wheel or a source package: `extract.py ARCHIVE MEMBER TARGET [MEMBER TARGET ...]`.

Standard library only. Owns nothing but the copying: digests are the caller's business. Members are named exactly, and
targets are given by the caller, so a name inside the archive never decides where something is written.
"""

import shutil
import sys
import tarfile
import zipfile


def extract(archive, wanted):
    """Writes each member of `wanted` (member -> target) and stops reading when all are written."""
    if archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            for member, target in wanted.items():
                with wheel.open(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
        return
    missing = dict(wanted)
    with tarfile.open(archive, "r|*") as package:
        for entry in package:
            target = missing.pop(entry.name, None)
            if target is not None:
                with package.extractfile(entry) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
            if not missing:
                return
    sys.exit(f"{archive} has no {', '.join(missing)}")


if __name__ == "__main__":
    extract(sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True)))
