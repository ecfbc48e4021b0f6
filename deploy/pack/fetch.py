"""Fetches one file of a public repository at a commit: `fetch.py REPOSITORY COMMIT PATH TARGET`.

Standard library only; honours the usual proxy variables. The digest is the caller's business. Exits with 3 when the
address cannot be reached, so that the caller can say what to do instead.
"""

import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request

ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
TIMEOUT_SECONDS = 20
UNREACHABLE = 3


def main(repository, commit, path, target):
    address = ADDRESS.format(repository=repository, commit=commit, path=urllib.parse.quote(path))
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer, open(target, "wb") as file:
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"{address}: {error}", file=sys.stderr)
        sys.exit(UNREACHABLE)


if __name__ == "__main__":
    main(*sys.argv[1:])
