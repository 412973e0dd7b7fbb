"""Commands inside containers."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from kmcp_kubernetes.arguments import Container, PodName
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import containers
from kmcp_runtime import (
    Body,
    DryRun,
    Effect,
    OptionalNamespace,
    Rule,
    TimeoutSeconds,
    conflict,
    listed,
    live_state,
    tool,
)
from kmcp_runtime.judging import Verdict, foresee, writes
from kmcp_runtime.kube.execution import Execution, execute, unknown_command
from kmcp_runtime.kube.failures import BACKEND

_USE_A_SHELL = 'pass ["sh","-c","…"] to run it in a shell'
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
# Built into a shell, or its grammar (POSIX, 2.4 and 2.14; bash). `test`, `echo` and `pwd` are programs as well.
_SHELL_WORD = re.compile(
    r"[.:!{}]|\[\[|alias|bg|break|builtin|case|cd|command|continue|declare|do|done|elif|else|esac|eval|exec|exit|export|"
    r"fg|fi|for|function|getopts|hash|history|if|jobs|let|local|popd|pushd|read|readonly|return|select|set|shift|shopt|"
    r"source|then|times|trap|type|typeset|ulimit|umask|unalias|unset|until|wait|while"
)
_QUOTED = re.compile(r"'[^']*'|\\.")
_SHELL_SYNTAX = re.compile(r"[|&;<>`$*\n]|(?<!\S)~|\(|\)")
# Within double quotes a shell still expands `$`, backquotes and backslashes.
_HARMLESS_IN_DOUBLE_QUOTES = re.compile(r'"(?:[^"\\`$]|\\.)*"')


def words(value: Any) -> Any:
    """A command that is given as one text, split into argv; what only a shell understands is refused."""
    if not isinstance(value, str):
        return value
    bare = _HARMLESS_IN_DOUBLE_QUOTES.sub("", _QUOTED.sub("", value))
    found = _SHELL_SYNTAX.search(bare)
    if found:
        raise ValueError(f"{found[0]!r} is shell syntax, but no shell is used: {_USE_A_SHELL}")
    try:
        argv = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{error}: {_USE_A_SHELL}") from None
    what = _of_a_shell(argv[0]) if argv else None
    if what:
        raise ValueError(f"{argv[0]!r} is {what}, but no shell is used: {_USE_A_SHELL}")
    return argv


def _of_a_shell(word: str) -> str | None:
    """What the first word of a command is to a shell, where no program has such a name."""
    if _ASSIGNMENT.match(word):
        return "an assignment of a shell"
    return "a word of the shell itself" if _SHELL_WORD.fullmatch(word) else None


_ARGV_SCHEMA = {"type": "array", "items": {"type": "string"}}
Command = Annotated[
    list[str],
    BeforeValidator(words),
    WithJsonSchema(_ARGV_SCHEMA),
    'Words; shell: ["sh","-c","..."]',
    Field(min_length=1),
]


class CommandOutput(Body):
    """What a command wrote and how it ended."""

    cuttable = "stdout"
    keeps_end = True

    container: str
    exit_code: int | None = Field(default=None, description="Absent when it did not end, or was not run")
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    dry_run: bool | None = None


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(Rule("", ("pods",), ("get",)), Rule("", ("pods/exec",), ("get", "create"))),
)
async def k8s_execute_command(
    kube: Kube,
    pod_name: PodName,
    command: Command,
    namespace: OptionalNamespace = None,
    container: Container = None,
    stdin: Annotated[str | None, "Standard input"] = None,
    timeout_seconds: TimeoutSeconds = 30,
    dry_run: DryRun = False,
) -> CommandOutput:
    """Run a command in a running container and get its output and exit code."""
    namespace = kube.namespace(namespace)
    pod = await kube.read_kind("pods", pod_name, namespace)
    name = containers.chosen(pod, container)
    _check_runs(pod, name)
    verdict = _judge(kube, command, f"{namespace}/{pod_name}")
    # A yes is for this pod, and not for another that has taken its name.
    live_state.bind(f"Pod {namespace}/{pod_name}", pod["metadata"]["uid"])
    if dry_run:
        foresee(verdict)
        return CommandOutput(container=name, dry_run=True, hint=f"Would run {shlex.join(command)}.")
    ended = await execute(
        kube.api, namespace, pod_name, name, command, stdin, timeout_seconds, keep_end=True, verdict=verdict
    )
    return CommandOutput(
        container=name,
        exit_code=ended.exit_code,
        stdout=_text(ended.stdout),
        stderr=_text(ended.stderr) or ended.problem or "",
        truncated=ended.truncated,
        bytes_total=ended.stdout_bytes if ended.stdout_bytes > len(ended.stdout) else None,
        timed_out=ended.timed_out,
        hint=" ".join(_hints(ended, command[0], timeout_seconds)) or None,
    )


_RUNNER = re.compile(
    r"(?:.*/)?(?:ash|awk|bash|busybox|chroot|dash|doas|env|find|ionice|ksh|kubectl|nice|node|nohup|nsenter|perl|php|"
    r"python3?|ruby|sed|setsid|sh|ssh|strace|su|sudo|tee|time|timeout|unshare|watch|xargs|zsh)"
)


def _judge(kube: Kube, command: list[str], pod: str) -> Verdict:
    """A command that begins with words of KMCP_APPROVAL_FREE_COMMANDS needs no question; any other may do anything."""
    for free in listed(kube.settings.approval_free_commands):
        start = shlex.split(free)
        # What runs the program that its arguments name is free as it is written, and with nothing after it.
        exact = bool(start) and _RUNNER.fullmatch(start[0]) is not None
        if start and (command if exact else command[: len(start)]) == start:
            return writes(f"runs {start[0]} in pod {pod}")
    return unknown_command(command, pod)


def _check_runs(pod: Mapping[str, Any], container: str) -> None:
    phase = (pod.get("status") or {}).get("phase", "Unknown")
    name = pod["metadata"]["name"]
    if phase in ("Succeeded", "Failed"):
        raise conflict(
            f"pod {name} has finished (phase {phase}): no command can run in it",
            "k8s_get_pod_logs shows its output",
            backend=BACKEND,
        )
    state = containers.status(pod, container).get("state")
    if "running" not in (state or {}):
        raise conflict(
            f"container {container} of pod {name} (phase {phase}) is not running: {containers.state_in_words(state)}",
            f"k8s_describe_resource resource_type=pods resource_name={name} explains it",
            backend=BACKEND,
        )


def _text(output: bytearray) -> str:
    return output.decode(errors="replace")


def _hints(ended: Execution, program: str, seconds: int) -> Iterator[str]:
    if ended.timed_out:
        yield f"It did not end within {seconds} s and may still be running; raise timeout_seconds or limit the command."
    # 126 and 127 as a POSIX shell uses them (2.8.2).
    if ended.exit_code == 127:
        yield _why_absent(program)
    if ended.exit_code == 126:
        yield f"{program!r} exists but cannot be executed."
    if ended.stdout_bytes > len(ended.stdout):
        yield f"{ended.stdout_bytes} bytes were written: these are from the end. For others use head, grep or sed -n."


def _why_absent(program: str) -> str:
    what = _of_a_shell(program)
    if what:
        return f"{program!r} is {what}, and no shell was used: {_USE_A_SHELL}."
    if any(letter.isspace() for letter in program):
        return f"No program is called {program!r}: give its words one by one, or {_USE_A_SHELL}."
    return f"The image has no {program!r}; list programs with ls /bin /usr/bin, or try another container."
