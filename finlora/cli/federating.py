"""The command that trains over the rows of several institutions."""

from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import (
    FILE,
    load_config,
    print_json,
    warn_of_others,
    with_config,
    with_json,
    with_offline,
)

_PRIVACY = ("dp_clip", "dp_noise", "dp_delta", "max_epsilon")
# What the server alone decides.
_OF_SERVER = (*_PRIVACY, "rounds", "aggregate", "min_clients", "clients", "partition", "resume", "fresh")


@click.command()
@click.argument("name")
@with_config
@click.option(
    "--clients", type=click.IntRange(2, 1000), help="Institutions; default: 4, or one for each file."
)
@click.option("--rounds", type=click.IntRange(1, 10000), default=10, show_default=True, help="Rounds in all.")
@click.option(
    "--partition",
    default="iid",
    show_default=True,
    metavar="HOW",
    help="iid, dirichlet:ALPHA (smaller: less alike), files:FOLDER or files:A.jsonl,B.jsonl.",
)
@click.option(
    "--aggregate",
    type=click.Choice(["fedavg", "ffa"]),
    default="fedavg",
    show_default=True,
    help="Average A and B; or freeze A and average B alone, which is exact.",
)
@click.option(
    "--min-clients", type=click.IntRange(1), help="Updates a round needs; default: half of the clients."
)
@click.option(
    "--dp-noise", type=float, metavar="Z", help="Differential privacy: noise multiplier; with --dp-clip."
)
@click.option(
    "--dp-clip", type=float, metavar="C", help="Differential privacy: largest norm of a client's update."
)
@click.option("--dp-delta", type=float, metavar="D", help="Differential privacy: delta; default: 1e-5.")
@click.option("--max-epsilon", type=float, metavar="E", help="Stop before a round that would spend more.")
@click.option("--deploy", is_flag=True, help="Lead institutions that join over a network; needs --listen.")
@click.option("--listen", metavar="HOST:PORT", help="With --deploy: where members reach this machine.")
@click.option("--join", metavar="HOST:PORT", help="Take part in a training that another machine leads.")
@click.option("--data", type=FILE, help="With --join: this institution's rows; they stay here.")
@click.option("--member", metavar="NAME", help="With --join: which key of the credentials is yours.")
@click.option(
    "--credentials",
    type=FILE,
    metavar="FOLDER",
    help="With --deploy and --join: certificates and keys; default: federation/ of the project.",
)
@click.option(
    "--num-processes", "processes", type=click.IntRange(1, 65536), help="Training processes of a client."
)
@click.option("--deepspeed", metavar="CHOICE", help="As in finlora finetune.")
@click.option("--as", "new_name", metavar="NEWNAME", help="Name of the adapter.")
@click.option("--overwrite", is_flag=True, help="Replace an adapter that is there.")
@click.option("--resume", is_flag=True, help="Go on with the rounds that an earlier training left.")
@click.option("--fresh", is_flag=True, help="Start anew, and forget those rounds.")
@click.option(
    "--allow-dropped-rows", is_flag=True, help="Accept that over 1% of the rows are longer than sequence_len."
)
@with_offline
@with_json
def federate(
    name: str,
    config: Path | None,
    clients: int | None,
    partition: str,
    as_json: bool,
    deploy: bool,
    listen: str | None,
    join: str | None,
    **given: Any,
) -> None:
    """Train the run NAME over several institutions: rows stay, adapters travel, Flower leads.

    \b
    Example:
      finlora federate sentiment_smollm2_135m_fp16_r8 --clients 4 --rounds 3
      finlora federate sentiment_smollm2_135m_fp16_r8 --rounds 3 --partition dirichlet:0.5 --as unlike
      finlora federate sentiment_smollm2_135m_fp16_r8 --rounds 3 --partition files:banks/
      finlora federate sentiment_smollm2_135m_fp16_r8 --rounds 3 --deploy --listen bank-a.example:8000
      finlora federate sentiment_smollm2_135m_fp16_r8 --join bank-a.example:8000 --data ours.jsonl
    """
    from finlora import display, federate, federate_network
    from finlora import federate_display as shown
    from finlora.federated.credentials import FOLDER
    from finlora.federated.partition import parse

    _check_role(deploy, listen, join, given["data"])
    file = load_config(config)
    warn_of_others(file, name)
    folder = given.pop("credentials") or file.root / FOLDER
    member, data = given.pop("member"), given.pop("data")
    if join:
        _join(file, name, join, data, (folder, member), given, as_json)
        return
    wanted = _wanted(given)
    with shown.Rounds(wanted.rounds) as progress:
        if listen:
            result = federate_network.lead(file, name, listen, folder, wanted, display.say, progress.show)
        else:
            how = parse(partition)
            result = federate.simulate(file, name, how, clients, wanted, display.say, progress.show)
    if as_json:
        print_json({"folder": str(result.folder), "rounds": result.records, "manifest": result.manifest})
    else:
        shown.finished(result)


def _wanted(given: dict[str, Any]) -> Any:
    """Return what the command line asks of the server."""
    from finlora.federated import dp
    from finlora.federated.preparation import Wanted
    from finlora.training_plan import Options

    privacy = dp.asked(*(given.pop(name) for name in _PRIVACY))
    own = {name: given.pop(name) for name in ("rounds", "min_clients", "aggregate", "resume", "fresh")}
    return Wanted(privacy=privacy, options=Options(**given), **own)


def _join(
    file: Any,
    name: str,
    server: str,
    data: Path,
    who: tuple[Path, str | None],
    given: dict[str, Any],
    as_json: bool,
) -> None:
    """Take part in a training that another machine leads."""
    from finlora import display, federate_network
    from finlora import federate_display as shown
    from finlora.federated.credentials import of_member
    from finlora.training_plan import Options

    for option in _OF_SERVER:
        given.pop(option, None)
    options = Options(**given)
    joined = federate_network.join(
        file, name, server, data, of_member(*who), options, display.say, shown.task
    )
    if as_json:
        print_json({"folder": str(joined.folder)})
    else:
        click.echo(f"adapter: {joined.folder}")


def _check_role(deploy: bool, listen: str | None, join: str | None, data: Path | None) -> None:
    """Refuse roles that are half named, and options that this machine's role would ignore."""
    from finlora.errors import UsageError

    if deploy and join:
        raise UsageError("--deploy leads a training and --join takes part in one; do both in two terminals")
    if deploy != bool(listen):
        raise UsageError("leading takes --deploy and --listen HOST:PORT, by which members reach this machine")
    if bool(join) != bool(data):
        raise UsageError("taking part takes --join HOST:PORT and --data FILE, the rows of this institution")
    context = click.get_current_context()
    role = "--join" if join else "--deploy" if deploy else "a simulation"
    ignored = (
        _OF_SERVER if join else ("clients", "partition", "member") if deploy else ("member", "credentials")
    )
    for name in ignored:
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} has no meaning with {role}; leave it out")
