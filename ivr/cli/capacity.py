"""`ivr capacity`: how many cores and machines so many callers take, and how long a sentence waits for a core."""

from __future__ import annotations

import argparse

from ivr.cli.options import Subparsers, command
from ivr.deploy.capacity import Costs, Demand, Machines, Plan, planned, quantile, sentences, waits_ms
from ivr.errors import ConfigError

EPILOG = """\
The costs are measured ones (ivr/deploy/README.md says where); put your own in their place. The second table is a
simulation: sentences come at random, a pool of so many cores takes them in order. Few large pools beat many small ones.
"""
POOLS = (1, 2, 4, 8, 12, 24)
ARRIVALS = 200_000


def add(commands: Subparsers) -> None:
    parser = command(commands, "capacity", "cores and machines for so many callers", EPILOG, handle)
    demand, costs, machines = Demand(1), Costs(), Machines()
    for name, default, about in (
        ("callers", 10_000, "at once"),
        ("call-s", demand.call_s, "how long a call lasts"),
        ("sentence-every-s", demand.sentence_every_s, "how often a caller says something"),
        ("listening", demand.listening, "share of a call in which the caller may talk"),
        ("bridged", demand.bridged, "share of callers who talk with an agent"),
        ("call-ms-s", costs.call_ms_s, "CPU of line and media, ms a second of a leg"),
        ("srtp-ms-s", costs.srtp_ms_s, "CPU of SRTP, likewise"),
        ("ear-ms-s", costs.ear_ms_s, "CPU of voice activity, while the caller may talk"),
        ("set-up-ms", costs.set_up_ms, "CPU of a call's set-up"),
        ("sentence-ms", costs.sentence_ms, "CPU of a recognised sentence"),
        ("spread", costs.spread, "its standard deviation by its mean"),
        ("cores", machines.cores, "of a machine"),
        ("load", machines.load, "how full a machine may be"),
        ("spare", machines.spare, "machines that may be away"),
        ("seed", 1, "of the simulation"),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{about}; default: {default}")
    parser.add_argument("--plain", action="store_true", help="RTP without SRTP")
    parser.add_argument("--arrivals", type=int, default=ARRIVALS, help=f"sentences simulated; default: {ARRIVALS}")


def handle(arguments: argparse.Namespace) -> int:
    given = vars(arguments)
    demand = Demand(**{name: given[name] for name in ("callers", "call_s", "sentence_every_s", "listening", "bridged")},
                    srtp=not arguments.plain)  # fmt: skip
    costs = Costs(**{name: given[name] for name in Costs.__dataclass_fields__})
    machines = Machines(arguments.cores, arguments.load, arguments.spare)
    try:
        if arguments.arrivals < 100 or min(demand.call_s, demand.sentence_every_s, costs.sentence_ms) <= 0:
            raise ValueError("times are positive, and at least 100 sentences are simulated")
        plan = planned(demand, costs, machines)
    except ValueError as error:
        raise ConfigError(str(error), remedy="ivr capacity --help") from error
    _tell(demand, machines, plan)
    print(f"\nhow long a sentence waits for a core at {machines.load:.0%}, ms (p50, p95, p99)")
    for cores in POOLS:
        served = sentences(costs, arguments.seed)
        waited = waits_ms(cores, machines.load, served, costs.sentence_ms, arguments.arrivals, arguments.seed)
        print(f"  {cores:3} cores  " + "  ".join(f"{quantile(waited, share):7.0f}" for share in (0.5, 0.95, 0.99)))
    return 0


def _tell(demand: Demand, machines: Machines, plan: Plan) -> None:
    print(f"cores for {demand.callers:,} callers at once")
    for what, cores in (*plan.cores, ("sum", plan.sum)):
        print(f"  {what:42}{cores:8.1f}")
    print(f"  {f'at a load of {machines.load:.0%}':42}{plan.sum / machines.load:8.1f}")
    print(f"machines of {machines.cores} cores: {plan.machines}, and {machines.spare} spare")
    processes = f"{plan.media_processes} media process{'' if plan.media_processes == 1 else 'es'}"
    print(f"each: sip.max_calls = {plan.max_calls}, {4 * plan.max_calls} media ports, {processes}")
    print(f"network: {plan.gbit_s:.2f} Gbit/s and {plan.packets_s:,.0f} packets/s each way")
