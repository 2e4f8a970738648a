"""Rows of token ids → one packed row in which what several rows begin with stands once.

The rows are a tree: a node is a run of tokens, its parent is what comes before it. An instruction is the parent of
all mails, a prompt the parent of its chosen and its rejected answer. Every node is computed once and without
padding; `models/tree_attention.py` lets each of its tokens see exactly the tokens that its own row has before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

MIN_SHARED_TOKENS = 8
"""A shorter common run is computed in every row: a node of its own costs more than it saves."""
_MAX_WASTE = 1.25
"""Padded positions per real one in a block of attention from which a second block is cheaper."""


@dataclass
class Node:
    """Tokens `start` … `start + len(ids)` of every row below it."""

    ids: Sequence[int]
    start: int
    """Logical position of the first token, counted from the beginning of the row."""
    parent: int | None
    at: int = 0
    """Column of the first token in the packed row."""


@dataclass
class Block:
    """Nodes whose attention is one call: queries (nodes, longest), keys (nodes, longest path), both packed columns.

    Keys of a node are its whole path, so key j has the logical position j; padding is at the end and never seen.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    positions: torch.Tensor
    """Logical positions of the queries, (nodes, longest), or (1, longest) when they are the same for all nodes."""
    is_causal: bool
    """Paths begin with the queries themselves: plain causal attention needs no mask."""
    masks: dict[Any, torch.Tensor] = field(default_factory=dict)
    """Made by the first layer that needs them, used by all that are alike."""

    def mask(self, window: int | None, dtype: torch.dtype, copies: int = 1) -> torch.Tensor | None:
        """(nodes or 1, 1, copies × queries, keys), 0 = seen, -inf = not; None where causal attention says the same.

        `window` is the number of last tokens that a sliding layer sees, measured on logical positions.
        """
        longest = self.keys.shape[1]
        if window is not None and window >= longest:
            window = None
        if self.is_causal and window is None:
            return None
        if (window, dtype, copies) not in self.masks:
            distance = self.positions.unsqueeze(-1) - torch.arange(longest, device=self.positions.device)
            seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
            hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, -torch.inf)
            self.masks[window, dtype, copies] = hidden.repeat(1, copies, 1).unsqueeze(1)
        return self.masks[window, dtype, copies]

    def to(self, device: Any, **kwargs: Any) -> Block:
        queries, keys, positions = (tensor.to(device, **kwargs) for tensor in (self.queries, self.keys, self.positions))
        return Block(queries, keys, positions, self.is_causal)


@dataclass
class Tree:
    """The packed row: ids and logical positions (tokens,), blocks of attention, and where every row lies in it."""

    ids: torch.Tensor
    positions: torch.Tensor
    blocks: list[Block]
    restore: torch.Tensor
    """(tokens,): index of each packed column among the concatenated, flattened outputs of the blocks."""
    paths: list[list[int]]
    """For every row the packed columns of its tokens, in order."""

    def to(self, device: Any, **kwargs: Any) -> Tree:
        """Called by accelerate for every batch."""
        tensors = [tensor.to(device, **kwargs) for tensor in (self.ids, self.positions, self.restore)]
        blocks = [block.to(device, **kwargs) for block in self.blocks]
        return Tree(tensors[0], tensors[1], blocks, tensors[2], self.paths)


def pack(rows: Sequence[Sequence[int]], shareable: Sequence[int] | None = None) -> Tree:
    """Build the tree of `rows`; at most the first `shareable[i]` tokens of row i are shared (default: all but one)."""
    limits = [len(row) - 1 for row in rows] if shareable is None else list(shareable)
    nodes, leaf_of = _grow([list(row) for row in rows], limits)
    paths: list[list[int]] = []
    column = 0
    for node in nodes:
        node.at = column
        column += len(node.ids)
        before = paths[node.parent] if node.parent is not None else []
        paths.append(before + list(range(node.at, column)))
    blocks, restore = _blocks(nodes, paths, column)
    return Tree(
        ids=torch.tensor([token for node in nodes for token in node.ids]),
        positions=torch.cat([torch.arange(node.start, node.start + len(node.ids)) for node in nodes]),
        blocks=blocks,
        restore=restore,
        paths=[paths[leaf] for leaf in leaf_of],
    )


def _grow(rows: list[list[int]], limits: list[int]) -> tuple[list[Node], list[int]]:
    """Nodes, parents before children, and the index of every row's last node."""
    nodes: list[Node] = []
    leaf_of = [0] * len(rows)
    waiting: list[tuple[list[int], int, int | None]] = [(list(range(len(rows))), 0, None)]
    while waiting:
        members, start, parent = waiting.pop()
        common = start
        if len(members) > 1:
            common = min(_common([rows[i] for i in members]), *(limits[i] for i in members))
            if common - start >= MIN_SHARED_TOKENS:
                nodes.append(Node(rows[members[0]][start:common], start, parent))
                start, parent = common, len(nodes) - 1
        children: dict[int, list[int]] = {}
        for i in members:
            if len(members) == 1 or limits[i] <= common:
                leaf_of[i] = len(nodes)
                nodes.append(Node(rows[i][start:], start, parent))
            else:
                children.setdefault(rows[i][common], []).append(i)
        waiting += [(child, start, parent) for child in children.values()]
    return nodes, leaf_of


def _common(rows: list[list[int]]) -> int:
    """Length of what all rows begin with: that of the first and the last in dictionary order."""
    low, high = min(rows), max(rows)
    for index, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return index
    return min(len(low), len(high))


def _blocks(nodes: list[Node], paths: list[list[int]], num_tokens: int) -> tuple[list[Block], torch.Tensor]:
    # One-token nodes (labels to be scored) apart from long ones (mails), or each would end the other's block.
    order = sorted(range(len(nodes)), key=lambda i: (len(nodes[i].ids).bit_length(), len(paths[i])))
    groups: list[list[int]] = []
    for i in order:
        if groups and _fits([*groups[-1], i], nodes, paths):
            groups[-1].append(i)
        else:
            groups.append([i])
    restore = torch.zeros(num_tokens, dtype=torch.long)
    blocks, offset = [], 0
    for group in groups:
        own = [torch.arange(nodes[i].at, nodes[i].at + len(nodes[i].ids)) for i in group]
        starts = torch.tensor([nodes[i].start for i in group])
        queries = torch.nn.utils.rnn.pad_sequence(own, batch_first=True)
        keys = torch.nn.utils.rnn.pad_sequence([torch.tensor(paths[i]) for i in group], batch_first=True)
        for line, columns in enumerate(own):
            restore[columns] = offset + line * queries.shape[1] + torch.arange(len(columns))
        offset += queries.numel()
        starts = starts.unique() if len(starts.unique()) == 1 else starts
        # Padding must see some key too: a query that sees none is NaN, and its gradient with it.
        positions = (starts.unsqueeze(1) + torch.arange(queries.shape[1])).clamp(max=keys.shape[1] - 1)
        blocks.append(Block(queries, keys, positions, is_causal=not bool(starts.any())))
    return blocks, restore


def _fits(group: list[int], nodes: list[Node], paths: list[list[int]]) -> bool:
    """Padding all nodes to one shape wastes little."""
    own, path = [len(nodes[i].ids) for i in group], [len(paths[i]) for i in group]
    real = sum(a * b for a, b in zip(own, path, strict=True))
    return max(own) * max(path) * len(group) <= _MAX_WASTE * real
