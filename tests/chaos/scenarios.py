"""Which faults come together."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.faults import Breaker, Moment


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that happen at random moments, and those that last as long as the load.

    `never`: types of recorded errors that these faults must not lead to.
    """

    moments: tuple[Moment, ...] = ()
    lasting: tuple[Moment, ...] = ()
    never: tuple[str, ...] = ()


_EVERYTHING = Scenario(
    moments=(
        *[Breaker.kill_function] * 5,
        *[Breaker.kill_at_point] * 3,
        Breaker.restart_postgres,
        Breaker.keep_postgres_down,
        Breaker.sever_sockets,
        Breaker.stop_qstash,
        Breaker.exhaust_connections,
        Breaker.kill_producer,
        Breaker.duplicate,
        Breaker.throttle,
        *[Breaker.unthrottle] * 2,
        Breaker.skew_clocks,
        Breaker.drop_callbacks,
    )
)
SCENARIOS = {
    "none": Scenario(),
    "kills": Scenario(moments=(Breaker.kill_function,)),
    "points": Scenario(moments=(Breaker.kill_at_point,)),
    "postgres": Scenario(moments=(Breaker.restart_postgres,)),
    "sockets": Scenario(moments=(Breaker.sever_sockets,)),
    "qstash": Scenario(moments=(Breaker.stop_qstash,)),
    "duplicates": Scenario(
        moments=(Breaker.duplicate,), lasting=(Breaker.duplicate,), never=("AttemptLost",)
    ),
    "producers": Scenario(moments=(Breaker.kill_producer,)),
    "callbacks": Scenario(
        moments=(Breaker.keep_postgres_down, Breaker.kill_function), lasting=(Breaker.drop_callbacks,)
    ),
    "clocks": Scenario(
        moments=(Breaker.skew_clocks,),
        lasting=(Breaker.skew_clocks,),
        never=("AttemptLost", "DeliveryFailed"),
    ),
    "throttling": Scenario(moments=(Breaker.exhaust_connections,), lasting=(Breaker.throttle,)),
    "fencing": Scenario(moments=(Breaker.end_leases_early,), lasting=(Breaker.duplicate,)),
    "all": _EVERYTHING,
}
