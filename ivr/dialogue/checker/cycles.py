"""Strongly connected components, without recursion (Tarjan 1972)."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def components(count: int, onward: Callable[[int], Iterable[int]]) -> list[list[int]]:
    """The strongly connected components of nodes 0..count-1, those without ways out first."""
    order = [-1] * count
    low = [0] * count
    waiting = [False] * count
    stack: list[int] = []
    found: list[list[int]] = []
    clock = 0
    for root in range(count):
        if order[root] >= 0:
            continue
        work = [(root, iter(onward(root)))]
        order[root] = low[root] = clock
        clock += 1
        stack.append(root)
        waiting[root] = True
        while work:
            node, rest = work[-1]
            for after in rest:
                if order[after] < 0:
                    order[after] = low[after] = clock
                    clock += 1
                    stack.append(after)
                    waiting[after] = True
                    work.append((after, iter(onward(after))))
                    break
                if waiting[after]:
                    low[node] = min(low[node], order[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    group = []
                    while True:
                        last = stack.pop()
                        waiting[last] = False
                        group.append(last)
                        if last == node:
                            break
                    found.append(group)
    return found
