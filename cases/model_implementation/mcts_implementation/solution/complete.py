"""Puts the missing bodies into mcts.py, each in place of its TODO."""

import re

BODIES = {
    "compute the UCT value": """
        if self.visit_count == 0:
            return math.inf
        mean = self.total_value / self.visit_count
        return mean + C_PUCT * math.sqrt(math.log(total_visits) / self.visit_count)
""",
    "perform the n_simulations rounds": """
        for _ in range(self.n_simulations):
            node = self._expand(self._select(root))
            self._backpropagate(node, self._simulate(node.state))
""",
    "go down the tree": """
        while not node.is_terminal() and node.is_fully_expanded() and node.children:
            visits = node.visit_count
            node = max(node.children.values(), key=lambda child: child.get_uct_value(visits))
        return node
""",
    "add a child": """
        if node.is_terminal() or node.is_fully_expanded():
            return node
        action = node.untried_actions.pop(random.randrange(len(node.untried_actions)))
        state = node.state.clone()
        state.apply_action(action)
        child = Node(state, parent=node, action=action)
        node.children[action] = child
        return child
""",
    "play to the end": """
        state = state.clone()
        while not state.is_terminal() and (actions := state.get_legal_actions()):
            state.apply_action(random.choice(actions))
        return float(state.get_reward())
""",
    "update the statistics": """
        while node is not None:
            node.visit_count += 1
            node.total_value += reward
            node = node.parent
""",
}

with open("mcts.py") as file:
    text = file.read()
for todo, body in BODIES.items():
    mark = re.compile(rf"\n        # TODO: {todo}.*\n        raise NotImplementedError\n")
    text, count = mark.subn(lambda _: body, text)
    assert count == 1, todo
with open("mcts.py", "w") as file:
    file.write(text)
