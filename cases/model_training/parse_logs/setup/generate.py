"""Write training/training_logs.txt, the log of a made-up training run.

    BENCH_SEED=7 python3 generate.py

The seed decides how the run ends: with one of several errors or successfully,
and with which loss and accuracy. make_log gives the same text again together
with the truth about it, which is how the check knows the answer.

The lines look like the original's. Differences, all of them so that there is
just one right answer: the epoch total is 10000 (the original counts to 9999 of
100), the failure comes after the last epoch in time and names the epoch that
follows it, and loss and accuracy level off between their bounds instead of at
them. Every log has decoys: errors that the run recovered from, one of them
near the end, a final validation accuracy close to the accuracy, and a last
epoch that is not the best one.
"""

import datetime
import json
import math
import os
import random

START = datetime.datetime(2024, 1, 6, 10, 0, 0)
EPOCHS = 10000
CONFIG = {
    "batch_size": 32,
    "learning_rate": 0.001,
    "optimizer": "Adam",
    "epochs": EPOCHS,
    "model_type": "ResNet50",
}


# Each error: warning before it, ERROR line, where it was raised, exception class, message.
def _out_of_memory(rng, epoch):
    return (
        f"GPU memory usage spiked to {rng.randint(90, 99)}%",
        "GPU memory exhausted during the forward pass",
        ("model.py", "forward", "x = self.layer4(x)"),
        "RuntimeError",
        f"CUDA out of memory. Tried to allocate {rng.randint(11, 59) / 10} GB on device with 8GB total capacity",
    )


def _nan_loss(rng, epoch):
    return (
        f"Gradient norm is {rng.randint(2000, 90000)}, clipping it",
        "Numerical problem in the backward pass",
        ("train.py", "training_step", "check_finite(loss)"),
        "ValueError",
        f"Loss is not finite at step {epoch * 1563 - rng.randint(0, 1562)}",
    )


def _disk_full(rng, epoch):
    return (
        f"Only {rng.randint(1, 90)} MB left on the checkpoint volume",
        "Could not write the checkpoint",
        ("checkpoint.py", "save", "torch.save(state, path)"),
        "OSError",
        f"No space left on device: 'checkpoints/tmp_{rng.randint(1000, 9999)}/epoch_{epoch}.pt'",
    )


def _worker_killed(rng, epoch):
    return (
        f"Host memory usage at {rng.randint(93, 99)}%",
        "A data loading process went away",
        ("data.py", "next_batch", "return next(self.iterator)"),
        "RuntimeError",
        f"DataLoader worker (pid {rng.randint(2000, 32000)}) is killed by signal: Killed",
    )


def _network_lost(rng, epoch):
    return (
        f"Slow all-reduce: {rng.randint(20, 300)} s",
        "Lost contact with another rank",
        ("distributed.py", "reduce_gradients", "handle.wait()"),
        "TimeoutError",
        f"All-reduce on rank {rng.randint(0, 7)} timed out after {rng.randint(600, 1800)} seconds",
    )


ERRORS = (_out_of_memory, _nan_loss, _disk_full, _worker_killed, _network_lost)


def make_log(seed):
    """The text of the log and the truth: what the analysis must say."""
    rng = random.Random(f"parse_logs {seed}")
    errors = list(ERRORS)
    rng.shuffle(errors)
    success = rng.random() < 0.25
    fatal = None if success else errors.pop()
    last = EPOCHS if success else rng.randint(9700, 9990)
    recovered = dict(zip(rng.sample(range(500, 9000), 2) + [last - rng.randint(5, 40)], errors))
    curve = _curve(rng, last)

    lines = [
        _line(0, "INFO", "Starting training"),
        _line(0, "INFO", "Dataset: 50000 training images, 10000 validation images, 10 classes"),
        _line(0, "INFO", "Configuration:"),
        *json.dumps(CONFIG, indent=2).splitlines(),
    ]
    other_messages = []
    for epoch, (loss, accuracy, val_loss, val_accuracy) in enumerate(curve, 1):
        if epoch in recovered:
            block, message = _error_block(rng, recovered[epoch], epoch, "Exception")
            lines += block
            lines.append(_line(epoch, "WARNING", f"Recovered: state of epoch {epoch - 1} restored, repeating epoch {epoch}"))
            other_messages.append(message)
        if rng.random() < 0.1:
            lines.append(_line(epoch, "INFO", f"Checkpoint saved successfully: checkpoints/epoch_{epoch - 1}.pt"))
        if rng.random() < 0.05:
            lines.append(_line(epoch, "WARNING", "Learning rate may be too high, loss is fluctuating"))
        lines.append(
            _line(
                epoch,
                "INFO",
                f"Epoch {epoch}/{EPOCHS} - loss: {loss:.3f} - accuracy: {accuracy:.3f}"
                f" - val_loss: {val_loss:.3f} - val_accuracy: {val_accuracy:.3f}",
            )
        )
        if rng.random() < 0.2:
            lines.append("")

    message = ""
    if success:
        lines.append(_line(last + 1, "INFO", f"Training completed: {EPOCHS} of {EPOCHS} epochs"))
    else:
        block, message = _error_block(rng, fatal, last + 1, "Training failed")
        lines += block
        if rng.random() < 0.5:
            lines.append(_line(last + 1, "INFO", "Releasing resources"))

    truth = {
        "status": "success" if success else "failed",
        "loss": round(curve[-1][0], 3),
        "accuracy": round(curve[-1][1], 3),
        "message": message,
        "other_messages": other_messages,
    }
    return "\n".join(lines) + "\n", truth


def _curve(rng, last):
    """Loss, accuracy and their validation values for each epoch."""
    lowest, highest, pace = rng.uniform(0.36, 0.9), rng.uniform(0.72, 0.9), rng.uniform(300, 900)
    curve = []
    for epoch in range(1, last + 1):
        rest = math.exp((1 - epoch) / pace)
        # The last epoch is on the bad side of the plateau, so it is never the best one.
        loss_noise = rng.uniform(0.005, 0.02) if epoch == last else rng.uniform(-0.02, 0.02)
        accuracy_noise = rng.uniform(-0.02, -0.005) if epoch == last else rng.uniform(-0.02, 0.02)
        loss = _clamp(lowest + (3.0 - lowest) * rest + loss_noise, 0.3, 3.0)
        accuracy = _clamp(highest + (0.1 - highest) * rest + accuracy_noise, 0.1, 0.93)
        val_loss = _clamp(loss + rng.uniform(-0.1, 0.2), 0.3, 3.0)
        val_accuracy = _clamp(accuracy + rng.uniform(-0.02, 0.02), 0.1, 0.93)
        curve.append((loss, accuracy, val_loss, val_accuracy))
    loss, accuracy, _, _ = curve[-1]
    curve[-1] = (loss, accuracy, loss + rng.uniform(0.002, 0.01), accuracy + rng.uniform(0.002, 0.004))
    before = curve[-2]
    # Mistaking the last epoch but one for the last must show.
    if abs(before[0] - loss) < 0.002 or abs(before[1] - accuracy) < 0.002:
        curve[-2] = (loss - 0.004, accuracy + 0.005, *before[2:])
    return curve


def _error_block(rng, error, epoch, prefix):
    warning, summary, (file, function, code), name, message = error(rng, epoch)
    lines = [
        _line(epoch, "WARNING", warning),
        _line(epoch, "ERROR", f"{prefix} in epoch {epoch}"),
        _line(epoch, "ERROR", summary),
        "Traceback (most recent call last):",
        f'  File "train.py", line {rng.randint(150, 250)}, in main',
        "    run_epoch(model, loader, optimizer)",
        f'  File "{file}", line {rng.randint(20, 140)}, in {function}',
        f"    {code}",
        f"{name}: {message}",
    ]
    return lines, message


def _line(minute, level, text):
    return f"[{START + datetime.timedelta(minutes=minute)}] {level}: {text}"


def _clamp(value, low, high):
    return min(high, max(low, value))


if __name__ == "__main__":
    os.makedirs("training", exist_ok=True)
    with open("training/training_logs.txt", "w") as log:
        log.write(make_log(int(os.environ.get("BENCH_SEED", "0")))[0])
