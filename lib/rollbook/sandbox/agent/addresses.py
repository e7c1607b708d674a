from __future__ import annotations

import ipaddress

from rollbook.errors import EnvironmentFailedError

_FIRST_BLOCK = 1
_LAST_BLOCK = 254
_HOSTS = 254
_SIZE = (_LAST_BLOCK - _FIRST_BLOCK + 1) * _HOSTS


class AddressPool:
    """Addresses `127.X.1.1` to `127.X.254.254`, one a pod, kept until it is given back.

    Addresses are handed out in turn, so that one just freed is the last to come again: clients that still
    hold the old pod's address do not meet another pod there.
    """

    def __init__(self, subnet: str) -> None:
        self._network = ipaddress.IPv4Network(f"{subnet}.0.0/16")
        self._by_owner: dict[str, int] = {}
        self._taken: set[int] = set()
        self._next = 0

    def claim(self, owner: str, address: str) -> None:
        """Note that `owner` has this address already. EnvironmentFailedError if another has it."""
        index = self._index(address)
        if index in self._taken and self._by_owner.get(owner) != index:
            raise EnvironmentFailedError(f"the pod address {address} is in use twice")
        self._by_owner[owner] = index
        self._taken.add(index)
        self._next = max(self._next, (index + 1) % _SIZE)

    def allocate(self, owner: str) -> str:
        """The owner's address; a new one if it has none. EnvironmentFailedError when none is left."""
        if owner in self._by_owner:
            return self._address(self._by_owner[owner])
        if len(self._taken) >= _SIZE:
            raise EnvironmentFailedError("no pod address is left", why=f"{_SIZE} are in use")
        while self._next in self._taken:
            self._next = (self._next + 1) % _SIZE
        index = self._next
        self._next = (index + 1) % _SIZE
        self._by_owner[owner] = index
        self._taken.add(index)
        return self._address(index)

    def release(self, owner: str) -> None:
        """Give the owner's address back; nothing happens if it has none."""
        index = self._by_owner.pop(owner, None)
        if index is not None:
            self._taken.discard(index)

    def in_use(self) -> int:
        """How many addresses are taken."""
        return len(self._taken)

    def _address(self, index: int) -> str:
        block, host = divmod(index, _HOSTS)
        return str(self._network.network_address + ((block + _FIRST_BLOCK) << 8) + host + 1)

    def _index(self, address: str) -> int:
        ip = ipaddress.IPv4Address(address)
        offset = int(ip) - int(self._network.network_address)
        block, host = offset >> 8, offset & 0xFF
        if ip not in self._network or not (_FIRST_BLOCK <= block <= _LAST_BLOCK and 1 <= host <= _HOSTS):
            raise EnvironmentFailedError(f"{address} is not a pod address of {self._network}")
        return (block - _FIRST_BLOCK) * _HOSTS + host - 1
