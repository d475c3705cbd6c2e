"""What a caller may choose about an experiment, and the error that ends one."""

from dataclasses import dataclass
from pathlib import Path


class ExperimentError(RuntimeError):
    """An experiment cannot start or go on; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Options:
    """Choices that change how an experiment runs, not what it compares.

    `seeds` is how many seeds, `threads` how many threads of PyTorch in one process, `jobs` how many
    runs at the same time, `quick` a run of seconds that shows only that everything works. Finished
    runs and checkpoints are kept in `work`.
    """

    work: Path
    seeds: int = 5
    threads: int = 1
    jobs: int = 1
    quick: bool = False
    progress: bool = True

    def require_seeds(self, least: int) -> None:
        """Raise ExperimentError unless there are at least so many seeds."""
        if self.seeds < least:
            raise ExperimentError(
                f"This experiment gives an interval over seeds and needs at least {least} of them, "
                f"got {self.seeds}; give --seeds {least} or more."
            )
