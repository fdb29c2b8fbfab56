"""What a potential says of the fit that it came from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interpmd.errors import LabelError
from interpmd.fitting.channels import apart
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.potentials.base import Term
from interpmd.potentials.baseline import without_baseline
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.potential import Potential


@dataclass(frozen=True, eq=False)
class Origin:
    """What a potential says of the fit that it came from.

    Attributes:
        given: of the card.
        members: expansions, one for each fit whose mean the potential is; copies.
        rest: what was not learned, without a baseline.
    """

    given: Mapping[str, Any]
    members: list[ClusterExpansion]
    rest: dict[str, Term]

    def subset_weights(self, told: Mapping[str, float] | None) -> dict[str, float]:
        """Factors of subsets: of the card, or as told where it is of an earlier version.

        Raises:
            LabelError: the card has others.
        """
        known = self.given.get("subset_weights")
        if known is None or told is None:
            return dict(told or known or {})
        if dict(told) != dict(known):
            raise LabelError(
                f"the potential was fitted with subset_weights={dict(known)}, not {dict(told)}; "
                "leave them out"
            )
        return dict(known)

    def settings(self, subset_weights: Mapping[str, float], memory: float) -> FitSettings:
        """How much each label counted."""
        return FitSettings(
            float(self.given["energy_weight"]), subset_weights=dict(subset_weights),
            memory=memory, seed=int(self.given["seed"]),
            soft_weight=float(self.given.get("soft_weight", 0.0)),
        )  # fmt: skip


def origin_of(potential: Potential) -> Origin:
    """What the card and the terms say, of a fit that can go on.

    Raises:
        LabelError: the potential does not say how it was fitted, the weights of several fits were
            solved together, or each molecule has a constant of its own.
    """
    given = potential.card.provenance
    learned = without_baseline(potential)
    found = [t for t in learned.terms.values() if isinstance(t, ClusterExpansion)]
    if len(found) != 1 or not {"spec", "ridge", "energy_weight", "seed"} <= set(given):
        raise LabelError(
            "the potential does not say how it was fitted, so that its fit cannot go on; fit "
            "it with im.fit"
        )
    count = int(given.get("members", 1))
    if count > 1 and not given.get("apart"):
        raise LabelError(
            f"the potential has the channels of {count} fits that were solved together, whose "
            "normal equations are not those of one: fit to all labels anew, or grow one with "
            "members=1"
        )
    if given.get("mean_weight") is not None:
        raise LabelError(
            "the potential was fitted with mean_weight=, whose constants of molecules labels "
            "that are added would change; fit all frames again with im.fit"
        )
    rest = {n: t for n, t in learned.terms.items() if t is not found[0]}
    members = apart(found[0], count) if count > 1 else [copy.deepcopy(found[0])]
    return Origin(given, members, rest)


def spec_of(stored: Mapping) -> Spec:
    """The spec that a card holds."""
    return Spec(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
