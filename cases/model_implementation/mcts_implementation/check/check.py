"""Checks the tree search of mcts.py.

The original only runs the visible tests, which a constant reward, a made-up
UCT value and a search that returns the first action all pass. This check also
tries every method on games of its own: exact UCT values, where selection ends,
what expansion adds, the distribution of playouts, the counts after
back-propagation, the whole tree after a search, and the quality of the choice.
It knows its games from their tables and works out the right answers here.
"""

import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from judge import Judge

C_PUCT = 1.38
SEEDS = list(range(20))
INNER_REWARD = 7.0  # nothing ends there, so it must never be counted


def close(got, want):
    return isinstance(got, (int, float)) and (got == want or math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-9))


def uct(visits, value, total):
    return math.inf if visits == 0 else value / visits + C_PUCT * math.sqrt(math.log(total) / visits)


# -- games ---------------------------------------------------------------


def end(reward, terminal=True, legal=()):
    return {"legal": list(legal), "terminal": terminal, "reward": reward}


def inner(*legal):
    return {"legal": list(legal), "terminal": False, "reward": INNER_REWARD}


def ended(entry):
    return entry["terminal"] or not entry["legal"]


def below(path, action):
    return f"{path}.{action}".strip(".")


def random_game(rng, depth):
    """An irregular game; its ends are terminal, with legal actions left or not, or merely stuck."""
    table = {}

    def grow(path, depth_left):
        if depth_left == 0 or (path and rng.random() < 0.2):
            reward = rng.uniform(-1, 1)
            table[path] = rng.choice([end(reward), end(reward, legal=[0, 1]), end(reward, terminal=False)])
            return
        legal = rng.sample(range(5), rng.randint(2, 3))
        table[path] = inner(*legal)
        for action in legal:
            grow(below(path, action), depth_left - 1)

    grow("", depth)
    return table


def children(table, path):
    return [] if ended(table[path]) else [below(path, action) for action in table[path]["legal"]]


# -- single methods ------------------------------------------------------


def check_uct(judge, room):
    rng = random.Random("uct")
    cases = [[visits := rng.randint(1, 40), rng.uniform(-1, 1) * visits, visits + rng.randint(0, 200)] for _ in range(40)]
    cases += [[1, 0.0, 1], [3, -1.5, 3], [0, 0.0, 1], [0, 0.0, 50]]
    got = judge.probe(room, "probes.py", "uct", cases=cases)
    wrong = [(case, value) for case, value in zip(cases, got, strict=True) if not close(value, uct(*case))]
    judge.expect("UCT values", not wrong, f"(visits, value, total visits), answer: {wrong[:3]}")


def selected(table, statistics):
    """Where selection ends, and by how much the best child led on the way there."""
    path, lead = "", math.inf
    while True:
        options = children(table, path)
        if not options or any(option not in statistics for option in options):
            return path, lead
        total = statistics[path][0]
        ranked = sorted((uct(*statistics[option], total), option) for option in options)
        lead = min(lead, ranked[-1][0] - ranked[-2][0])
        path = ranked[-1][1]


def check_select(judge, room):
    rng = random.Random("select")
    table = {"": inner(2, 0, 1)}
    for first in range(3):
        table[f"{first}"] = inner(0, 1, 2)
        for second in range(3):
            table[f"{first}.{second}"] = inner(1, 0)
            table[f"{first}.{second}.0"] = end(0.5, terminal=False)
            table[f"{first}.{second}.1"] = end(0.25, legal=[0, 1])

    trees = [{"": [1, 0.3]}, {"": [2, 0.3], "0": [1, 0.2]}]
    while len(trees) < 100:
        statistics = {}

        def fill(path):
            options = children(table, path)
            if options and len(path) < 3 or (options and rng.random() < 0.4):
                for option in options:
                    fill(option)
                sums = [sum(statistics[option][i] for option in options) for i in (0, 1)]
                statistics[path] = [sums[0] + (path != ""), sums[1]]
            else:
                visits = rng.randint(1, 60) if rng.random() > 0.02 else 0
                statistics[path] = [visits, visits * rng.uniform(-0.5, 1)]

        fill("")
        if all(statistics[path][0] for path in statistics if children(table, path)) and selected(table, statistics)[1] > 1e-3:
            trees.append(statistics)

    got = judge.probe(room, "probes.py", "select", table=table, trees=trees)
    wanted = [selected(table, statistics)[0] for statistics in trees]
    paths = [".".join(map(str, answer["path"])) for answer in got]
    wrong = sum(path != want for path, want in zip(paths, wanted, strict=True))
    judge.expect("selection follows the greatest UCT value", wrong == 0, f"{wrong} of {len(trees)} are wrong")
    judge.expect("selection changes nothing", all(answer["unchanged"] is True for answer in got))


def check_expand(judge, room):
    legal = [3, 0, 4, 1]
    table = {"": inner(*legal), **{f"{action}": end(0.0) for action in legal}}
    got = judge.probe(room, "probes.py", "expand", table=table, times=5, seed=1)
    steps, tried = got["steps"], set()
    for step in steps[:4]:
        tried.add(step["action"])
        judge.expect(
            f"expansion {len(tried)}",
            not step["itself"]
            and step["kept"]
            and step["linked"]
            and step["state"] == [step["action"]]
            and step["visits"] == 0
            and step["root_state"] == []
            and sorted([*tried, *step["untried"]]) == sorted(legal),
            step,
        )
    judge.expect("nothing is left to expand", len(steps) == 5 and steps[4]["itself"] is True and got["children"] == 4, steps[-1])
    for name, entry in (("terminal", end(1.0, legal=[0, 1])), ("stuck", end(1.0, terminal=False))):
        got = judge.probe(room, "probes.py", "expand", table={"": entry}, times=1, seed=1)
        judge.expect(f"a {name} node is not expanded", got["steps"][0]["itself"] is True and got["children"] == 0, got)


def check_simulate(judge, room):
    table = {"": inner(0, 1, 2, 3), "0": inner(5), "0.5": end(1.0)}
    table |= {f"{action}": end(0.0, legal=[1]) for action in (1, 2, 3)}
    got = judge.probe(room, "probes.py", "simulate", table=table, times=4000, seed=3)
    mean = sum(got["rewards"]) / 4000
    # 0.25 is more than five standard deviations within these bounds.
    judge.expect("playouts are uniformly random", len(got["rewards"]) == 4000 and 0.21 < mean < 0.29, mean)
    judge.expect("playouts give rewards of ends", set(got["rewards"]) == {0.0, 1.0})
    judge.expect("rewards are floats", got["floats"] is True)
    judge.expect("playouts leave the state as it is", got["state"] == [], got["state"])

    corridor = {".".join("0" * length): inner(0) for length in range(300)}
    corridor[".".join("0" * 300)] = end(0.625)
    ends = (
        ("long", corridor, 0.625),
        ("terminal", {"": end(-0.375, legal=[0])}, -0.375),
        ("stuck", {"": end(0.125, terminal=False)}, 0.125),
    )
    for name, table, want in ends:
        got = judge.probe(room, "probes.py", "simulate", table=table, times=2, seed=0)["rewards"]
        judge.expect(f"playout of a {name} game", got == [want, want], got)


def check_backpropagate(judge, room):
    table = {"": inner(0, 1), "1": end(0.0), "0": inner(0, 1), "0.0": inner(2), "0.1": end(0.0), "0.0.2": inner(3), "0.0.2.3": end(0.0)}
    updates = [["0.0.2.3", 0.75], ["0.0.2.3", -0.5], ["0.1", 0.3], ["", 2.0]]
    got = judge.probe(room, "probes.py", "backpropagate", table=table, paths=list(table), updates=updates)
    for path in table:
        rewards = [reward for target, reward in updates if target.startswith(path)]
        visits, value = got[path]
        holds = visits == len(rewards) and close(value, sum(rewards))
        judge.expect(f"back-propagation reaches node {path or 'root'!r}", holds, f"{visits} visits, value {value}")


# -- whole searches ------------------------------------------------------


def check_tree(judge, room):
    rng = random.Random("tree")
    for seed, simulations in enumerate((1, 2, 40, 300, 1500)):
        table = random_game(rng, depth=5)
        got = judge.probe(room, "probes.py", "search", table=table, simulations=simulations, seed=seed)
        tree = got["tree"]
        name = f"search with {simulations} simulations"
        judge.require(f"{name}: its tree", isinstance(tree, dict) and "" in tree, "it never reached _select_best_action")
        judge.expect(f"{name}: the state is left as it is", got["state"] == [], got["state"])
        problem = next((problem for path in tree if (problem := node_problem(table, tree, path))), None)
        judge.expect(f"{name}: the nodes agree", problem is None, problem)
        judge.expect(f"{name}: visits of the root", tree[""]["visits"] == simulations, tree[""]["visits"])
        judge.expect(f"{name}: size of the tree", len(tree) - 1 <= simulations, len(tree))
        visits = {action: tree[f"{action}"]["visits"] for action in table[""]["legal"] if f"{action}" in tree}
        chosen = got["action"]
        judge.expect(f"{name}: most visited action", visits.get(chosen) == max(visits.values(), default=None), chosen)


def node_problem(table, tree, path):
    """What is wrong with a node of the tree, given the rules and its children."""
    node = tree[path]
    steps = [int(step) for step in path.split(".")] if path else []
    if path not in table:
        return f"{path}: not a position of the game"
    if node["state"] != steps or node["action"] != (steps[-1] if steps else None) or node["linked"] is not True:
        return f"{path}: state, action or parent is wrong: {node}"
    options = children(table, path)
    present = [option for option in options if option in tree]
    if sum(other.rpartition(".")[0] == path for other in tree if other) != len(present):
        return f"{path}: has children that it cannot have"
    if ended(table[path]):
        good = node["visits"] >= 1 and close(node["value"], node["visits"] * table[path]["reward"])
        return None if good else f"{path}: an end with {node['visits']} visits and value {node['value']}"
    if sorted(node["untried"]) != sorted(int(option.rpartition(".")[2]) for option in options if option not in tree):
        return f"{path}: untried actions {node['untried']}"
    revisited = any(tree[option]["visits"] > 1 for option in present)
    if revisited and len(present) < len(options):
        return f"{path}: a child was visited again before all were tried"
    own = node["visits"] - sum(tree[option]["visits"] for option in present)
    value = node["value"] - sum(tree[option]["value"] for option in present)
    # Each node's first visit is its own playout; the root may do without one.
    if own != 1 and not (own == 0 and path == ""):
        return f"{path}: {node['visits']} visits do not fit those of its children"
    rewards = [entry["reward"] for other, entry in table.items() if ended(entry) and f"{other}.".startswith(f"{path}." if path else "")]
    if not any(close(value, reward) for reward in (rewards if own else [0.0])):
        return f"{path}: value {node['value']} does not fit those of its children"
    return None


def check_ends(judge, room):
    for name, entry in (("terminal", end(1.0, legal=[0, 1])), ("stuck", end(0.5, terminal=False))):
        got = judge.probe(room, "probes.py", "search", table={"": entry}, simulations=20, seed=0)
        judge.expect(f"search from a {name} state returns None", got["action"] is None and got["state"] == [], got["action"])


def check_choices(judge, room):
    # Random play prefers 1, whose outcomes are better on average; the best outcome is behind 0.
    trap = {"": inner(1, 0), "0": inner(0, 1), "1": inner(0, 1)}
    trap |= {"0.0": end(0.0), "0.1": end(0.9), "1.0": end(0.6), "1.1": end(0.5)}
    arms = ({"legal": [], "terminal": True, "mean": mean} for mean in (0.2, 0.8))
    bandit = {"": inner(0, 1), **{f"{action}": arm for action, arm in enumerate(arms)}}
    games = (("bandit", bandit, 400, 1, 0.8, 0.15), ("trap", trap, 1000, 0, 0.9, 0.06))
    for name, table, simulations, best, mean, tolerance in games:
        got = judge.probe(room, "probes.py", "choices", table=table, simulations=simulations, seeds=SEEDS)
        right = sum(found["action"] == best for found in got)
        judge.expect(f"{name}: best action", len(got) == len(SEEDS) and right >= 19, f"{right} of {len(SEEDS)}")
        worst = max(abs(found["means"].get(f"{best}", math.inf) - mean) for found in got)
        judge.expect(f"{name}: its value converges", worst <= tolerance, f"off by {worst}")

    target = [2, 2]
    best = {(2, 1): [0, 1], (2, 3): [0, -1], (1, 2): [1, 0], (3, 2): [-1, 0]}
    starts = list(best)
    got = judge.probe(room, "probes.py", "walks", size=5, target=target, starts=starts, simulations=200, seeds=SEEDS)
    wanted = [best[starts[seed % len(starts)]] for seed in SEEDS]
    right = sum(action == want for action, want in zip(got, wanted, strict=True))
    judge.expect("beside the target: best action", right >= 19, f"{right} of {len(SEEDS)}")


with Judge() as judge:
    judge.pytest(judge.deliver("mcts.py", "test_mcts.py"), "test_mcts.py", tests=7)
    room = judge.deliver("mcts.py")
    check_uct(judge, room)
    check_select(judge, room)
    check_expand(judge, room)
    check_simulate(judge, room)
    check_backpropagate(judge, room)
    check_tree(judge, room)
    check_ends(judge, room)
    check_choices(judge, room)
