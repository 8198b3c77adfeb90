"""Runs in the candidate's process: plays with its mcts.py and reports what it sees."""

import random

from mcts import MCTS, Node, State

MOVES = [[0, 1], [1, 0], [0, -1], [-1, 0]]


class Game(State):
    """A game given as a table: what is legal, terminal and earned after each sequence of actions."""

    def __init__(self, table, chance=None, path=()):
        self.table, self.chance, self.path = table, chance, path

    def entry(self):
        return self.table[".".join(map(str, self.path))]

    def get_legal_actions(self):
        return list(self.entry()["legal"])

    def is_terminal(self):
        return self.entry()["terminal"]

    def get_reward(self):
        entry = self.entry()
        if "mean" in entry:
            return float(self.chance.random() < entry["mean"])
        return entry["reward"]

    def clone(self):
        return Game(self.table, self.chance, self.path)

    def apply_action(self, action):
        if self.is_terminal() or action not in self.entry()["legal"]:
            raise ValueError(f"{action} is not possible after {self.path}")
        self.path += (action,)

    def describe(self):
        return list(self.path)


class Board(State):
    """A walk to a target with a limited number of moves."""

    def __init__(self, size, target, position, moves_left):
        self.size, self.target, self.position, self.moves_left = size, target, position, moves_left

    def get_legal_actions(self):
        return [tuple(move) for move in MOVES]

    def is_terminal(self):
        return self.position == self.target or self.moves_left == 0

    def get_reward(self):
        if self.position == self.target:
            return 1.0
        return -sum(abs(a - b) for a, b in zip(self.position, self.target)) / (2 * self.size)

    def clone(self):
        return Board(self.size, self.target, self.position, self.moves_left)

    def apply_action(self, action):
        self.position = [min(max(at + step, 0), self.size - 1) for at, step in zip(self.position, action)]
        self.moves_left -= 1


def uct(cases):
    values = []
    for visits, value, total in cases:
        node = Node(Game(LEAF), Node(Game(LEAF)), 0)
        node.visit_count, node.total_value = visits, value
        values.append(node.get_uct_value(total))
    return values


def select(table, trees):
    """For each tree, given as statistics by path: where selection ends and whether it changed anything."""
    answers = []
    for statistics in trees:
        root = _build(table, statistics)
        before = _listing(root)
        node = MCTS()._select(root)
        answers.append({"path": node.state.describe(), "unchanged": _listing(root) == before})
    return answers


def expand(table, times, seed):
    random.seed(seed)
    root = Node(Game(table))
    steps = []
    for _ in range(times):
        node = MCTS()._expand(root)
        steps.append(
            {
                "itself": node is root,
                "kept": root.children.get(node.action) is node,
                "action": node.action,
                "state": node.state.describe(),
                "linked": node.parent is root,
                "untried": list(root.untried_actions),
                "visits": node.visit_count,
                "root_state": root.state.describe(),
            }
        )
    return {"steps": steps, "children": len(root.children)}


def simulate(table, times, seed):
    random.seed(seed)
    state = Game(table)
    rewards = [MCTS()._simulate(state) for _ in range(times)]
    return {
        "rewards": rewards,
        "floats": all(isinstance(reward, float) for reward in rewards),
        "state": state.describe(),
    }


def backpropagate(table, paths, updates):
    root = _build(table, {path: [0, 0.0] for path in paths})
    nodes = dict(_walk(root))
    for path, reward in updates:
        MCTS()._backpropagate(nodes[path], reward)
    return {path: [node.visit_count, node.total_value] for path, node in nodes.items()}


def search(table, simulations, seed):
    random.seed(seed)
    state = Game(table, random.Random(seed))
    action, root = _search(state, simulations)
    return {"action": action, "state": state.describe(), "tree": root and _listing(root)}


def choices(table, simulations, seeds):
    """The actions chosen, with the visits and mean values of the root's children."""
    found = []
    for seed in seeds:
        random.seed(seed)
        action, root = _search(Game(table, random.Random(seed)), simulations)
        found.append(
            {
                "action": action,
                "means": {a: child.total_value / child.visit_count for a, child in root.children.items()},
            }
        )
    return found


def walks(size, target, starts, simulations, seeds):
    found = []
    for seed in seeds:
        random.seed(seed)
        start = starts[seed % len(starts)]
        found.append(_search(Board(size, target, start, moves_left=2), simulations)[0])
    return found


LEAF = {"": {"legal": [], "terminal": True, "reward": 0.0}}


def _search(state, simulations):
    """The action and the root, which the given last line of the search hands to _select_best_action."""
    mcts = MCTS(n_simulations=simulations)
    seen = []
    choose = mcts._select_best_action

    def watch(root):
        seen.append(root)
        return choose(root)

    mcts._select_best_action = watch
    action = mcts.search(state)
    return action, seen[-1] if seen else None


def _build(table, statistics):
    nodes = {}
    for path in sorted(statistics, key=lambda path: len(path.split(".")) if path else 0):
        steps = tuple(int(step) for step in path.split(".")) if path else ()
        parent = nodes.get(steps[:-1]) if steps else None
        node = Node(Game(table, path=steps), parent, steps[-1] if steps else None)
        node.visit_count, node.total_value = statistics[path]
        if parent is not None:
            parent.children[steps[-1]] = node
            parent.untried_actions.remove(steps[-1])
        nodes[steps] = node
    return nodes[()]


def _walk(root):
    todo = [("", root)]
    while todo:
        path, node = todo.pop()
        yield path, node
        todo += [(f"{path}.{action}".strip("."), child) for action, child in node.children.items()]


def _listing(root):
    return {
        path: {
            "action": node.action,
            "state": node.state.describe(),
            "visits": node.visit_count,
            "value": node.total_value,
            "untried": list(node.untried_actions),
            "linked": all(child.parent is node for child in node.children.values()),
        }
        for path, node in _walk(root)
    }
