"""Collects the data of a rendering's report and writes it."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..models.style import Style
    from ..offline.render.render import Rendering
    from ..offline.report.report import Row


def write(
    path: Path,
    rendering: "Rendering",
    content: "NDArray[np.float64]",
    style: "Style",
    rows: "Sequence[Row]",
    *,
    names: tuple[str, str],
    overwrite: bool,
) -> None:
    """Write the report of a rendering.

    Args:
        content: [channels, samples] at the rendering's rate
        rows: the scores to show
        names: of content and output

    Raises:
        InputError: `path` exists (without overwrite) or cannot be written.
    """
    from ..offline.report.report import Report, ReportSound, write_report

    recipe, settings = rendering.recipe, rendering.recipe.settings()
    report = Report(
        content=ReportSound(names[0], content, rendering.sample_rate),
        style=ReportSound(style.name, style.samples, style.sample_rate),
        output=ReportSound(names[1], rendering.samples, rendering.sample_rate),
        recipe_name=recipe.name,
        recipe_summary=recipe.summary,
        settings=recipe.describe(),
        losses=[(point.stage, point.step, point.loss) for point in rendering.losses],
        rows=rows,
        seconds=rendering.seconds,
        facts={
            "strength": f"{rendering.strength:g}",
            **({"notes": f"{settings['notes']:g}"} if "notes" in settings else {}),
            "seed": str(rendering.seed),
            "device": rendering.device,
            "made with": f"gramophone {version('gramophone')}",
        },
    )
    write_report(path, report, overwrite=overwrite)
