"""A cache of what was made, by key: the least recently used goes (``functools`` has none with a key of one's own)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Holds ``most``. Thread-safe; two threads that want the same at once may both make it, and get the same one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What is kept under ``key``, else what ``make`` makes."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = make()  # outside the lock: what is large must not keep the small waiting
        with self._lock:
            made = self._known.setdefault(key, made)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made
