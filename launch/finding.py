"""What the doctor has found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What.
        verdict: "good", "note" (works, could be better) or "bad" (does not work).
        found: What was found.
        remedy: What to do about it, or "".
    """

    subject: str
    verdict: str
    found: str
    remedy: str = ""
