"""The commands of ``flawspot``, in the order in which they are used."""

from __future__ import annotations

from typing import Annotated

import typer

from flawspot.cli import (
    audit,
    backbones,
    benchmark,
    card,
    check,
    choose,
    costs,
    demo,
    doctor,
    drift,
    evaluate,
    export,
    info,
    methods,
    predict,
    reproduce,
    serve,
    sign,
    smallest,
    threshold,
    tokens,
    train,
    update,
    weights,
)

EPILOG = (
    "Exit codes: 0 done, 1 an error (told in one line), 2 wrong usage, 3 done but some photographs were not inspected, "
    "4 anomalies found (predict --fail-on-anomaly) or parts changed (drift --fail-on-drift), 130 "
    "interrupted by Ctrl-C, 143 ended by SIGTERM."
)

app = typer.Typer(
    name="flawspot",
    help="Find defects in photographs of products, having seen only good parts.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        import flawspot

        typer.echo(f"flawspot {flawspot.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command(name="check")(check.check)
app.command(name="train")(train.train)
app.command(name="choose")(choose.choose)
app.command(name="predict")(predict.predict)
app.command(name="serve")(serve.serve)
app.command(name="evaluate")(evaluate.evaluate)
app.command(name="info")(info.info)
app.command(name="card")(card.card)
app.command(name="threshold")(threshold.threshold)
app.command(name="update")(update.update)
app.command(name="drift")(drift.drift)
app.command(name="smallest")(smallest.smallest)
app.command(name="export")(export.export)
app.command(name="make-key")(sign.make_key)
app.command(name="sign")(sign.sign)
app.command(name="verify")(sign.verify)
app.command(name="backbones")(backbones.backbones)
app.command(name="methods")(methods.methods)
app.command(name="costs")(costs.costs)
app.add_typer(audit.app, name="audit")
app.add_typer(tokens.app, name="tokens")
app.add_typer(weights.app, name="weights")
app.add_typer(reproduce.app, name="reproduce")
app.add_typer(benchmark.app, name="benchmark")
app.command(name="demo")(demo.demo)
app.command(name="doctor")(doctor.doctor)
