"""A critic beside the default recipe, which docs/design.md reports on; there is no such recipe.

    python -m benchmarks.critic                         the judged pairs: 10 to 20 minutes
    python -m benchmarks.critic --on fresh tuning
    python -m benchmarks.critic --pairs voice-bells --weight 0.5 --set notes_weight=1.8 --set texture_weight=0.5
    python -m benchmarks.critic --fresh                 networks drawn anew at every step, which learn nothing

A small network learns, while the sound is optimised, to tell patches of the style from patches of the output. Patches
are of a fifth of a second and an octave, on a logarithmic frequency axis; convolutions slide along both axes. It learns
by least squares (Mao et al. 2017), with spectral norm (Miyato et al. 2018); the mean of its recent weights judges. The
sound is not asked to please it, but to have the style's statistics on its last features, zone by zone: means and
covariances, relative to how far the content is from them. These are sums over frames, as all terms are.

Prints Markdown: each pair without and with the critic, and the means; then the losses of both sides along the steps.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.pairs import ALL_PAIRS, RATE, SETS, Pair, load_pair
from benchmarks.quality import COLUMNS, Judge
from benchmarks.tables import Row, mean, table
from gramophone.dsp.frames import Framing
from gramophone.dsp.stft import compress, expand
from gramophone.media.spool import Spool
from gramophone.models.style import Style
from gramophone.offline.optimize import optimizer
from gramophone.offline.optimize.descent import mean_power
from gramophone.offline.optimize.losses import Block, Sums, Weighted, add
from gramophone.offline.optimize.optimizer_state import SamplesOnDisk
from gramophone.offline.optimize.pattern_loss import log_frequency_basis
from gramophone.offline.optimize.settings import Optimisation
from gramophone.offline.render.render import render

CHANNELS, SIZE = (12, 24, 24), 5
# Along frequency and time, of each layer.
STRIDES = ((2, 1), (2, 2), (2, 2))
# Frames that one output sees, and frames from one output to the next.
SEEN, STRIDE = 17, 4
# The spectral norm of each layer but the last.
GAIN = 1.6
LESSONS, RATE_OF_LEARNING, KEPT = 2, 1e-3, 0.8
# Patches of a lesson: so many excerpts of so many frames of each side.
EXCERPTS, EXCERPT = 4, 128
ZONES = 6


class Network:
    """The weights that learn, with Adam's moments, and the mean of recent ones, which judges."""

    def __init__(self, generator: torch.Generator) -> None:
        inputs = (2, *CHANNELS[:-1])
        self._layers = [
            torch.randn(into, of, SIZE, SIZE, generator=generator) * (2.0 / (of * SIZE * SIZE)) ** 0.5
            for into, of in zip(CHANNELS, inputs, strict=True)
        ]
        biases = [torch.zeros(count) for count in (*CHANNELS, 1)]
        self._vectors = [functional.normalize(torch.randn(c, generator=generator), dim=0) for c in CHANNELS]
        self._learnt = [*self._layers, torch.zeros(1, CHANNELS[-1], 1, 1), *biases]
        for value in self._learnt:
            value.requires_grad_()
        self._moments = [(torch.zeros_like(v), torch.zeros_like(v)) for v in self._learnt]
        self._steps = 0
        self._judge: list[Tensor] = []
        self.follow()

    def _bounded(self) -> list[Tensor]:
        """The weights, each layer but the last with the spectral norm GAIN; a step of the power iteration."""
        bounded = []
        for i, weights in enumerate(self._layers):
            matrix = weights.flatten(1)
            with torch.no_grad():
                other = functional.normalize(matrix.mT @ self._vectors[i], dim=0)
                self._vectors[i] = functional.normalize(matrix @ other, dim=0)
            bounded.append(weights * (GAIN / (self._vectors[i] @ matrix @ other)))
        return [*bounded, *self._learnt[len(CHANNELS) :]]

    @torch.no_grad()
    def follow(self) -> None:
        """Let the judge follow what has been learnt."""
        recent = [value.detach().clone() for value in self._bounded()]
        pairs = zip(recent, self._judge or recent, strict=True)
        self._judge = [new.lerp(old, KEPT) for new, old in pairs]

    def features(self, patches: Tensor) -> Tensor:
        """The judge's last features [n, channels, places, frames] of patches [n, 2, bins, frames]."""
        return _features(patches, self._judge)

    def learn(self, style: Tensor, output: Tensor) -> float:
        """Take a lesson on patches of both; the loss before it: 2 where it cannot tell them apart, 0 where it can."""
        weights = self._bounded()
        answers = [
            functional.conv2d(_features(side, weights), weights[len(CHANNELS)], weights[-1])
            for side in (style, output)
        ]
        loss = (answers[0] - 1.0).square().mean() + (answers[1] + 1.0).square().mean()
        slopes = torch.autograd.grad(loss, self._learnt)
        self._steps += 1
        first, second = 1.0 - 0.5**self._steps, 1.0 - 0.99**self._steps
        with torch.no_grad():
            for value, slope, (middle, square) in zip(self._learnt, slopes, self._moments, strict=True):
                middle.lerp_(slope, 0.5)
                square.mul_(0.99).addcmul_(slope, slope, value=0.01)
                value.sub_(RATE_OF_LEARNING * (middle / first) / ((square / second).sqrt() + 1e-8))
        return float(loss.detach())


def _features(patches: Tensor, weights: Sequence[Tensor]) -> Tensor:
    for i, stride in enumerate(STRIDES):
        bias = weights[len(CHANNELS) + 1 + i]
        patches = functional.leaky_relu(functional.conv2d(patches, weights[i], bias, stride), 0.2)
    return patches


class CriticLoss:
    """Distance of the critic's features from the style's, relative to the content's; see `offline.optimize.losses`.

    Args:
        content: Tensors [bins, frames of each], log-magnitudes, in runs
        style: Tensor [bins, frames of its own], log-magnitudes
        highest: Hz, of the last bin
        fresh: draw the network anew at every step, in place of teaching it
    """

    context = SEEN

    def __init__(self, content: Sequence[Tensor], style: Tensor, *, highest: float, fresh: bool) -> None:
        self._basis = log_frequency_basis(style.shape[0], highest=highest)
        # Where in the range a patch is, roughly; a network this small cannot read notes from it.
        self._place = torch.linspace(-1.0, 1.0, len(self._basis))[:, None]
        self._generator = torch.Generator().manual_seed(99)
        self._network, self._fresh = Network(self._generator), fresh
        self._middle, self._deviation = 0.0, 1.0
        levels = self._levels(expand(style).mT.square())
        self._middle, self._deviation = float(levels.mean()), float(levels.std())
        self._style = (levels - self._middle) / self._deviation
        self._content = [self._levels(expand(run).mT.square()) for run in content]
        # What the last step heard of the output, by the first frame of each block.
        self._heard: dict[int, Tensor] = {}
        self._phase = 0
        self._references: tuple[list[Tensor], list[Tensor]] | None = None
        #: losses of the critic and of the sound, step by step
        self.losses: list[tuple[float, float]] = []
        self._lesson = math.nan

    def _levels(self, power: Tensor) -> Tensor:
        levels = compress((self._basis @ power.mT + 1e-12).sqrt())
        return (levels - self._middle) / self._deviation

    def _patches(self, levels: Tensor) -> Tensor:
        return torch.stack([levels, self._place.expand_as(levels)], dim=1)

    def _excerpts(self, levels: Tensor, count: int) -> Tensor:
        last = levels.shape[-1] - EXCERPT
        if last <= 0:
            return levels[None].expand(count, -1, -1)
        places = torch.randint(last + 1, (count,), generator=self._generator)
        return torch.stack([levels[:, place : place + EXCERPT] for place in places])

    def renew(self, generator: torch.Generator) -> None:
        """Take lessons on what was heard last."""
        self._phase = int(torch.randint(STRIDE, (1,), generator=generator))
        heard = [self._heard[first] for first in sorted(self._heard)] or self._content
        heard = [one for one in heard if one.shape[-1] > SEEN]
        self._heard = {}
        if self._fresh:
            self._network = Network(self._generator)
        with torch.enable_grad():
            for _ in range(0 if self._fresh else LESSONS):
                style = self._patches(self._excerpts(self._style, EXCERPTS))
                if min(one.shape[-1] for one in heard) >= EXCERPT:
                    each = -(-EXCERPTS // len(heard))
                    output = torch.cat([self._excerpts(one, each) for one in heard])
                else:
                    output = torch.cat([one[:, :EXCERPT] for one in heard], dim=-1)[None]
                self._lesson = self._network.learn(style, self._patches(output))
        if not self._fresh:
            self._network.follow()
        with torch.no_grad():
            sums: list[Sums] | None = None
            for run in self._content:
                if run.shape[-1] > SEEN:
                    sums = add(sums, [self._sums(run)])
            assert sums is not None
            self._references = _statistics(self._sums(self._style)), _statistics(sums[0])

    def _sums(self, levels: Tensor) -> Sums:
        """In each zone of the range: products of the features, their sums, and how many places there are."""
        features = self._network.features(self._patches(levels[None]))[0]
        edges = [round(i * features.shape[1] / ZONES) for i in range(ZONES + 1)]
        zones = [features[:, first:last].flatten(1) for first, last in itertools.pairwise(edges)]
        return (
            torch.stack([zone @ zone.mT for zone in zones]),
            torch.stack([zone.sum(dim=1) for zone in zones]),
            levels.new_tensor([float(zone.shape[1]) for zone in zones]),
        )

    def sums(self, block: Block) -> Sums:
        """Of the places whose middle lies in the core; which of them count does not depend on where blocks begin."""
        first = max(block.first, SEEN // 2)
        first += (self._phase - first) % STRIDE
        count = -(-(min(block.last, block.total - SEEN // 2) - first) // STRIDE)
        if count <= 0:
            zero = block.magnitude.new_zeros(ZONES, CHANNELS[-1])
            return zero[:, :, None] * zero[:, None], zero, zero[:, 0]
        last = first + (count - 1) * STRIDE + SEEN // 2 + 1
        levels = self._levels(block.power[block.within(first - SEEN // 2, last)])
        self._heard[block.first] = levels.detach()
        return self._sums(levels)

    def loss(self, sums: Sums) -> Tensor:
        """0 at the style's statistics, 1 at the content's."""
        assert self._references is not None
        parts = [
            (ours - style).norm() / (content - style).norm().clamp_min(1e-6)
            for ours, style, content in zip(_statistics(sums), *self._references, strict=True)
        ]
        value = torch.stack(parts).mean()
        self.losses.append((self._lesson, float(value.detach())))
        return value


def _statistics(sums: Sums) -> list[Tensor]:
    """Means and covariances in each zone."""
    products, total, count = sums
    number = count.clamp_min(1.0)[:, None]
    means = total / number
    return [means, products / number[..., None] - means[:, :, None] * means[:, None]]


def with_critic(
    pair: Pair, changes: Mapping[str, object], *, weight: float, fresh: bool, seed: int
) -> tuple[Row, list[tuple[float, float]]]:
    """What a pair's output is like with this term, and the losses of both sides. No weight is the default recipe."""
    plain, made = optimizer.loss_terms, list[CriticLoss]()

    def terms(
        content: Spool,
        style: Tensor,
        settings: Optimisation,
        framing: Framing,
        folder: Path,
        *,
        block: int = optimizer.BLOCK,
    ) -> list[Weighted]:
        found = plain(content, style, settings, framing, folder, block=block)
        if weight:
            source = SamplesOnDisk(content, device=style.device)
            runs = []
            for first in range(0, framing.frames, block):
                samples = source.read(*framing.span(first, min(first + block, framing.frames)))
                runs.append(compress(mean_power(framing.analyse(samples)).sqrt_().mT))
            made.append(CriticLoss(runs, style, highest=settings.sample_rate / 2, fresh=fresh))
            found.append(Weighted("critic", made[0], weight))
        return found

    style = Style.from_audio(pair.style, RATE, name=pair.name)
    with patch.object(optimizer, "loss_terms", terms):
        rendering = render(pair.content, RATE, style, settings=changes, seed=seed)
    row = Judge(pair).row(rendering.samples, sum(rendering.seconds.values()))
    return row, made[0].losses if made else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", help="names of pairs, of any set (default: all of the sets)")
    parser.add_argument("--on", nargs="+", default=["judged"], choices=list(SETS), help="which sets of pairs")
    parser.add_argument("--weight", type=float, default=0.3, help="of the critic's term")
    parser.add_argument("--fresh", action="store_true", help="networks that learn nothing")
    parser.add_argument("--set", dest="changes", action="append", metavar="KEY=VALUE", help="of the recipe")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    changes = dict(change.split("=", 1) for change in args.changes or ["notes_weight=1.2"])
    sets = {"these": args.pairs} if args.pairs else {name: list(SETS[name]) for name in args.on}
    for group, names in sets.items():
        without, critic = list[Row](), list[Row]()
        for name in names:
            pair = load_pair(name)
            without.append(with_critic(pair, {}, weight=0.0, fresh=False, seed=args.seed)[0])
            row, losses = with_critic(pair, changes, weight=args.weight, fresh=args.fresh, seed=args.seed)
            critic.append(row)
            print(f"\n### {name}: {ALL_PAIRS[name][2]}\n")
            print(table({"the default": without[-1], "with a critic": row}, COLUMNS))
            every = max(1, len(losses) // 10)
            along = ", ".join(f"{a:.2f} / {b:.2f}" for a, b in losses[::every])
            print(f"\nLosses of critic / sound, every {every} steps: {along}", flush=True)
        means = {"the default": mean(without, COLUMNS), "with a critic": mean(critic, COLUMNS)}
        print(f"\n### Mean over {len(names)} pairs: {group}\n\n{table(means, COLUMNS)}", flush=True)


if __name__ == "__main__":
    main()
