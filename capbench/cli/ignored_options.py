"""Options that were typed and would have no effect: refused, since whoever types one counts on it."""

from __future__ import annotations

from collections.abc import Collection

import typer

from capbench.errors import InputError

__all__ = ["refuse_ignored", "typed_parameters"]


def typed_parameters(context: typer.Context) -> dict[str, str]:
    """Parameters from the command line, to how they are written there: not defaults, and not environment variables.

    A variable such as `CAPBENCH_FLEET_CERTIFICATES` holds for every command, whether that needs it or not.
    """
    found = {}
    for parameter in context.command.params:
        name = parameter.name
        source = None if name is None else context.get_parameter_source(name)
        if name is not None and source is not None and source.name == "COMMANDLINE":
            is_denied = context.params.get(name) is False and bool(parameter.secondary_opts)
            words = parameter.secondary_opts if is_denied else parameter.opts
            is_option = words[-1].startswith("-")
            found[name] = max(words, key=len) if is_option else name.upper()
    return found


def refuse_ignored(context: typer.Context, names: Collection[str], *, why: str) -> None:
    """Raise `InputError` where one of these parameters was typed; `why` continues "has no effect"."""
    if typed := [words for name, words in typed_parameters(context).items() if name in names]:
        raise InputError(f"{', '.join(typed)} {'has' if len(typed) == 1 else 'have'} no effect {why}")
