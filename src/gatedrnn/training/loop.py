"""One loop for every model: batches, loss and evaluation come in as arguments."""

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gatedrnn.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from gatedrnn.training.clipping import clip_by_global_norm

# What a loss function carries from one batch to the next, for instance a recurrent state.
Carry = Any
LossFunction = Callable[[nn.Module, Any, Carry], tuple[Tensor, Carry]]
Evaluation = Callable[[nn.Module], float]


class NonFiniteError(RuntimeError):
    """The loss or the gradient norm of a step is infinite or not a number."""


class BatchSource(Protocol):
    """An endless source of batches whose position can be saved and restored."""

    def next_batch(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class GeneratedBatches:
    """A source that draws each batch from a generator of its own: `make(generator) -> batch`."""

    def __init__(self, make: Callable[[torch.Generator], Any], seed: int) -> None:
        self._make = make
        self._generator = torch.Generator().manual_seed(seed)

    def next_batch(self) -> Any:
        """Draw the next batch."""
        return self._make(self._generator)

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the generator's state."""
        self._generator.set_state(state["generator"])


@dataclass(frozen=True)
class TrainingSettings:
    """How long to train, what to clip, and when to evaluate, to stop and to save.

    `patience` counts evaluations without a better value before the run stops; None never stops
    early. `checkpoint_every` counts steps. `clip_norm` None clips nothing.
    """

    steps: int
    clip_norm: float | None = 1.0
    evaluate_every: int = 100
    patience: int | None = None
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive or None, got {self.clip_norm}.")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1 or None, got {self.patience}.")


@dataclass
class History:
    """What a run measured: one loss and one norm a step, one value an evaluation (lower is better).

    `gradient_norms` are the norms before clipping. `best_step` is the step whose weights the model
    has at the end. The seconds are those of the process, added up over interruptions, and take no
    part in comparing two histories.
    """

    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    evaluation_steps: list[int] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    best_step: int = 0
    best_value: float = math.inf
    stopped_early: bool = False
    wall_seconds: float = field(default=0.0, compare=False)
    cpu_seconds: float = field(default=0.0, compare=False)


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: BatchSource,
    loss: LossFunction,
    evaluate: Evaluation,
    settings: TrainingSettings,
    *,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    checkpoint: str | Path | None = None,
    run: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: str | None = "training",
    position: int = 0,
) -> History:
    """Train, evaluate now and then, and leave the model with the weights of the best evaluation.

    `loss(model, batch, carry)` returns the loss and what to carry to the next batch, detached;
    `evaluate(model)` returns a value of which less is better, and is called in evaluation mode with
    gradients off. The model must stand on `device`; a batch with a method `to` is moved there.
    `progress` is the label of the progress bar, None for no bar, and `position` its line.

    With a `checkpoint` path the run saves itself, and called again it goes on from there: model,
    optimiser, schedule, position in the data, carried state, PyTorch's random generators and the
    history are restored, so that the end is the same to the last bit as without the interruption.
    `run` is a dictionary of plain values that says which run this is; a checkpoint of another
    run is refused.

    Raises NonFiniteError when a loss or a gradient norm is not finite, before the weights
    change; CheckpointError when a checkpoint cannot be used.
    """
    state = _RunState(model, optimiser, schedule, batches, str(torch.device(device)))
    identity = {"settings": asdict(settings), "run": run or {}}
    if checkpoint is not None and Path(checkpoint).exists():
        state.restore(load_checkpoint(checkpoint), identity, checkpoint)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with _bar(settings.steps, state.step, progress, position) as bar:
        while state.step < settings.steps and not state.history.stopped_early:
            wall, cpu = time.perf_counter(), time.process_time()
            _train_one_step(state, parameters, loss, settings, device)
            if state.step % settings.evaluate_every == 0 or state.step == settings.steps:
                _evaluate(state, evaluate, settings)
                bar.set_postfix_str(f"best {state.history.best_value:.4g}")
            state.history.wall_seconds += time.perf_counter() - wall
            state.history.cpu_seconds += time.process_time() - cpu
            bar.update()
            if checkpoint is not None and state.step % settings.checkpoint_every == 0:
                save_checkpoint(checkpoint, state.snapshot(identity))
    model.load_state_dict(state.best_weights)
    return state.history


class _RunState:
    """All that must survive an interruption."""

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None,
        batches: BatchSource,
        device: str,
    ) -> None:
        self.parts: dict[str, Any] = {"model": model, "optimiser": optimiser, "batches": batches}
        if schedule is not None:
            self.parts["schedule"] = schedule
        self.device = device
        self.step = 0
        self.carry: Carry = None
        self.history = History()
        self.best_weights: dict[str, Any] = copy.deepcopy(model.state_dict())

    def snapshot(self, identity: dict[str, Any]) -> dict[str, Any]:
        on_cuda = self.device.startswith("cuda")
        return {
            "identity": identity,
            "step": self.step,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "carry": self.carry,
            "history": asdict(self.history),
            "best_weights": self.best_weights,
            "random_cpu": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if on_cuda else None,
        }

    def restore(self, saved: dict[str, Any], identity: dict[str, Any], path: str | Path) -> None:
        if saved["identity"] != identity or set(saved["parts"]) != set(self.parts):
            raise CheckpointError(
                f"{path} belongs to another run: it was saved by {saved['identity']}, this run is "
                f"{identity}; give another path, or delete the file to start again."
            )
        for name, part in self.parts.items():
            part.load_state_dict(saved["parts"][name])
        self.step = saved["step"]
        self.carry = _to_device(saved["carry"], self.device)
        self.history = History(**saved["history"])
        self.best_weights = saved["best_weights"]
        torch.set_rng_state(saved["random_cpu"])
        if saved["random_cuda"] is not None and self.device.startswith("cuda"):
            torch.cuda.set_rng_state(saved["random_cuda"], self.device)


def _train_one_step(
    state: _RunState,
    parameters: list[nn.Parameter],
    loss: LossFunction,
    settings: TrainingSettings,
    device: torch.device | str,
) -> None:
    model, optimiser = state.parts["model"], state.parts["optimiser"]
    model.train()
    batch = _to_device(state.parts["batches"].next_batch(), device)
    value, carry = loss(model, batch, state.carry)
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    norm = clip_by_global_norm(parameters, settings.clip_norm)
    number = float(value.detach())
    if not (math.isfinite(number) and math.isfinite(norm)):
        raise NonFiniteError(
            f"Step {state.step + 1} has loss {number:.4g} and gradient norm {norm:.4g}, and "
            "training stops before it spoils the weights; "
            "try a lower learning rate or a lower clip_norm, and look for infinities in the data."
        )
    optimiser.step()
    if "schedule" in state.parts:
        state.parts["schedule"].step()
    state.carry = carry
    state.history.losses.append(number)
    state.history.gradient_norms.append(norm)
    state.step += 1


def _evaluate(state: _RunState, evaluate: Evaluation, settings: TrainingSettings) -> None:
    model, history = state.parts["model"], state.history
    model.eval()
    with torch.no_grad():
        value = float(evaluate(model))
    history.evaluation_steps.append(state.step)
    history.evaluations.append(value)
    if value < history.best_value:
        history.best_value = value
        history.best_step = state.step
        state.best_weights = copy.deepcopy(model.state_dict())
    waited = sum(step > history.best_step for step in history.evaluation_steps)
    history.stopped_early = settings.patience is not None and waited >= settings.patience


def _to_device(value: Any, device: torch.device | str) -> Any:
    if hasattr(value, "to"):
        return value.to(device)
    if isinstance(value, (tuple, list)):
        return type(value)(_to_device(item, device) for item in value)
    return value


def _bar(steps: int, done: int, label: str | None, position: int) -> tqdm:
    # In a log file a bar that redraws itself ten times a second buries everything else.
    return tqdm(
        total=steps,
        initial=done,
        desc=label,
        position=position,
        leave=False,
        disable=label is None,
        mininterval=0.2 if sys.stderr.isatty() else 20.0,
    )
