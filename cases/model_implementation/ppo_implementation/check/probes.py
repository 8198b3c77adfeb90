"""Run inside the candidate's process: report what the agent computes, does and learns."""

import numpy as np
import torch

torch.set_num_threads(1)  # for networks this small, a second thread is mostly waiting


def report(evaluations, acts, selections, updates):
    return {
        "evaluations": [evaluate(**one) for one in evaluations],
        "acts": [act(**one) for one in acts],
        "selections": [select(**one) for one in selections],
        "updates": [update(**one) for one in updates],
    }


def lessons(asked):
    return [learn(**one) for one in asked]


def evaluate(sizes, values, std, states, actions):
    """The numbers for given actions, with a variance that was changed after construction."""
    from ppo import ActorCritic

    policy = ActorCritic(**sizes)
    load(policy, values)
    policy.set_action_std(std)
    found = policy.evaluate(torch.tensor(states), torch.tensor(actions))
    return [value.flatten().tolist() for value in found]


def act(sizes, values, std, state, times, seed):
    from ppo import ActorCritic

    policy = ActorCritic(**sizes)
    load(policy, values)
    policy.set_action_std(std)
    torch.manual_seed(seed)
    found = [policy.act(torch.tensor(state)) for _ in range(times)]
    return {
        "found": [[value.flatten().tolist() for value in one] for one in found],
        "gradients": any(value.requires_grad for one in found for value in one),
    }


def select(options, values, old_values, states, seed):
    agent = make(options, values, old_values)
    torch.manual_seed(seed)
    actions = [agent.select_action(np.array(state, dtype=np.float32)) for state in states]
    buffer = agent.buffer
    kept = {"states": buffer.states, "actions": buffer.actions, "logprobs": buffer.logprobs, "values": buffer.state_values}
    return {
        "types": sorted({type(action).__name__ for action in actions}),
        "shapes": [list(np.shape(action)) for action in actions],
        "actions": [np.ravel(action).tolist() for action in actions],
        "kept": {name: [entry.flatten().tolist() for entry in entries] for name, entries in kept.items()},
        "gradients": any(entry.requires_grad for entries in kept.values() for entry in entries),
        "others": [len(buffer.rewards), len(buffer.is_terminals)],
    }


def update(options, values, old_values, steps):
    """One update on a buffer of given contents; its entries keep the shapes that the agent gives them."""
    agent = make(options, values, old_values)
    buffer = agent.buffer
    for step in steps:
        agent.select_action(np.array(step["state"], dtype=np.float32))
        for entries, name in ((buffer.actions, "action"), (buffer.logprobs, "logprob"), (buffer.state_values, "value")):
            entries[-1] = torch.tensor(step[name]).to(entries[-1].dtype).reshape(entries[-1].shape)
        buffer.rewards.append(step["reward"])
        buffer.is_terminals.append(step["terminal"])

    taken = []

    def watch(optimizer, args, kwargs):
        gradients = {name: None if p.grad is None else p.grad.tolist() for name, p in agent.policy.named_parameters()}
        taken.append({"values": state(agent.policy), "gradients": gradients})

    agent.optimizer.register_step_pre_hook(watch)
    agent.update()
    return {"taken": taken, "policy": state(agent.policy), "policy_old": state(agent.policy_old), "buffer": left(agent.buffer)}


def learn(options, values, task, rounds, steps, seed):
    """Play a game of single steps and learn from it, round by round; returns the weights."""
    agent = make(options, values, values)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    for _ in range(rounds):
        for _ in range(steps):
            here, reward_of = TASKS[task](random, options["state_dim"])
            action = agent.select_action(here.astype(np.float32))
            agent.buffer.rewards.append(float(reward_of(action)))
            agent.buffer.is_terminals.append(True)
        agent.update()
    return state(agent.policy_old)


def centre(random, size):
    """Small actions are good."""
    return random.standard_normal(size), lambda action: -np.sum(np.square(action))


def bandit(random, size):
    """The good action is the one that the state says."""
    context = int(random.integers(size))
    return np.eye(size)[context], lambda action: action == context


TASKS = {"centre": centre, "bandit": bandit}


def make(options, values, old_values):
    from ppo import PPO

    agent = PPO(**options)
    load(agent.policy, values)
    load(agent.policy_old, old_values)
    return agent


def load(policy, values):
    policy.load_state_dict({name: torch.tensor(value) for name, value in values.items()})


def state(policy):
    return {name: p.tolist() for name, p in policy.named_parameters()}


def left(buffer):
    return [len(entries) for entries in vars(buffer).values()]
