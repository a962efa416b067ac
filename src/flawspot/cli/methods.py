"""``flawspot methods``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from flawspot.cli.console import out, print_json, styled
from flawspot.texts import visible

if TYPE_CHECKING:
    from flawspot.methods.base import Method
    from flawspot.methods.settings import Hyperparameter
    from flawspot.runtime.manifest import Scalar


def methods(
    method: Annotated[
        str | None, typer.Argument(help="Show every hyperparameter of this one. Default: list all methods.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the methods, or the hyperparameters of one, which `--set NAME=VALUE` sets."""
    from flawspot.methods.registry import method_class
    from flawspot.methods.registry import methods as known_methods
    from flawspot.methods.settings import hyperparameters_of

    if method is not None:
        cls = method_class(method)
        known = hyperparameters_of(cls)
        if as_json:
            print_json({**_described(cls), "hyperparameters": [_as_dict(each) for each in known]})
            return
        _print_heading(cls)
        _print_hyperparameters(known)
        return
    classes = known_methods().values()
    if as_json:
        print_json({"methods": [_described(cls) for cls in classes]})
        return
    for cls in classes:
        _print_heading(cls)


def _described(cls: type[Method]) -> dict[str, Any]:
    summary = inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
    return {"method": cls.name, "summary": summary, "source": cls.source, "default_layers": cls.default_layers}


def _as_dict(known: Hyperparameter) -> dict[str, Any]:
    bounds = {name: getattr(known.range, name) for name in ("low", "high", "above", "below")}
    return {
        "name": known.name,
        "type": known.type_name,
        "default": known.default,
        "allowed": known.allowed,
        **{name: bound for name, bound in bounds.items() if bound is not None},
        **({"choices": list(known.range.choices)} if known.range.choices else {}),
        "description": known.description,
    }


def _print_heading(cls: type[Method]) -> None:
    described = _described(cls)
    out.print(styled(f"{cls.name:<12}", "bold"), described["summary"])
    out.print(f"{'':<12}", styled(f"{cls.source}; layers {cls.default_layers} unless others are given", "dim"))


def _print_hyperparameters(hyperparameters: tuple[Hyperparameter, ...]) -> None:
    width = max((len(known.name) for known in hyperparameters), default=0) + 2
    for known in hyperparameters:
        allowed = f"{known.type_name}: {known.allowed}" if known.allowed != known.type_name else known.allowed
        out.print()
        out.print(f"{known.name:<{width}}", styled(_text(known.default), "bold"), f" ({allowed})", sep="")
        description = Text(visible(known.description.replace("``", "")), style="dim")
        out.print(Padding(description, (0, 0, 0, width)), soft_wrap=False)


def _text(value: Scalar) -> str:
    """The value in the form that `--set` takes."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
