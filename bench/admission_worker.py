"""The side of the admission bench that has a database: obeys one command a line."""

import json
import logging
import os
import sys

import django


def main() -> None:
    """Obey until there is nothing more to read."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    logging.disable(logging.WARNING)
    from bench import admitting

    for line in sys.stdin:
        options = json.loads(line)
        command = getattr(admitting, options.pop("do"))
        print(json.dumps(command(**options)), flush=True)


if __name__ == "__main__":
    main()
