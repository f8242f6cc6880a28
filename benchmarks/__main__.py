"""Measures tidings beside the bare loops that are its limits, and beside a peer. See benchmarks/README.md.

Ends with 1 if something that is promised was missed, in a full run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import uvloop

from benchmarks import (
    append_batches,
    append_callers,
    append_opaque,
    append_postgres,
    consumers_postgres,
    deliver,
    fingerprints,
    fold,
    fold_old,
    fold_postgres,
    ingest,
    ingest_postgres,
    patterns,
    planner,
    planner_postgres,
    printing,
    processed,
    readers_postgres,
    receive,
    reconcile,
    replay,
    tables_postgres,
    visible,
    waiting,
    waiting_clients,
    writers_postgres,
)
from benchmarks.figures import Result
from benchmarks.machine import described
from benchmarks.place import place
from benchmarks.sizes import FULL, QUICK, Sizes
from tidings.api.serve import spare_what_stays

MEASURES: Sequence[ModuleType] = (
    append_batches,
    append_opaque,
    append_callers,
    append_postgres,
    writers_postgres,
    readers_postgres,
    ingest,
    ingest_postgres,
    receive,
    deliver,
    visible,
    waiting_clients,
    fold,
    fold_old,
    fold_postgres,
    consumers_postgres,
    processed,
    planner,
    planner_postgres,
    patterns,
    replay,
    reconcile,
    fingerprints,
    tables_postgres,
    waiting,
)


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    chosen = [measure for measure in MEASURES if not options.only or measure.NAME in options.only]
    with place(options.folder) as folder:
        machine = described(folder)
        _say("\n".join(f"{name}: {value}" for name, value in machine.items()))
        results = [_run(measure, folder, QUICK if options.quick else FULL) for measure in chosen]
    if options.json:
        print(printing.json(machine, results))
    if options.markdown:
        print(printing.markdown(machine, results))
    missed = [check for result in results for check in result.checks if not check.passes]
    _say(f"\n{len(missed)} missed" if missed else "\nall met")
    return 1 if missed and not options.quick else 0


def _run(measure: ModuleType, folder: Path, sizes: Sizes) -> Result:
    """Measure on the event loop and with the collector of cycles as `tidings run` has them, whoever is measured."""
    loop = uvloop.new_event_loop
    spare_what_stays()
    with place(str(folder)) as own, asyncio.Runner(loop_factory=loop) as runner:
        result: Result = runner.run(measure.measure(own, sizes))
    _say("\n" + printing.text(result))
    return result


def _say(text: str) -> None:
    """Tell a person, so that standard output holds nothing but what was asked for."""
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [measure.NAME for measure in MEASURES]
    parser.add_argument("--only", action="append", choices=names, help="this measure; may be given several times")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs; nothing fails")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    parser.add_argument("--folder", help="where the databases are made; it must lie on a disk")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
