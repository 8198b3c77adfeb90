"""Tests of mcts.py on a small grid world. Do not change this file."""

import random

import pytest

from mcts import MCTS, Node, State

MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class SimpleGridWorld(State):
    """Walk on a square board to a target, by default the far corner."""

    def __init__(self, size=5, target_pos=None, current_pos=(0, 0)):
        self.size = size
        self.target_pos = target_pos if target_pos is not None else (size - 1, size - 1)
        self.current_pos = current_pos

    def get_legal_actions(self):
        return list(MOVES)

    def is_terminal(self):
        return self.current_pos == self.target_pos

    def get_reward(self):
        return 1.0 if self.is_terminal() else -self.distance() / (2 * self.size)

    def clone(self):
        return SimpleGridWorld(self.size, self.target_pos, self.current_pos)

    def apply_action(self, action):
        row, column = self.current_pos[0] + action[0], self.current_pos[1] + action[1]
        self.current_pos = (min(max(row, 0), self.size - 1), min(max(column, 0), self.size - 1))

    def distance(self):
        return sum(abs(a - b) for a, b in zip(self.current_pos, self.target_pos))


@pytest.fixture(autouse=True)
def seeded():
    random.seed(0)


def add_child(parent, action):
    state = parent.state.clone()
    state.apply_action(action)
    child = Node(state, parent, action)
    parent.children[action] = child
    parent.untried_actions.remove(action)
    return child


def test_node_initialisation():
    state = SimpleGridWorld()
    node = Node(state)
    assert node.state is state
    assert node.parent is None and node.action is None
    assert node.children == {}
    assert node.visit_count == 0 and node.total_value == 0.0
    assert node.untried_actions == MOVES
    assert not node.is_fully_expanded() and not node.is_terminal()


def test_manual_expansion():
    root = Node(SimpleGridWorld())
    child = add_child(root, (0, 1))
    assert child.parent is root and child.action == (0, 1)
    assert child.state.current_pos == (0, 1)
    assert root.state.current_pos == (0, 0)
    for action in MOVES[1:]:
        add_child(root, action)
    assert root.is_fully_expanded()


def test_uct_value():
    child = add_child(Node(SimpleGridWorld()), (1, 0))
    child.visit_count, child.total_value = 4, 2.0
    value = child.get_uct_value(10)
    assert isinstance(value, float)
    assert value > 0.5


def test_simulation_reward():
    reward = MCTS()._simulate(SimpleGridWorld(size=3))
    assert isinstance(reward, float)
    assert -1.0 <= reward <= 1.0


def test_backpropagation():
    root = Node(SimpleGridWorld())
    child = add_child(root, (0, 1))
    MCTS()._backpropagate(child, 0.75)
    for node in (child, root):
        assert node.visit_count == 1
        assert node.total_value == 0.75


def test_best_action_by_visits():
    root = Node(SimpleGridWorld())
    for visits, action in zip((3, 9, 2, 5), MOVES):
        add_child(root, action).visit_count = visits
    assert MCTS()._select_best_action(root) == MOVES[1]


def test_search():
    state = SimpleGridWorld(size=3)
    before = state.distance()
    action = MCTS(n_simulations=50).search(state)
    assert action in state.get_legal_actions()
    state.apply_action(action)
    assert state.distance() <= before + 1
