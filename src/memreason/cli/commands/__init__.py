"""The commands, in the order of the work. To add one, write a file here with a `COMMAND`, and list it below."""

from memreason.cli.command import Command
from memreason.cli.commands import (
    ask,
    attention,
    benchmark,
    compare,
    evaluate,
    explain,
    export,
    intervene,
    label,
    score,
    serve,
    step_types,
    study,
    tasks,
    train,
    web,
)

COMMANDS: dict[str, Command] = {
    module.COMMAND.name: module.COMMAND
    for module in (
        tasks,
        label,
        step_types,
        train,
        evaluate,
        explain,
        ask,
        intervene,
        attention,
        web,
        export,
        serve,
        score,
        compare,
        study,
        benchmark,
    )
}
"""Name → command, in the order in which the help lists them."""
