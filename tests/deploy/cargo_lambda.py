"""The function under cargo-lambda: built by `cargo lambda build`, invoked by `cargo lambda invoke`.

The built bootstrap, not a `cargo run` of it, is started against cargo-lambda's emulator of the Lambda Runtime API.
A JSON report goes to stdout, progress to stderr; exit status 0 or 1. Everything listens on 127.0.0.1 only.

    python cargo_lambda.py --repo ROOT --work DIR --event FILE [--env NAME=VALUE ...]
"""

import argparse
import contextlib
import json
import pathlib
import platform
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # the import below must not leave a folder in the repository

from whole_way import Children, Failure, aws_environment, build_environment, free_port, say, until

FUNCTION = "flow-forwarder"
NATIVE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())


def cargo_lambda(*arguments):
    """The wheel's program sits beside this interpreter; cargo would find it on PATH, this cannot miss it."""
    return [str(pathlib.Path(sys.executable).parent / "cargo-lambda"), "lambda", *arguments]


def build(children, repo, work, architecture):
    environment = build_environment()
    environment.setdefault("CARGO_TARGET_DIR", str(work / "target"))
    flag = {"x86_64": "--x86-64", "arm64": "--arm64"}[architecture]
    # Not --target-dir: cargo-lambda 1.9 hands it on to `cargo metadata`, which does not know it.
    command = cargo_lambda("build", "--release", flag, "--package", FUNCTION, "--bin", FUNCTION)
    seconds = children.run("cargo-lambda-build", command, environment, cwd=repo, seconds=3600)
    # A relative target directory is relative to where cargo ran.
    bootstrap = repo / environment["CARGO_TARGET_DIR"] / "lambda" / FUNCTION / "bootstrap"
    if not bootstrap.is_file():
        raise Failure(f"cargo lambda build ended well but left no {bootstrap}")
    return bootstrap, round(seconds, 1)


class FirstPoll:
    """A port between the bootstrap and the emulator, which notes when the bootstrap first asks for work."""

    def __init__(self, target):
        self.target = target
        self.at = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._copy, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._copy, args=(far, near, False), daemon=True).start()

    def _copy(self, source, sink, watched):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if watched and self.at is None and b"/runtime/invocation/next" in data:
                    self.at = time.monotonic()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def emulate(children, repo):
    port = free_port()
    command = cargo_lambda("watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port", str(port))
    # Even without building anything, the emulator wants a manifest where it is started.
    child = children.start("emulator", command, build_environment(), cwd=repo)

    def listening():
        if child.poll() is not None:
            raise Failure(f"the emulator ended with status {child.returncode}:\n{children.tail('emulator')}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    until(listening, f"the emulator to listen on port {port}", 60)
    return port


def start_function(children, bootstrap, work, first_poll, extra, seconds):
    # A port on which nothing listens: a call to AWS that a test did not provide for fails at once and goes nowhere.
    environment = aws_environment(build_environment(), f"http://127.0.0.1:{free_port()}")
    environment.update(
        AWS_LAMBDA_RUNTIME_API=f"http://127.0.0.1:{first_poll.port}/.rt/{FUNCTION}",
        AWS_LAMBDA_FUNCTION_NAME=FUNCTION,
        AWS_LAMBDA_FUNCTION_VERSION="1",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
        AWS_LAMBDA_LOG_GROUP_NAME=f"/aws/lambda/{FUNCTION}",
        AWS_LAMBDA_LOG_STREAM_NAME="test",
        CLOUD_EXPORT_DESTINATIONS="stdout:",
    )
    environment.update(extra)
    begun = time.monotonic()
    child = children.start("function", [str(bootstrap)], environment, cwd=work)

    def polls():
        if child.poll() is not None:
            raise Failure(f"the function ended with status {child.returncode}:\n{children.tail('function')}")
        return first_poll.at

    until(polls, "the function's first request for work", seconds, pause=0.002)
    return round((first_poll.at - begun) * 1000, 1)


def invoke(children, port, event, seconds):
    command = cargo_lambda("invoke", FUNCTION, "--data-file", str(event))
    command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    out = children.logs / "answer.json"
    with open(out, "wb") as stdout:
        children.run("invoke", command, build_environment(), seconds=seconds, stdout=stdout)
    text = out.read_text()
    try:
        return json.loads(text)
    except ValueError:
        raise Failure(f"the answer is not JSON: {text[:500]!r}") from None


def variable(argument):
    name, equals, value = argument.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=VALUE")
    return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=pathlib.Path, required=True, help="root of the repository")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for everything that is made")
    parser.add_argument("--event", type=pathlib.Path, required=True, help="JSON file to invoke the function with")
    parser.add_argument("--env", type=variable, nargs="+", action="extend", default=[], metavar="NAME=VALUE")
    parser.add_argument("--architecture", choices=["x86_64", "arm64"], default=NATIVE, help="only the native one runs")
    parser.add_argument("--seconds", type=int, default=60, help="longest wait for the function to start or to answer")
    arguments = parser.parse_args()
    repo, work, event = (path.resolve() for path in (arguments.repo, arguments.work, arguments.event))

    report = {"ok": False}
    try:
        with Children(work / "logs") as children:
            say("cargo lambda build")
            bootstrap, report["build_seconds"] = build(children, repo, work, arguments.architecture)
            report["bootstrap_bytes"] = bootstrap.stat().st_size
            say("emulator")
            port = emulate(children, repo)
            first_poll = FirstPoll(port)
            say("function")
            extra = dict(arguments.env)
            report["init_ms"] = start_function(children, bootstrap, work, first_poll, extra, arguments.seconds)
            say("cargo lambda invoke")
            report["answer"] = invoke(children, port, event, arguments.seconds)
        report["ok"] = True
    except Failure as failure:
        report["failure"] = str(failure)
    except (OSError, subprocess.SubprocessError) as unexpected:
        report["failure"] = f"{type(unexpected).__name__}: {unexpected}"
    if not report["ok"]:
        say(f"cargo_lambda: {report['failure']}")
        say(f"cargo_lambda: logs are in {work}")
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
