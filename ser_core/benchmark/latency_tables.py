"""Format measured latency as tables, also together with the paper's (Section IV.A, Tables V and VI)."""

import pandas as pd

from ser_core import models
from ser_core.benchmark.latency import CALLS, select_rows
from ser_core.claims import paper
from ser_core.results.formatting import text_frame


def latency_table(rows: list[dict]) -> pd.DataFrame:
    """Format measured rows as text, with units in the headings.

    Parameters
    ----------
    rows : list of dict
        Rows by :func:`ser_core.benchmark.latency.measure_latency`; a missing measurement reads "not measured".
    """
    headings = {
        "latency_p50_ms": ("median latency (ms)", "{:.2f}"),
        "latency_p95_ms": ("95th percentile (ms)", "{:.2f}"),
        "throughput": ("utterances/s", "{:.0f}"),
        "rtf": ("RTF", "{:.5f}"),
        "peak_memory_mib": ("peak memory (MiB)", "{:.0f}"),
    }
    lines = []
    for row in rows:
        line = {
            "network": models.get_model(row["model"]).title if row["call"] else "any",
            "stage": row["stage"],
            "call": row["call"] or "\u2013",
            "batch": row["batch"],
            "device": row["device"].upper(),
        }
        for figure, (heading, form) in headings.items():
            line[heading] = "not measured" if row[figure] is None else form.format(row[figure])
        lines.append(line | {"calls timed": row["repeats"]})
    return text_frame(lines, right=("batch", *(heading for heading, _ in headings.values()), "calls timed"))


def latency_claims(document: dict, model_name: str = "cnn_bilstm_attention") -> pd.DataFrame:
    """Compare Section IV.A's latency of one utterance with ours, end to end.

    ``length of audio that its RTF implies`` is the printed latency over the printed RTF; ``its latency over the true
    length`` divides by the mean true length of our recordings instead.

    Parameters
    ----------
    document : dict
        Measurement by :func:`ser_core.benchmark.latency.measure_networks`.
    model_name : str
        The network whose latency is compared.

    Returns
    -------
    pandas.DataFrame
        One column per device.
    """
    clip = document["rows"][0]["clip_seconds"]
    columns = {}
    for claim in paper.SPEED:
        printed = claim["latency_ms"]
        column = {
            "paper: processor": claim["hardware"],
            "paper: latency (ms)": printed,
            "paper: utterances/s": claim["throughput"],
            "1 / its latency (1/s)": f"{1000 / printed:.1f}",
            "paper: RTF": claim["rtf"],
            "length of audio that its RTF implies (s)": f"{implied_seconds(printed, claim['rtf']):.2f}",
            f"its latency over the true length, {clip:.2f} s (RTF)": f"{printed / 1000 / clip:.4f}",
        }
        ours = select_rows(document, model=model_name, device=claim["device"].lower(), batch=1, stage="end to end")
        column["ours: processor"] = ours[0]["hardware"] or "not measured"
        for call in CALLS:
            (row,) = [row for row in ours if row["call"] == call]
            measured = row["status"] == "measured"
            column[f"ours: median latency, {call} (ms)"] = (
                f"{row['latency_p50_ms']:.1f}" if measured else "not measured"
            )
            column[f"ours: RTF, {call}"] = f"{row['rtf']:.4f}" if measured else "not measured"
        columns[claim["device"]] = column
    return pd.DataFrame(columns).rename_axis("one utterance").reset_index()


def implied_seconds(latency_ms: float, rtf: float) -> float:
    """Compute the length of audio in seconds for which a latency gives a real-time factor.

    Examples
    --------
    >>> implied_seconds(12, 0.048)
    0.25
    """
    return latency_ms / 1000 / rtf


def ablation_latency(document: dict) -> pd.DataFrame:
    """Compare the latency of A1 to A5 in Tables V and VI with ours on the CPU at batch 1.

    Parameters
    ----------
    document : dict
        Measurement by :func:`ser_core.benchmark.latency.measure_networks`.

    Returns
    -------
    pandas.DataFrame
        One line per network that was measured.
    """
    names = {**paper.ABLATIONS, "cnn_bilstm_attention": "A5"}
    printed = {number: {row["configuration"]: row for row in paper.table(number)} for number in ("V", "VI")}
    lines = []
    for model_name, configuration in names.items():
        line = {
            "configuration": configuration,
            "Table V (ms)": printed["V"][configuration]["latency_ms"],
            "Table VI (ms)": printed["VI"][configuration]["latency_ms"],
        }
        for stage in ("network", "end to end"):
            for row in select_rows(document, model=model_name, device="cpu", batch=1, stage=stage):
                line[f"ours: {stage}, {row['call']} (ms)"] = round(row["latency_p50_ms"], 2)
        if len(line) > 3:
            lines.append(line)
    return pd.DataFrame(lines)
