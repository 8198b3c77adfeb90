import numpy as np
import pytest
import torch

from ppo import PPO

torch.set_num_threads(1)  # for networks this small, a second thread is mostly waiting

STATE, ACTION = 4, 2
LISTS = ("actions", "states", "logprobs", "rewards", "state_values", "is_terminals")


class Centre:
    """Rewards small actions; the states are random and no episode ever ends by itself."""

    def reset(self):
        return np.random.randn(STATE).astype(np.float32)

    def step(self, action):
        return self.reset(), -float(np.sum(np.square(action))), False


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(42)
    np.random.seed(42)


@pytest.fixture
def agent():
    return PPO(STATE, ACTION)


def state():
    return np.random.randn(STATE).astype(np.float32)


def parameters(policy):
    return [p.detach().clone() for p in policy.parameters()]


def test_initial_values(agent):
    assert (agent.gamma, agent.K_epochs, agent.eps_clip) == (0.99, 4, 0.2)
    assert agent.continuous_action_space
    assert torch.allclose(agent.policy.action_var, torch.full((ACTION,), 0.36))
    assert all(torch.equal(new, old) for new, old in zip(parameters(agent.policy), parameters(agent.policy_old)))
    assert all(getattr(agent.buffer, name) == [] for name in LISTS)


def test_continuous_action(agent):
    action = agent.select_action(state())
    assert isinstance(action, np.ndarray)
    assert action.shape == (ACTION,)
    assert [len(getattr(agent.buffer, name)) for name in LISTS] == [1, 1, 1, 0, 1, 0]


def test_discrete_action():
    agent = PPO(STATE, 2, continuous_action_space=False)
    action = agent.select_action(state())
    assert type(action) is int
    assert action in (0, 1)


def test_update(agent):
    before = parameters(agent.policy)
    for step in range(50):
        agent.select_action(state())
        agent.buffer.rewards.append(float(np.random.randn()))
        agent.buffer.is_terminals.append(step % 10 == 9)
    agent.update()
    assert any(not torch.equal(old, new) for old, new in zip(before, parameters(agent.policy)))
    assert all(getattr(agent.buffer, name) == [] for name in LISTS)


def test_save_and_load(agent, tmp_path):
    agent.save(tmp_path / "ppo_test.pth")
    other = PPO(STATE, ACTION)
    other.load(tmp_path / "ppo_test.pth")
    for policy in (other.policy, other.policy_old):
        assert all(torch.equal(p, q) for p, q in zip(parameters(policy), parameters(agent.policy_old)))


def test_exploration(agent):
    here = state()
    actions = np.array([agent.select_action(here) for _ in range(100)])
    assert (np.abs(actions.mean(axis=0)) < 1).all()
    assert (actions.std(axis=0) > 0.1).all()


def test_learning():
    agent = PPO(STATE, ACTION, lr_actor=0.001, lr_critic=0.002, K_epochs=10)
    env = Centre()

    def episodes(count, learn=False):
        total = 0.0
        for _ in range(count):
            here = env.reset()
            for step in range(20):
                here, reward, done = env.step(agent.select_action(here))
                total += reward
                agent.buffer.rewards.append(reward)
                agent.buffer.is_terminals.append(done or step == 19)
        if learn:
            agent.update()
        agent.buffer.clear()
        return total / count

    initial = episodes(10)
    for _ in range(5):
        episodes(20, learn=True)
    assert episodes(10) > initial - 0.3 * abs(initial)
    assert np.mean([np.abs(agent.select_action(state())) for _ in range(100)]) < 1.0
