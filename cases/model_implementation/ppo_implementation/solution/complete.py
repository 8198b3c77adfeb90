"""Write the four missing methods into ppo.py."""

MISSING = """\
        # TODO
        raise NotImplementedError
"""

ACT = """\
        with torch.no_grad():
            distribution = self.distribution(state)
            action = distribution.sample()
            return action, distribution.log_prob(action), self.critic(state)

    def distribution(self, state):
        if self.continuous_action_space:
            return MultivariateNormal(self.actor(state), torch.diag(self.action_var))
        return Categorical(self.actor(state))
"""

EVALUATE = """\
        if self.continuous_action_space:
            action = action.reshape(-1, self.action_dim)
        distribution = self.distribution(state)
        return distribution.log_prob(action), self.critic(state).squeeze(-1), distribution.entropy()
"""

SELECT_ACTION = """\
        state = torch.as_tensor(state, dtype=torch.float32)
        action, logprob, value = self.policy_old.act(state)
        self.buffer.states.append(state)
        self.buffer.actions.append(action)
        self.buffer.logprobs.append(logprob)
        self.buffer.state_values.append(value)
        return action.numpy() if self.continuous_action_space else int(action)
"""

UPDATE = """\
        returns = self.returns()
        returns = (returns - returns.mean()) / (returns.std() + 1e-7)
        states = torch.stack(self.buffer.states)
        actions = torch.stack(self.buffer.actions)
        logprobs = torch.stack(self.buffer.logprobs)
        advantages = returns - torch.cat(self.buffer.state_values)
        for _ in range(self.K_epochs):
            new_logprobs, values, entropies = self.policy.evaluate(states, actions)
            ratios = torch.exp(new_logprobs - logprobs)
            clipped = ratios.clamp(1 - self.eps_clip, 1 + self.eps_clip)
            gain = torch.min(ratios * advantages, clipped * advantages)
            loss = -gain.mean() + 0.5 * self.MseLoss(values, returns) - 0.01 * entropies.mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.policy_old.load_state_dict(self.policy.state_dict())
        self.buffer.clear()

    def returns(self):
        returns, following = [], 0.0
        for reward, ends in zip(reversed(self.buffer.rewards), reversed(self.buffer.is_terminals)):
            following = reward + (0.0 if ends else self.gamma * following)
            returns.append(following)
        return torch.tensor(returns[::-1], dtype=torch.float32)
"""

with open("ppo.py") as file:
    text = file.read()
for method in (ACT, EVALUATE, SELECT_ACTION, UPDATE):
    text = text.replace(MISSING, method, 1)
with open("ppo.py", "w") as file:
    file.write(text)
