"""The command line. Every module of this package with a `register(app)` adds its commands.

Modules here import nothing but typer at their top, so that `--help` starts fast.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

EXIT_INPUT, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_PIPE = 2, 70, 130, 141


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        import typer

        try:
            version = metadata.version("neuromorph")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        typer.echo(f"neuromorph {version}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The application with the commands of all modules of this package."""
    import importlib
    import pkgutil

    import typer

    app = typer.Typer(
        name="neuromorph",
        help="Accuracy, latency, energy, power and area of a trained network on neuromorphic and in-memory hardware.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),
    ) -> None:
        pass

    for info in sorted(pkgutil.iter_modules(__path__), key=lambda i: i.name):
        register = getattr(importlib.import_module(f"{__name__}.{info.name}"), "register", None)
        if register is not None:
            register(app)
    return app


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _explain_os(error: OSError) -> str:
    from neuromorph.files import remedy

    name = error.filename or error.filename2
    what = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes | os.PathLike) else ""
    helps = remedy(error)
    return f"error: {what}{error.strerror or error}" + (f" ({helps})" if helps else "")


def _explain_usage(error: Any) -> str:
    """A wrong option or argument, as typer's bundled click reports it."""
    text = f"error: {error.format_message()}"
    context = getattr(error, "ctx", None)
    return text + (f" (see '{context.command_path} --help')" if context is not None else "")


def _explain_input(error: Any) -> str:
    problems = getattr(error, "problems", None) or (error,)
    lines = [f"error: {problem}" for problem in problems]
    if len(lines) > 1:
        lines.append(f"{len(lines)} problems")
    return "\n".join(lines)


def _unexpected(error: BaseException) -> str:
    where = traceback.extract_tb(error.__traceback__)
    at = f" at {os.path.basename(where[-1].filename)}:{where[-1].lineno}" if where else ""
    text = " ".join(str(error).split())[:300]
    return (
        f"error: unexpected {type(error).__name__}{at}: {text} "
        "(this is a fault of neuromorph: please report it with the output of the same command under NEUROMORPH_DEBUG=1)"
    )


def _run(arguments: Sequence[str] | None) -> int:
    result = build_app()(args=arguments, prog_name="neuromorph", standalone_mode=False)
    sys.stdout.flush()
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 2 wrong input or output that cannot be written, 70 a fault of this program, 130 interrupted,
    141 the reader of the output went away. NEUROMORPH_DEBUG=1 lets every exception through.
    """
    from neuromorph.errors import NeuromorphError

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence()
        return EXIT_PIPE
    except Exception as error:
        if os.environ.get("NEUROMORPH_DEBUG") == "1":
            raise
        if isinstance(error, NeuromorphError):
            _say(_explain_input(error))
            return error.exit_code
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            if error.format_message():  # empty where the help was shown for want of arguments
                _say(_explain_usage(error))
            return int(error.exit_code)
        if type(error).__name__ == "Abort":
            _say("aborted")
            return EXIT_INTERRUPTED
        if isinstance(error, OSError):
            _say(_explain_os(error))
            if error.errno == errno.ENOSPC:
                _silence()
            return EXIT_INPUT
        if isinstance(error, MemoryError):
            _say("error: not enough memory (use a smaller batch, fewer trials or fewer workers)")
            return EXIT_INPUT
        _say(_unexpected(error))
        return EXIT_INTERNAL


def _silence() -> None:
    """Keeps the interpreter's last flush of standard output from failing again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
