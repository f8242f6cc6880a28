"""What `tidings dead` does with one dead letter that is given by its name, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidings.cli.output import Output
from tidings.cli.session import WHO, Session, tokens_of
from tidings.wording import counted

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.operations import dead
    from tidings.operations.letter_acts import GivenUp, Redriven
    from tidings.services.service import Service


def show_named(name: str, *, as_json: bool) -> None:
    """Show it with its event, and what waits with it."""
    from tidings.events.cloudevents import shown, write_structured
    from tidings.faces.letters import whole_letter_object
    from tidings.operations import letters

    async def work(opened: Opened) -> dict[str, Any]:
        found = await letters.find(opened.log, opened.store, name)
        entry = letters.entry_of(found)
        event = None if entry is None else write_structured(shown(entry))
        names = await letters.together(opened.store, found, limit=letters.TOGETHER)
        return whole_letter_object(await tokens_of(opened), found, event, names)

    found = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(found)
        return
    event, names = found.pop("event"), found.pop("subject_letters")
    output.fields({name: value for name, value in found.items() if value is not None})
    output.say("" if event is None else f"\n{bytes(event).decode()}")
    for other in names[1:]:
        output.say(f"behind it: {other}")


async def give_back(
    opened: Opened,
    services: Sequence[Service] | None,
    which: dead.Which,
    subject: str | None,
    *,
    every: bool,
    dry_run: bool,
) -> Redriven:
    """Give back all that fit; else the subject of the consumer; without a subject, the letter whose name that is."""
    from tidings.operations import dead
    from tidings.operations.letter_acts import Redriven

    acts, consumer = opened.letters(services), which.consumer
    if every or consumer is None:
        return await acts.redrive_all(which, who=WHO, dry_run=dry_run)
    if subject is None:
        return await acts.redrive(consumer, who=WHO, dry_run=dry_run)
    whose = opened.store, opened.ports.clock, services, consumer, dead.typed(subject)
    found = await (dead.redrivable(*whose) if dry_run else dead.redrive(*whose, who=WHO))
    return Redriven(subjects=1, entries=found.entries, consumers=frozenset({consumer}))


def drop_named(name: str, *, reason: str, as_json: bool) -> None:
    """Give it up for a reason."""
    from tidings.faces.letters import given_up_object

    session = Session()

    async def work(opened: Opened) -> GivenUp:
        return await opened.letters(session.services).drop(name, reason=reason, who=WHO)

    done = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(given_up_object(name, left=done.left, dry_run=False))
    output.say(f"dropped {name}; left of its subject: {counted(done.left, 'entry', 'entries')}")
