from __future__ import annotations

from decimal import Decimal, InvalidOperation

from rollbook.errors import BadInputError

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20),
    "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def parse_quantity(text: str) -> Decimal:
    """A Kubernetes quantity (`250m`, `64Mi`, `1e3`) in its base unit. BadInputError when it is none."""
    number = text.rstrip("mkMGTPEiun")
    suffix = text[len(number) :]
    if suffix not in _SUFFIXES or number != number.strip():
        raise BadInputError(f"{text!r} is not a quantity")
    try:
        return Decimal(number) * _SUFFIXES[suffix]
    except InvalidOperation as error:
        raise BadInputError(f"{text!r} is not a quantity") from error
