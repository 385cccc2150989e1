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

# Options that say nothing to a machine in another role.
_OF_SIMULATION = ("clients", "partition")
_OF_SERVER = (
    *("rounds", "aggregate", "min_clients", "clients", "partition"),
    *("dp_clip", "dp_noise", "dp_delta", "max_epsilon"),
)
_OF_ROUNDS = ("resume", "fresh")


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
    rounds: int,
    partition: str,
    aggregate: str,
    min_clients: int | None,
    dp_noise: float | None,
    dp_clip: float | None,
    dp_delta: float | None,
    max_epsilon: float | None,
    resume: bool,
    fresh: bool,
    as_json: bool,
    deploy: bool,
    listen: str | None,
    join: str | None,
    data: Path | None,
    member: str | None,
    credentials: Path | None,
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
    from finlora.federated import credentials as held
    from finlora.federated import dp
    from finlora.federated.partition import parse
    from finlora.federated.preparation import Wanted
    from finlora.training_plan import Options

    _check_roles(deploy, listen, join, data)
    file = load_config(config)
    warn_of_others(file, name)
    folder = credentials or file.root / held.FOLDER
    options = Options(**given)
    if join and data:
        _refuse_with("--join", {"the server decides it": _OF_SERVER, "it goes on by itself": _OF_ROUNDS})
        who = held.of_member(folder, member)
        with shown.Tasks() as tasks:
            joined = federate_network.join(file, name, join, data, who, options, display.say, tasks.show)
        _print_joined(joined, as_json)
        return
    wanted = Wanted(
        rounds=rounds,
        min_clients=min_clients,
        aggregate=aggregate,
        privacy=dp.asked(dp_clip, dp_noise, dp_delta, max_epsilon),
        resume=resume,
        fresh=fresh,
        options=options,
    )
    with shown.Rounds(rounds) as progress:
        if deploy and listen:
            _refuse_with("--deploy", {"each institution has its own rows": _OF_SIMULATION})
            result = federate_network.lead(file, name, listen, folder, wanted, display.say, progress.show)
        else:
            result = federate.simulate(
                file, name, parse(partition), clients, wanted, display.say, progress.show
            )
    if as_json:
        print_json({"folder": str(result.folder), "rounds": result.records, "manifest": result.manifest})
    else:
        shown.finished(result)


def _check_roles(deploy: bool, listen: str | None, join: str | None, data: Path | None) -> None:
    from finlora.errors import UsageError

    if deploy and join:
        raise UsageError("--deploy leads a training and --join takes part in one; do both in two terminals")
    if deploy != bool(listen):
        raise UsageError(
            "leading over the network takes --deploy --listen HOST:PORT, as members reach this machine"
        )
    if bool(join) != bool(data):
        raise UsageError("taking part takes --join HOST:PORT and --data FILE, the rows of this institution")


def _refuse_with(role: str, reasons: dict[str, tuple[str, ...]]) -> None:
    """Refuse options that a role would ignore."""
    from finlora.errors import UsageError

    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    for why, names in reasons.items():
        for name in names:
            if context.get_parameter_source(name) == given:
                option = "--" + name.replace("_", "-")
                raise UsageError(f"{option} has no meaning with {role}: {why}; leave it out")


def _print_joined(joined: Any, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(joined.folder)})
    else:
        click.echo(f"adapter: {joined.folder}")
