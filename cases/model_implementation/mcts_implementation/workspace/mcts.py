"""Monte Carlo tree search for a single agent."""

import math
import random
from abc import ABC, abstractmethod

C_PUCT = 1.38  # weight of exploration in the UCT value


class State(ABC):
    """A position of the problem to be searched."""

    @abstractmethod
    def get_legal_actions(self):
        """The list of actions possible here; actions are hashable."""

    @abstractmethod
    def is_terminal(self):
        """Whether the problem ends here."""

    @abstractmethod
    def get_reward(self):
        """The reward for ending here."""

    @abstractmethod
    def clone(self):
        """An independent copy of this state."""

    @abstractmethod
    def apply_action(self, action):
        """Perform an action, changing this state in place."""


class Node:
    """A state in the search tree, with the statistics of the simulations through it."""

    def __init__(self, state, parent=None, action=None):
        self.state = state
        self.parent = parent
        self.action = action  # the action that leads here from the parent
        self.children = {}  # child nodes by action
        self.visit_count = 0
        self.total_value = 0.0
        self.untried_actions = list(state.get_legal_actions())

    def is_fully_expanded(self):
        return not self.untried_actions

    def is_terminal(self):
        return self.state.is_terminal()

    def get_uct_value(self, total_visits):
        """UCT = Q + C_PUCT * sqrt(ln(total_visits) / visit_count).

        Q is the mean value of this node, total_visits the visit count of its
        parent. +inf if this node was never visited.
        """
        # TODO: compute the UCT value.
        raise NotImplementedError


class MCTS:
    def __init__(self, n_simulations=100):
        self.n_simulations = n_simulations

    def search(self, state):
        """The most visited action after n_simulations rounds; None if there is nothing to do.

        The state itself is left as it is.
        """
        root = Node(state.clone())

        # TODO: perform the n_simulations rounds: select, expand, simulate, back-propagate.
        raise NotImplementedError

        return self._select_best_action(root)

    def _select(self, node):
        """The node at which the way down along the greatest UCT values stops.

        It stops at a terminal node, at one with untried actions, and at one
        without children. Nothing is changed.
        """
        # TODO: go down the tree.
        raise NotImplementedError

    def _expand(self, node):
        """Turn one untried action of the node into a child and return the child.

        The node itself if it is terminal or has no untried actions.
        """
        # TODO: add a child.
        raise NotImplementedError

    def _simulate(self, state):
        """The reward at the end of a uniformly random playout from a clone of the state.

        The playout ends at a terminal state or at one without legal actions,
        however many moves that takes.
        """
        # TODO: play to the end.
        raise NotImplementedError

    def _backpropagate(self, node, reward):
        """Add one visit and the reward to the node and to all of its ancestors."""
        # TODO: update the statistics.
        raise NotImplementedError

    def _select_best_action(self, root):
        if not root.children:
            return None
        return max(root.children.values(), key=lambda child: child.visit_count).action
