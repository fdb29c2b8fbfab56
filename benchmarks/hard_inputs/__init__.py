"""Inputs that went wrong somewhere, in the likeness of reports and of people's files, by kind."""

from hard_inputs import beyond, brought, files, first_steps, labels, numbers, states

KINDS = {
    "labels": labels,
    "numbers": numbers,
    "what people bring": brought,
    "charges and states": states,
    "files": files,
    "beyond the data": beyond,
    "first steps": first_steps,
}

__all__ = ["KINDS"]
