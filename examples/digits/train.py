"""Trains the two-layer ternary network of this example and writes weights.safetensors; numpy alone, a few seconds.

Quantization-aware: the forward pass is the integer arithmetic of the core, the backward pass goes straight through
rounding and ternarization, and Adam moves the float weights behind the ternary ones. `--weights float` keeps the
weights as they are and writes them as real numbers, for cores whose weights have more bits.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np

import dataset
import reference
import weightfile

CLASSES = 10
FOLDS = 4
ZERO_POINT = -128


@dataclass(frozen=True)
class Settings:
    """What was chosen, by cross-validation within the training images (`--folds`)."""

    seed: int = 1
    hidden: int = 250
    epochs: int = 300
    batch: int = 64
    weight_rate: float = 3e-3
    scale_rate: float = 9e-3
    smoothing: float = 0.05
    warped: float = 0.8
    """Share of the images that are warped in each epoch."""
    shift: float = 0.4
    """Standard deviation of the warp's displacement, in pixels."""
    turn: float = 0.1
    """Standard deviation of its rotation and of its shear, in radians."""
    stretch: float = 0.07
    """Standard deviation of the logarithm of its stretch along each axis."""


class Network:
    """Float weights, a logarithm of the scale of each hidden row, and one of the softmax temperature.

    `rounded` makes of the float weights those that the network computes with.
    """

    def __init__(self, settings, rng, rounded):
        self.rounded = rounded
        inputs = dataset.activations(np.zeros((1, 64))).shape[1]
        self.w1 = rng.normal(0, 0.1, (settings.hidden, inputs))
        self.w2 = rng.normal(0, 0.1, (CLASSES, settings.hidden))
        self.log_scale = np.full(settings.hidden, np.log(0.2))
        self.log_temperature = np.full(1, np.log(1 / 600))

    def parameters(self):
        return [self.w1, self.w2, self.log_scale, self.log_temperature]

    def mult(self):
        """Multipliers [M], whole numbers 1..65535 in float64: scale = mult / 2^SHIFT."""
        return np.clip(np.rint(np.exp(self.log_scale) * 2**reference.SHIFT), 1, 65535)

    def forward(self, x):
        """Hidden values before rounding, hidden values h, and logits.

        float64 holds every integer here exactly, |acc · mult| < 2^53, so h and the logits are those of the core.
        """
        scaled = (x @ self.rounded(self.w1).T) * self.mult() / 2**reference.SHIFT
        h = np.clip(np.rint(scaled) + ZERO_POINT, -128, 127)
        return scaled, h, h @ self.rounded(self.w2).T

    def gradients(self, x, target):
        """The loss of a batch and its gradient for each parameter, in their order."""
        scaled, h, logits = self.forward(x)
        scale, temperature = self.mult() / 2**reference.SHIFT, np.exp(self.log_temperature)
        z = logits * temperature
        log_p = z - z.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))

        d_z = (np.exp(log_p) - target) / len(x)
        d_logits = d_z * temperature
        inside = (scaled + ZERO_POINT > -128) & (scaled + ZERO_POINT < 127)
        d_scaled = (d_logits @ self.rounded(self.w2)) * inside
        return -(target * log_p).sum() / len(x), [
            (d_scaled * scale).T @ x,
            d_logits.T @ h,
            (d_scaled * scaled).sum(axis=0),
            (d_z * z).sum(keepdims=True).reshape(1),
        ]

    def tensors(self):
        """The tensors that the core takes."""
        return {
            "w1": ternary(self.w1).astype(np.int8),
            "mult1": self.mult().astype(np.uint16),
            "zp1": np.array([ZERO_POINT], np.int8),
            "w2": ternary(self.w2).astype(np.int8),
        }

    def real_tensors(self):
        """The weights as real numbers; the scales of the hidden rows are in those of layer 1."""
        scale = self.mult() / 2**reference.SHIFT
        return {"w1": (self.w1 * scale[:, None]).astype(np.float16), "w2": self.w2.astype(np.float16)}


class Adam:
    """Adam (Kingma and Ba, 2015), beta 0.9 and 0.99, in place."""

    def __init__(self, parameters, rates):
        self.parameters, self.rates, self.step_count = parameters, rates, 0
        self.mean = [np.zeros_like(p) for p in parameters]
        self.square = [np.zeros_like(p) for p in parameters]

    def step(self, gradients, decay):
        self.step_count += 1
        for p, g, rate, mean, square in zip(self.parameters, gradients, self.rates, self.mean, self.square):
            mean += 0.1 * (g - mean)
            square += 0.01 * (g * g - square)
            unbiased = np.sqrt(square / (1 - 0.99**self.step_count)) + 1e-12
            p -= decay * rate * mean / (1 - 0.9**self.step_count) / unbiased


def ternary(w):
    """Absmean ternarization: clip(round(w / mean |w|), -1, 1)."""
    return np.clip(np.rint(w / np.abs(w).mean()), -1, 1)


def kept(w):
    """The weights themselves."""
    return w


def warp(images, settings, rng):
    """Images [N, 8, 8], each turned, sheared, stretched and displaced a little, sampled bilinearly, zero outside."""
    n = len(images)

    def draw(deviation):
        return rng.normal(0, deviation, (n, 1, 1))

    turn, shear = draw(settings.turn), draw(settings.turn)
    rows, columns = np.mgrid[0:8, 0:8] - 3.5
    column = (np.cos(turn) * columns + (np.sin(turn) + shear) * rows) * np.exp(draw(settings.stretch))
    row = (np.cos(turn) * rows - np.sin(turn) * columns) * np.exp(draw(settings.stretch))
    # Two zero pixels on every side: what is sampled beyond them is zero as well.
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    column = np.clip(column + draw(settings.shift) + 5.5, 0, 10.999)
    row = np.clip(row + draw(settings.shift) + 5.5, 0, 10.999)
    left, top, image = column.astype(int), row.astype(int), np.arange(n)[:, None, None]
    right, bottom = column - left, row - top
    upper = padded[image, top, left] * (1 - right) + padded[image, top, left + 1] * right
    lower = padded[image, top + 1, left] * (1 - right) + padded[image, top + 1, left + 1] * right
    return upper * (1 - bottom) + lower * bottom


def train(pixels, labels, settings, rounded=ternary, progress=None):
    """A network trained on pixels [N, 64] in 0..16 and labels [N]; the same on every run."""
    rng = np.random.default_rng(settings.seed)
    network = Network(settings, rng, rounded)
    rates = [settings.weight_rate] * 2 + [settings.scale_rate] * 2
    adam = Adam(network.parameters(), rates)
    images = pixels.reshape(-1, 8, 8).astype(np.float64)
    targets = np.eye(CLASSES)[labels] * (1 - settings.smoothing) + settings.smoothing / CLASSES
    batches = len(pixels) // settings.batch
    for epoch in range(settings.epochs):
        chosen = rng.random((len(pixels), 1, 1)) < settings.warped
        seen = np.rint(np.where(chosen, warp(images, settings, rng), images)).reshape(-1, 64)
        x = dataset.activations(seen).astype(np.float64)
        order = rng.permutation(len(pixels))[: batches * settings.batch].reshape(batches, -1)
        loss = 0.0
        for step, rows in enumerate(order):
            done = (epoch + step / batches) / settings.epochs
            batch_loss, gradients = network.gradients(x[rows], targets[rows])
            adam.step(gradients, 0.5 * (1 + np.cos(np.pi * done)))
            loss += batch_loss / batches
        if progress and (epoch + 1) % 50 == 0:
            progress(f"epoch {epoch + 1:3}: loss {loss:.4f}")
    return network


def integer_logits(tensors, pixels):
    """The logits in exact integer arithmetic."""
    h = reference.layer1(dataset.activations(pixels), tensors["w1"], tensors["mult1"], tensors["zp1"])
    return reference.layer2(h, tensors["w2"])


def real_logits(tensors, pixels):
    """The logits with real weights; the hidden values are int8 all the same."""
    w1, w2 = (tensors[name].astype(np.float64) for name in ("w1", "w2"))
    h = np.clip(np.rint(dataset.activations(pixels) @ w1.T) + ZERO_POINT, -128, 127)
    return h @ w2.T


def accuracy(tensors, pixels, labels, logits=integer_logits):
    """Share of right answers, by default in exact integer arithmetic."""
    return float((logits(tensors, pixels).argmax(axis=1) == labels).mean())


def cross_validate(pixels, labels, settings):
    """Accuracy on each of four contiguous quarters of the training images by a network that saw the other three."""
    scores = []
    for fold in np.array_split(np.arange(len(pixels)), FOLDS):
        rest = np.setdiff1d(np.arange(len(pixels)), fold)
        tensors = train(pixels[rest], labels[rest], settings).tensors()
        scores.append(accuracy(tensors, pixels[fold], labels[fold]))
        print(f"fold {len(scores)}: {scores[-1]:.4f}")
    print(f"mean:   {np.mean(scores):.4f}")


def main():
    parser = argparse.ArgumentParser(description="Train the digits network and write its weights.")
    parser.add_argument("--out", default=weightfile.FILE, help="file to write (default: %(default)s)")
    parser.add_argument("--folds", action="store_true", help="cross-validate within the training images, write nothing")
    parser.add_argument("--weights", choices=("ternary", "float"), default="ternary", help="default: %(default)s")
    arguments = parser.parse_args()
    settings = Settings()
    pixels, labels = dataset.load()
    train_rows, test_rows = dataset.split()
    if arguments.folds:
        cross_validate(pixels[train_rows], labels[train_rows], settings)
        return 0
    real = arguments.weights == "float"
    rounded, logits = (kept, real_logits) if real else (ternary, integer_logits)
    network = train(pixels[train_rows], labels[train_rows], settings, rounded, print)
    tensors = network.real_tensors() if real else network.tensors()
    _, _, trained_logits = network.forward(dataset.activations(pixels).astype(np.float64))
    if not real and not np.array_equal(trained_logits, integer_logits(tensors, pixels)):
        print("train: the logits of the training arithmetic differ from the integer arithmetic", file=sys.stderr)
        return 1
    scores = {
        "train_accuracy": accuracy(tensors, pixels[train_rows], labels[train_rows], logits),
        "test_accuracy": accuracy(tensors, pixels[test_rows], labels[test_rows], logits),
    }
    metadata = {name: f"{score:.4f}" for name, score in scores.items()}
    metadata |= {
        "seed": str(settings.seed),
        "split": f"first {len(train_rows)} images train, last {len(test_rows)} test",
    }
    if not real:
        metadata |= {"shift1": str(reference.SHIFT), "rounding": "half-even"}
    weightfile.write(arguments.out, tensors, metadata)
    print(f"train {metadata['train_accuracy']}, test {metadata['test_accuracy']}; wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
