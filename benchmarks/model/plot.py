"""Draws what t_total found: plot.py JSON FOLDER. See scripts/plot-t-total."""

import json
import pathlib
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402: after the choice of a back end without a screen

MODEL = ("paced", "nodes", "transfers", "settings", "cores")  # parts that the wall-clock model predicts
TERMS = ("start", "execute", "waiting", "imbalance", "aggregate")


def points_of(report, *names):
    """Of these parts, or all; (part, point)."""
    for part in report["parts"]:
        if not names or part["part"] in names:
            for point in part["points"]:
                yield part["part"], point


def by_part(pairs):
    groups = {}
    for part, point in pairs:
        groups.setdefault(part, []).append(point)
    return groups


def save(figure, report, path, title):
    figure.suptitle(title)
    figure.text(0.99, 0.01, f"{report['machine']}, {report['date'][:10]}", ha="right", fontsize=7, color="gray")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(path)


def speed_up(report, path):
    """Work over wall-clock time, by devices; work is what one device of speed 1 would take."""
    figure, axes = plt.subplots(figsize=(7, 5))
    for part, points in by_part(points_of(report, "paced", "nodes")).items():
        points = [p for p in points if "devices" in p["at"] and "work_s" in p["at"]]
        if not points:
            continue
        devices = [p["at"]["devices"] for p in points]
        axes.scatter(devices, [p["at"]["work_s"] / p["measured_s"] for p in points], label=f"{part}, measured")
        axes.scatter(devices, [p["at"]["work_s"] / p["predicted_s"] for p in points], marker="x",
                     label=f"{part}, predicted")
    limit = [1, max(axes.get_xlim()[1], 1)]
    axes.plot(limit, limit, color="gray", linewidth=0.8, label="as many times as devices")
    axes.set(xscale="log", yscale="log", xlabel="devices, nodes x GPUs (two speeds: in units of the slow one)",
             ylabel="speed-up")
    axes.legend()
    save(figure, report, path, "Speed-up")


def predicted(report, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), gridspec_kw={"width_ratios": [3, 2]})
    groups = by_part(points_of(report, *MODEL))
    for part, points in groups.items():
        left.scatter([p["measured_s"] for p in points], [p["predicted_s"] for p in points], s=14, label=part)
    all_s = [p["measured_s"] for _, p in points_of(report, *MODEL)]
    limit = [min(all_s) / 1.5, max(all_s) * 1.5]
    left.plot(limit, limit, color="gray", linewidth=0.8)
    left.set(xscale="log", yscale="log", xlabel="measured, s", ylabel="predicted, s")
    left.legend()
    right.boxplot([[100 * p["error"] for p in points] for points in groups.values()], labels=list(groups),
                  showfliers=True)
    right.axhline(0, color="gray", linewidth=0.8)
    right.set(ylabel="error, %")
    save(figure, report, path, "Wall-clock time, predicted against measured")


def terms(report, path):
    """Predicted less measured, as a share of the wall-clock time: medians over the points."""
    groups = by_part(points_of(report, *MODEL))
    groups = {part: [p for p in points if "measured" in p] for part, points in groups.items()}
    groups = {part: points for part, points in groups.items() if points}
    figure, all_axes = plt.subplots(1, max(len(groups), 1), figsize=(2.6 * max(len(groups), 1) + 1, 4.5), sharey=True,
                                    squeeze=False)
    for axes, (part, points) in zip(all_axes[0], groups.items()):
        shares = [statistics.median(100 * (p["predicted"][t] - p["measured"][t]) / p["measured_s"] for p in points)
                  for t in TERMS]
        axes.bar(range(len(TERMS)), shares, color="tab:blue")
        axes.axhline(0, color="gray", linewidth=0.8)
        axes.set_xticks(range(len(TERMS)), TERMS, rotation=60)
        axes.set_title(part)
    all_axes[0][0].set_ylabel("predicted - measured, % of wall-clock time, median")
    save(figure, report, path, "Error by term")


def occupied(report, path):
    figure, axes = plt.subplots(figsize=(6, 5))
    limit = [float("inf"), 0]
    for part, points in by_part(points_of(report)).items():
        points = [p for p in points if "occupied_measured_s" in p]
        if not points:
            continue
        x = [p["occupied_measured_s"] for p in points]
        y = [p["occupied_predicted_s"] for p in points]
        limit = [min(limit[0], *x), max(limit[1], *x)]
        axes.scatter(x, y, s=16, label=f"{part}: T_total of formulas 1 and 2")
        axes.scatter(x, [p["measured_s"] for p in points], s=16, marker="x", label=f"{part}: wall-clock time")
    axes.plot(limit, limit, color="gray", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="measured: busy time of all GPUs and links, added up, s", ylabel="s")
    axes.legend()
    save(figure, report, path, "Formulas 1 and 2 count occupied time")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py JSON FOLDER")
    try:
        report = json.loads(pathlib.Path(sys.argv[1]).read_text())
        folder = pathlib.Path(sys.argv[2])
        speed_up(report, folder / "t_total_speed_up.png")
        predicted(report, folder / "t_total_predicted.png")
        terms(report, folder / "t_total_terms.png")
        occupied(report, folder / "t_total_occupied.png")
    except (OSError, ValueError, KeyError) as problem:
        sys.exit(f"plot.py: {sys.argv[1]}: {problem!r}")


if __name__ == "__main__":
    main()
