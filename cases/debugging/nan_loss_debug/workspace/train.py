import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(42)
np.random.seed(42)

EPOCHS = 20

X = torch.tensor(np.linspace(0, 100, 50), dtype=torch.float32).reshape(-1, 1)
y = 2 * X + 1 + torch.tensor(np.random.normal(0, 0.1, (50, 1)), dtype=torch.float32)


class SimpleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        return self.linear(x)


model = SimpleModel()
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.01)


def train(callback=None):
    """Train for 20 epochs on the full batch and return the loss of each."""
    losses = []
    for epoch in range(EPOCHS):
        optimizer.zero_grad()
        loss = criterion(model(X), y)
        loss.backward()
        optimizer.step()

        losses.append(loss.item())
        if callback is not None:
            callback(epoch, loss.item())
        print(f"Epoch {epoch + 1}, Loss: {loss.item()}")
    return losses


if __name__ == "__main__":
    train()
