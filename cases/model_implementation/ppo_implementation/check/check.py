"""Is this proximal policy optimisation, to the gradient of every step?

The original only ran the visible tests, which an update that adds noise to the
weights passes. Here every number is compared with one worked out in this
process, from the closed forms of the densities: what evaluate says, what act
draws and select_action notes, and in an update on a made-up buffer, with
terminals and with ratios on both sides of the clipping, the gradient at each
step of the optimiser, the steps themselves, and what they lead to. At last the
agent has to learn two small games, judged by the weights it ends with.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from judge import Judge

DRAWS = 800
SEEDS = 5  # of each game, of which one may fail
STATES = [[0.1 * i, 1.0 - 0.1 * i] for i in range(-10, 20)]  # on which a learnt policy is judged


class Random:
    """Values that nobody knows before the check runs."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(6)))

    def seed(self):
        return int(torch.randint(2**31, (), generator=self.generator))

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator)

    def integers(self, limit, *shape):
        return torch.randint(limit, shape, generator=self.generator)

    def values(self, state_dim, action_dim):
        """Weights of the two networks, without a unit in saturation."""
        values = {}
        for network, outputs in (("actor", action_dim), ("critic", 1)):
            for layer, (inside, outside) in zip((0, 2, 4), ((state_dim, 64), (64, 64), (64, outputs))):
                values[f"{network}.{layer}.weight"] = 0.7 * self.normal(outside, inside) / math.sqrt(inside)
                values[f"{network}.{layer}.bias"] = 0.1 * self.normal(outside)
        return values


# -- the reference -------------------------------------------------------


class Reference:
    """Actor and critic of given weights in double precision."""

    def __init__(self, values, std, continuous):
        self.values = {name: torch.as_tensor(value, dtype=torch.float64).requires_grad_() for name, value in values.items()}
        self.std, self.continuous = std, continuous

    def network(self, name, x):
        for layer in (0, 2):
            x = torch.tanh(functional.linear(x, self.values[f"{name}.{layer}.weight"], self.values[f"{name}.{layer}.bias"]))
        return functional.linear(x, self.values[f"{name}.4.weight"], self.values[f"{name}.4.bias"])

    def means(self, states):
        return torch.tanh(self.network("actor", states.double()))

    def probabilities(self, states):
        return self.network("actor", states.double()).softmax(-1)

    def evaluate(self, states, actions):
        """Log-probabilities, values and entropies."""
        values = self.network("critic", states.double()).squeeze(-1)
        if self.continuous:
            means = self.means(states)
            spread = math.log(2 * math.pi * self.std**2)
            squares = (actions.reshape(means.shape) - means).square() / self.std**2
            logprobs = -0.5 * (squares + spread).sum(-1)
            return logprobs, values, torch.full_like(logprobs, 0.5 * means.shape[-1] * (1 + spread))
        probabilities = self.probabilities(states)
        logprobs = probabilities.gather(-1, actions.long().reshape(-1, 1)).squeeze(-1).log()
        return logprobs, values, -(probabilities * probabilities.log()).sum(-1)

    def gradients(self, options, steps):
        """Of the loss of PPO with respect to every weight."""
        states, actions = (torch.tensor([step[name] for step in steps]) for name in ("state", "action"))
        before, old_values = (torch.tensor([step[name] for step in steps], dtype=torch.float64) for name in ("logprob", "value"))
        returns = normalised_returns(steps, options["gamma"])
        advantages = returns - old_values
        logprobs, values, entropies = self.evaluate(states, actions)
        ratios = (logprobs - before).exp()
        clipped = ratios.clamp(1 - options["eps_clip"], 1 + options["eps_clip"])
        gains = torch.minimum(ratios * advantages, clipped * advantages)
        loss = (-gains + 0.5 * (values - returns).square() - 0.01 * entropies).mean()
        return dict(zip(self.values, torch.autograd.grad(loss, list(self.values.values()))))


def normalised_returns(steps, gamma):
    found, following = [], 0.0
    for step in reversed(steps):
        following = step["reward"] + (0.0 if step["terminal"] else gamma * following)
        found.append(following)
    found = torch.tensor(found[::-1], dtype=torch.float64)
    return (found - found.mean()) / (found.std() + 1e-7)


def close(got, want, tolerance=1e-4):
    """Equal up to a part of the largest value."""
    got, want = (torch.as_tensor(value, dtype=torch.float64) for value in (got, want))
    return got.shape == want.shape and bool((got - want).abs().max() <= tolerance * want.abs().max().clamp(min=1e-6))


# -- evaluate, act and select_action --------------------------------------


def policies(random):
    """A continuous policy, one with a single dimension, and a discrete one."""
    for state_dim, action_dim, continuous in ((4, 3, True), (3, 1, True), (5, 4, False)):
        sizes = {"state_dim": state_dim, "action_dim": action_dim, "continuous_action_space": continuous}
        yield sizes, random.values(state_dim, action_dim)


def brief(sizes):
    return f"{sizes['action_dim']} " + ("dimensions" if sizes["continuous_action_space"] else "choices")


def some_actions(random, sizes, count):
    if sizes["continuous_action_space"]:
        return random.normal(count, sizes["action_dim"])
    return random.integers(sizes["action_dim"], count)


def evaluations(random):
    for sizes, values in policies(random):
        actions = some_actions(random, sizes, 7)
        for shape in (actions.shape, [7]) if sizes["action_dim"] == 1 else (actions.shape,):
            yield {
                "sizes": sizes | {"action_std_init": 0.6}, "values": values, "std": 0.35,
                "states": random.normal(7, sizes["state_dim"]), "actions": actions.reshape(shape),
            }  # fmt: skip


def compare_evaluation(judge, asked, got):
    name = f"evaluate, {brief(asked['sizes'])}, actions {list(asked['actions'].shape)}"
    reference = Reference(asked["values"], asked["std"], asked["sizes"]["continuous_action_space"])
    judge.require(f"{name}: three results", len(got) == 3)
    for what, mine, want in zip(("log-probabilities", "values", "entropies"), got, reference.evaluate(asked["states"], asked["actions"])):
        judge.expect(f"{name}: {what}", close(mine, want.detach()), mine)


def acts(random):
    for sizes, values in policies(random):
        state, seed = random.normal(sizes["state_dim"]), random.seed()
        sizes = sizes | {"action_std_init": 0.6}
        yield {"sizes": sizes, "values": values, "std": 0.35, "state": state, "times": DRAWS, "seed": seed}


def compare_act(judge, asked, got):
    sizes, std = asked["sizes"], asked["std"]
    name = f"act, {brief(sizes)}"
    reference = Reference(asked["values"], std, sizes["continuous_action_space"])
    judge.require(f"{name}: every draw has an answer", len(got["found"]) == DRAWS)
    actions, logprobs, values = (torch.tensor(part, dtype=torch.float64) for part in zip(*got["found"]))
    states = asked["state"].expand(DRAWS, -1)
    width = sizes["action_dim"] if sizes["continuous_action_space"] else 1
    judge.require(f"{name}: shapes", [list(part.shape) for part in (actions, logprobs, values)] == [[DRAWS, width], [DRAWS, 1], [DRAWS, 1]])
    wanted = reference.evaluate(states, actions)
    judge.expect(f"{name}: log-probabilities of what was drawn", close(logprobs.flatten(), wanted[0].detach()))
    judge.expect(f"{name}: values", close(values.flatten(), wanted[1].detach()))
    judge.expect(f"{name}: no gradients", got["gradients"] is False)
    # Six standard deviations of each estimate.
    margin = 6 / math.sqrt(DRAWS)
    if sizes["continuous_action_space"]:
        off = (actions.mean(0) - reference.means(states[:1])[0]).abs().max().item()
        judge.expect(f"{name}: the mean is the actor's", off < margin * std, off)
        off = (actions.std(0) - std).abs().max().item()
        judge.expect(f"{name}: the deviation is set", off < margin * std / math.sqrt(2), off)
        if width > 1:
            related = (actions.T.corrcoef() - torch.eye(width)).abs().max().item()
            judge.expect(f"{name}: dimensions are independent", related < margin, related)
    else:
        shares = torch.bincount(actions.flatten().long(), minlength=sizes["action_dim"]) / DRAWS
        off = (shares - reference.probabilities(states[:1])[0]).abs().max().item()
        judge.expect(f"{name}: choices are as probable as the actor says", off < margin / 2, off)


def selections(random):
    for sizes, values in policies(random):
        yield {
            "options": sizes, "values": values, "old_values": random.values(sizes["state_dim"], sizes["action_dim"]),
            "states": random.normal(6, sizes["state_dim"]), "seed": random.seed(),
        }  # fmt: skip


def compare_selection(judge, asked, got):
    options, count = asked["options"], len(asked["states"])
    name = f"select_action, {brief(options)}"
    continuous = options["continuous_action_space"]
    shape = [options["action_dim"]] if continuous else []
    judge.expect(f"{name}: type", got["types"] == ["ndarray" if continuous else "int"], got["types"])
    judge.expect(f"{name}: shape", got["shapes"] == [shape] * count, got["shapes"])
    kept = got["kept"]
    judge.require(f"{name}: one entry per step", all(len(entries) == count for entries in kept.values()))
    judge.expect(f"{name}: rewards and terminals are the caller's", got["others"] == [0, 0], got["others"])
    judge.expect(f"{name}: no gradients", got["gradients"] is False)
    judge.expect(f"{name}: states are kept", close(kept["states"], asked["states"]))
    judge.expect(f"{name}: actions are kept", close(kept["actions"], got["actions"]))
    reference = Reference(asked["old_values"], 0.6, continuous)
    logprobs, values, _ = reference.evaluate(asked["states"], torch.tensor(got["actions"], dtype=torch.float64))
    judge.expect(f"{name}: log-probabilities of policy_old", close(kept["logprobs"], logprobs.detach()[:, None]), kept["logprobs"])
    judge.expect(f"{name}: values of policy_old", close(kept["values"], values.detach()[:, None]), kept["values"])


# -- update --------------------------------------------------------------


def updates(random):
    settings = ((0.9, 0.2, 3, 0.6), (0.99, 0.1, 2, 0.4), (0.7, 0.3, 4, 0.6))  # gamma, eps_clip, K_epochs, std
    for (sizes, values), (gamma, eps_clip, epochs, std) in zip(policies(random), settings):
        rates = {"lr_actor": 2e-5, "lr_critic": 1e-3}
        options = sizes | rates | {"gamma": gamma, "eps_clip": eps_clip, "K_epochs": epochs, "action_std_init": std}
        old_values = random.values(sizes["state_dim"], sizes["action_dim"])
        yield {"options": options, "values": values, "old_values": old_values, "steps": made_up_steps(random, options, values)}


def made_up_steps(random, options, values, count=40):
    """A buffer whose ratios lie well within the clipping or well beyond it, on either side."""
    reference = Reference(values, options["action_std_init"], options["continuous_action_space"])
    states, actions = random.normal(count, options["state_dim"]), some_actions(random, options, count)
    logprobs = reference.evaluate(states, actions)[0].detach()
    ratios = torch.tensor([-0.7, -0.05, 0.05, 0.7]).repeat(count // 4) + 0.005 * random.normal(count).clamp(-2, 2)
    columns = {
        "state": states.tolist(),
        "action": actions.tolist(),
        "logprob": (logprobs - ratios).tolist(),
        "value": random.normal(count).tolist(),
        "reward": (3 + 2 * random.normal(count)).tolist(),
        "terminal": [step % 11 in (3, 9) for step in range(count)],
    }
    return [dict(zip(columns, step)) for step in zip(*columns.values())]


def compare_update(judge, asked, got):
    options, steps, taken = asked["options"], asked["steps"], got["taken"]
    name = f"update, {brief(options)}"
    judge.require(f"{name}: {options['K_epochs']} steps of the optimiser", len(taken) == options["K_epochs"], len(taken))
    judge.expect(f"{name}: the buffer is empty", got["buffer"] == [0] * 6, got["buffer"])
    judge.expect(f"{name}: policy_old is policy", got["policy_old"] == got["policy"])

    shapes = {key: value.shape for key, value in asked["values"].items()}
    values = {key: value.clone().requires_grad_() for key, value in asked["values"].items()}
    adam = torch.optim.Adam(
        [{"params": [p for key, p in values.items() if key.startswith(part)], "lr": options[f"lr_{part}"]} for part in ("actor", "critic")]
    )
    for number, step in enumerate(taken, 1):
        judge.require(f"{name}: step {number} starts where it should", at(step["values"], values))
        reference = Reference(step["values"], options["action_std_init"], options["continuous_action_space"])
        wanted = reference.gradients(options, steps)
        wrong = [key for key, want in wanted.items() if step["gradients"][key] is None or not close(step["gradients"][key], want, 2e-3)]
        judge.require(f"{name}: gradients of step {number}", not wrong, wrong)
        for key, value in values.items():
            value.grad = torch.tensor(step["gradients"][key]).reshape(shapes[key])
        adam.step()
    judge.expect(f"{name}: the weights are those after the last step", at(got["policy"], values))


def at(got, values):
    return got.keys() == values.keys() and all(close(got[key], value.detach(), 1e-5) for key, value in values.items())


# -- learning ------------------------------------------------------------


def lessons(random):
    """Each game from several starts: large actions of either sign, and no preference among choices."""
    for task, action_dim, rounds in (("centre", 2, 15), ("bandit", 2, 15)):
        options = {"state_dim": 2, "action_dim": action_dim, "continuous_action_space": task == "centre"}
        options |= {"lr_actor": 0.005, "lr_critic": 0.01, "K_epochs": 5}
        for _ in range(SEEDS):
            values = random.values(2, action_dim)
            values["actor.4.weight"] *= 0.2
            values["actor.4.bias"] = torch.tensor([1.0, -1.0]) if task == "centre" else torch.zeros(action_dim)
            yield {"task": task, "options": options, "values": values, "rounds": rounds, "steps": 32, "seed": random.seed()}


def compare_lessons(judge, asked, got):
    judge.require("every lesson has an answer", len(got) == len(asked))
    left, right = [], []
    with torch.no_grad():
        for lesson, values in zip(asked, got):
            before, after = (Reference(values, 0.6, lesson["task"] == "centre") for values in (lesson["values"], values))
            if lesson["task"] == "centre":
                left.append((after.means(torch.tensor(STATES)).abs().mean() / before.means(torch.tensor(STATES)).abs().mean()).item())
            else:
                right.append(after.probabilities(torch.eye(2)).diag().min().item())
    judge.expect("learns small actions: their mean falls by half", sum(value <= 0.5 for value in left) >= SEEDS - 1, left)
    judge.expect("learns a bandit: it prefers the right choice", sum(value >= 0.7 for value in right) >= SEEDS - 1, right)
    judge.metric("action_left", sorted(left)[SEEDS // 2], description="mean action after learning as a part of that before, median")
    judge.metric("bandit_probability", sorted(right)[SEEDS // 2], description="probability of the right choice after learning, median")


def sent(asked):
    """With lists in the place of tensors."""
    if isinstance(asked, torch.Tensor):
        return asked.tolist()
    if isinstance(asked, dict):
        return {name: sent(value) for name, value in asked.items()}
    return asked


with Judge(imports=["torch", "pytest"]) as judge:
    judge.pytest(judge.deliver("ppo.py", "test_ppo.py"), "test_ppo.py", tests=7, timeout=240)
    # To import torch takes long, and most of what fails has failed by now.
    import torch
    from torch.nn import functional

    random = Random()
    questions = {
        "evaluations": list(evaluations(random)),
        "acts": list(acts(random)),
        "selections": list(selections(random)),
        "updates": list(updates(random)),
    }
    room = judge.deliver("ppo.py")
    seen = judge.probe(room, "probes.py", "report", timeout=120, **{name: [sent(one) for one in asked] for name, asked in questions.items()})
    comparisons = {"evaluations": compare_evaluation, "acts": compare_act, "selections": compare_selection, "updates": compare_update}
    for name, compare in comparisons.items():
        for asked, got in zip(questions[name], seen[name], strict=True):
            compare(judge, asked, got)
    judge.halt()
    asked = list(lessons(random))
    compare_lessons(judge, asked, judge.probe(room, "probes.py", "lessons", timeout=240, asked=[sent(one) for one in asked]))
