"""What the programs that check files of the repository are: a report on stdout, what fails on stderr, a status."""

import argparse
import json
import pathlib
import sys


class Failure(Exception):
    """A sentence that says what failed."""


def check(holds, sentence):
    if not holds:
        raise Failure(sentence)


def main(name, description, examine):
    """`examine(repo, report)` fills the report or raises a Failure; the exit status."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=pathlib.Path, required=True, help="root of the repository")
    arguments = parser.parse_args()
    report = {"ok": False}
    try:
        examine(arguments.repo.resolve(), report)
        report["ok"] = True
    except Failure as failure:
        report["failure"] = str(failure)
        print(f"{name}: {failure}", file=sys.stderr)
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1
