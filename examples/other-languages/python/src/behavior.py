"""Smooths the level of a tank, tells how fast it moves, and calls when it stands above a limit.

The module wit_world is generated from the contract by `geminus plugin build`; what each function is for stands in
wit/next/behavior.wit.
"""

import json
import math
import struct
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types

SCHEMA = 1
# State: the smoothed level and the time of its measurement.
STATE = struct.Struct("<dQ")
# Of the contract's qualities.
GOOD, UNCERTAIN, MISSING = 0, 1, 4


@dataclass
class Twin:
    """One twin: its parameters, and what it remembers."""

    time_constant: float
    limit: float
    # Not a number before the first measurement.
    smooth: float = math.nan
    measured_at: int = 0

    def advance(self, time: int, level: float, quality: int) -> float:
        """One row: a measurement that may be none. Gives the rate, not a number where there is none."""
        if quality > UNCERTAIN:
            return math.nan
        elapsed = float(time - self.measured_at) * 1e-9
        moved = elapsed / (self.time_constant + elapsed) * (level - self.smooth)
        self.measured_at = time
        if not math.isfinite(moved):
            # The first one, or too far for a number.
            self.smooth = level
            return math.nan
        self.smooth += moved
        return moved / elapsed


# By slot.
twins: dict[int, Twin] = {}


def twin_in(slot: int) -> Twin:
    if slot not in twins:
        raise Err(types.Fault_Other(f"slot {slot} is not open"))
    return twins[slot]


class Behavior(exports.Behavior):
    def open(self, openings: list[types.Opening]) -> None:
        made = {}
        for opening in openings:
            parameters = json.loads(opening.parameters)
            made[opening.slot] = Twin(float(parameters["time_constant"]), float(parameters["limit"]))
        twins.update(made)

    def step(self, rows: types.Rows) -> types.Outcome:
        named = [twin_in(slot) for slot in rows.slots]
        values, alerts = [], []
        for row, twin in enumerate(named):
            rate = twin.advance(rows.times[row], rows.values[row], rows.quality[row])
            values += (twin.smooth, rate)
            if twin.smooth > twin.limit:
                alerts.append(types.Alert(row, 0, twin.smooth, "the level stands above its limit"))
        quality = bytes(MISSING if math.isnan(value) else GOOD for value in values)
        return types.Outcome(values, quality, alerts, [])

    def forecast(self, request: types.ForecastRequest) -> types.Prediction:
        raise Err(types.Fault_NotDeclared("it looks at the past only"))

    def snapshot(self, slots: list[int], schema: int | None) -> types.States:
        if schema not in (None, SCHEMA):
            raise Err(types.Fault_State("only schema 1 is known"))
        states = [STATE.pack(twin_in(slot).smooth, twin_in(slot).measured_at) for slot in slots]
        ends = [(index + 1) * STATE.size for index in range(len(slots))]
        return types.States(SCHEMA, slots, b"".join(states), ends)

    def restore(self, states: types.States) -> None:
        if states.schema != SCHEMA:
            raise Err(types.Fault_State("only schema 1 is known"))
        if len(states.bytes) != len(states.slots) * STATE.size:
            raise Err(types.Fault_State("it has another length"))
        named = [twin_in(slot) for slot in states.slots]
        for twin, state in zip(named, STATE.iter_unpack(states.bytes)):
            twin.smooth, twin.measured_at = state

    def close(self, slots: list[int]) -> None:
        for slot in slots:
            twins.pop(slot, None)
