#!/usr/bin/env python
"""Django's command line, and `serve`, which supervises processes and therefore stays free of Django itself."""

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.env import Misconfigured

    try:
        if sys.argv[1:2] == ["serve"]:
            from config.serve import main as serve

            return serve(sys.argv[2:])
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
