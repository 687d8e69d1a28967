"""How the link of a hardware run did, in words: on the terminal and in the report."""

from __future__ import annotations

from typing import Any


def link_rows(link: dict[str, Any]) -> dict[str, str]:
    """Name and value of each line, from a summary's ``link``."""
    ages = [age_s for age_s in link["network_age_s"].values() if age_s is not None]  # 0 in this process
    rate, longest = link["success_rate"], link["robot_longest_run_of_misses"]
    return {
        "commands in time": "-"
        if rate is None
        else f"{100 * rate:.2f} %, {100 * link['success_rate_min_100']:.0f} % in the worst 100",
        "longest run of misses": f"{longest} tick{'' if longest == 1 else 's'}",
        "round trip": _times(link["round_trip_s"]),
        "period error": _times(link["period_error_s"]),
        "state later than usual": _times(link["state_delay_s"]),
        "age of the network's output": _times(link["network_age_s"]) if any(ages) else "-",
        "states": f"{link['states']:,} taken, {link['states_skipped']} skipped, "
        f"{sum(link['states_refused'].values())} refused",
    }


def stop_words(link: dict[str, Any]) -> list[str]:
    """When the robot stopped, why, and whether it was recovered in the run."""
    return [
        f"stop at tick {stop['tick']}{', recovered' if stop['recovered'] else ''}: {stop['why']}"
        for stop in link["stops"]
    ]


def _times(times_s: dict[str, float | None]) -> str:
    return (
        ", ".join(
            f"{name.replace('_', '.')} {1e3 * s:.3f} ms" for name, s in times_s.items() if s is not None
        )
        or "-"
    )
