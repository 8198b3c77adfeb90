import torch
from torch import nn
from torch.distributions import Categorical, MultivariateNormal


class RolloutBuffer:
    """What happened since the last update: one entry per step in each list."""

    def __init__(self):
        self.actions = []
        self.states = []
        self.logprobs = []
        self.rewards = []
        self.state_values = []
        self.is_terminals = []

    def clear(self):
        self.actions.clear()
        self.states.clear()
        self.logprobs.clear()
        self.rewards.clear()
        self.state_values.clear()
        self.is_terminals.clear()


class ActorCritic(nn.Module):
    """A policy (actor) and an estimate of the value of states (critic).

    For continuous actions the actor gives the mean of a Gaussian whose variance
    in each dimension is action_var; for discrete ones it gives probabilities.
    """

    def __init__(self, state_dim, action_dim, action_std_init, continuous_action_space=True):
        super().__init__()
        self.continuous_action_space = continuous_action_space
        self.action_dim = action_dim
        self.set_action_std(action_std_init)
        self.actor = nn.Sequential(
            nn.Linear(state_dim, 64),
            nn.Tanh(),
            nn.Linear(64, 64),
            nn.Tanh(),
            nn.Linear(64, action_dim),
            nn.Tanh() if continuous_action_space else nn.Softmax(dim=-1),
        )
        self.critic = nn.Sequential(
            nn.Linear(state_dim, 64),
            nn.Tanh(),
            nn.Linear(64, 64),
            nn.Tanh(),
            nn.Linear(64, 1),
        )

    def set_action_std(self, new_action_std):
        if self.continuous_action_space:
            self.action_var = torch.full((self.action_dim,), float(new_action_std) ** 2)

    def act(self, state):
        """Draw an action for one state; returns action, log-probability and value, without gradients."""
        # TODO
        raise NotImplementedError

    def evaluate(self, state, action):
        """Log-probabilities, values and entropies of actions in a batch of states, with gradients."""
        # TODO
        raise NotImplementedError


class PPO:
    """Proximal policy optimisation: policy is trained on what policy_old has done."""

    def __init__(
        self,
        state_dim,
        action_dim,
        lr_actor=0.0003,
        lr_critic=0.001,
        gamma=0.99,
        K_epochs=4,
        eps_clip=0.2,
        action_std_init=0.6,
        continuous_action_space=True,
    ):
        self.gamma = gamma
        self.K_epochs = K_epochs
        self.eps_clip = eps_clip
        self.continuous_action_space = continuous_action_space
        self.action_std = action_std_init
        self.buffer = RolloutBuffer()
        self.policy = ActorCritic(state_dim, action_dim, action_std_init, continuous_action_space)
        self.policy_old = ActorCritic(state_dim, action_dim, action_std_init, continuous_action_space)
        self.policy_old.load_state_dict(self.policy.state_dict())
        self.optimizer = torch.optim.Adam(
            [
                {"params": self.policy.actor.parameters(), "lr": lr_actor},
                {"params": self.policy.critic.parameters(), "lr": lr_critic},
            ]
        )
        self.MseLoss = nn.MSELoss()

    def set_action_std(self, new_action_std):
        self.action_std = new_action_std
        self.policy.set_action_std(new_action_std)
        self.policy_old.set_action_std(new_action_std)

    def select_action(self, state):
        """Let policy_old act in a state (NumPy) and note the step in the buffer."""
        # TODO
        raise NotImplementedError

    def update(self):
        """Train policy on the buffer for K_epochs, take it over into policy_old, and clear the buffer."""
        # TODO
        raise NotImplementedError

    def save(self, path):
        torch.save(self.policy_old.state_dict(), path)

    def load(self, path):
        state = torch.load(path, weights_only=True)
        self.policy_old.load_state_dict(state)
        self.policy.load_state_dict(state)
