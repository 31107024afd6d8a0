"""Realistic inputs of the reports: the shapes and sizes of a real run, with invented numbers."""

import numpy as np

MODELS = {"copy": 0.21, "sft": 0.652, "rlvr": 0.671}
SUBSETS = {"": 0.0, "_changed": -0.06, "_unchanged": 0.2, "_predictable": 0.14, "_hidden": -0.27}


def estimate(mean, width=0.02):
    return {"mean": mean, "ci95": [mean - width, mean + width]}


def evaluation(gain=0.019, gain_width=0.013):
    splits = {}
    for split, drop in (("test_iid", 0.0), ("test_unseen", 0.31)):
        models = {}
        for model, level in MODELS.items():
            scores = {}
            for suffix, shift in SUBSETS.items():
                base = max(0.02, level + shift - (drop if model != "copy" else 0.0))
                scores[f"f1{suffix}"] = estimate(base)
                scores[f"precision{suffix}"] = estimate(base + 0.03)
                scores[f"recall{suffix}"] = estimate(base - 0.01)
                scores[f"exact{suffix}"] = estimate(base * 0.66)
            if model != "copy":
                scores["sampled_f1"] = estimate(level - drop - 0.05)
                scores["best_of_n_f1"] = estimate(level - drop + 0.06)
            models[model] = scores
        change = estimate(gain if split == "test_iid" else -0.004, gain_width)
        splits[split] = {
            "n": 1412 if split == "test_iid" else 873,
            "models": models,
            "gain": {"rlvr_minus_sft": change, "rlvr_minus_copy": estimate(0.46 - drop, 0.025)},
            "groups": groups(drop),
            "confusion": {
                "copy": confusion((0, 1180, 0), (0, 232, 0)),
                "sft": confusion((1150, 22, 8), (18, 212, 2)),
                "rlvr": confusion((1143, 36, 1), (9, 223, 0)),
            },
        }
    return {
        "domain": "web",
        "primary_metric": "f1",
        "higher_is_better": True,
        "group_name": "site",
        "uncertain_subset": "hidden",
        "seed": 0,
        "splits": splits,
        "wall_s": {"ingest": 3.2, "sft": 301.4, "rlvr": 182.9, "evaluate": 61.0},
    }


SITES = {"cart": 61, "inbox": 1204, "kanban": 58, "<todo>": 1}


def groups(drop):
    found = {}
    for number, (site, count) in enumerate(SITES.items()):
        means = {m: {"f1": level - drop + 0.04 * number} for m, level in MODELS.items()}
        gain = {"rlvr_minus_sft": estimate(0.01 * number - 0.01, 0.015)}
        found[site] = {"n": count, "models": means, "gain": gain}
    found["<todo>"]["gain"]["rlvr_minus_sft"] = {"mean": 0.5, "ci95": [None, None]}
    return found


def confusion(changed, unchanged):
    names = ("changed", "unchanged", "unreadable")
    rows = {"changed": changed, "unchanged": unchanged}
    return {truth: dict(zip(names, counts, strict=True)) for truth, counts in rows.items()}


def curves(num_sft=900, num_rlvr=140, seed=0):
    rng = np.random.default_rng(seed)
    sft, rlvr = [], []
    for step in range(num_sft):
        part = step / num_sft
        record = {
            "step": step,
            "loss": float(0.3 + 5.5 * np.exp(-9 * part) + rng.normal(scale=0.05) * (1 - part / 2)),
            "learning_rate": 3e-3 * min(1, step / 40, (1 - part) / 0.3),
            "grad_norm": float(rng.gamma(4, 0.2)),
            "tokens": 1280 * (step + 1),
            "timing": {"step_s": 0.33, "tokens_per_s": float(3900 + rng.normal(scale=150))},
        }
        if step % 100 == 99:
            record["val/f1"] = 0.65 * (1 - float(np.exp(-4 * part)))
        sft.append(record)
    for step in range(num_rlvr):
        part = step / num_rlvr
        noise = lambda scale: float(rng.normal(scale=scale))  # noqa: E731
        record = {
            "step": step,
            "reward/mean": 0.61 + 0.06 * part + noise(0.035),
            "reward/std": 0.16 - 0.04 * part + noise(0.01),
            "reward/precision": 0.62 + 0.1 * part + noise(0.03),
            "reward/recall": 0.62 + 0.0 * part + noise(0.03),
            "reward/format": 0.985 + 0.01 * part,
            "kl": 0.06 * part + abs(noise(0.004)),
            "entropy": 0.14 - 0.07 * part + noise(0.006),
            "clip_fraction": 0.02 + abs(noise(0.008)),
            "loss": noise(0.01),
            "grad_norm": 0.4 + abs(noise(0.1)),
            "learning_rate": 4e-4,
            "completion/length": 24.0 - 3 * part + noise(0.8),
            "completion/truncated": 0.0,
            "parse_failure_rate": 0.015 - 0.01 * part,
            "zero_variance_groups": 0.45 + 0.15 * part + noise(0.04),
            "timing": {"step_s": 1.3},
        }
        if step % 20 == 19:
            record["val/f1"] = 0.65 + 0.02 * part
        rlvr.append(record)
    return {"sft": sft, "rlvr": rlvr}


def facts():
    return {
        "model": {
            "architecture": "Qwen2, from scratch",
            "parameters": 893_440,
            "vocabulary": 2048,
            "layers": 4,
            "width": 128,
        },
        "data": {
            "source": "own mini-sites and MiniWoB++",
            "train_rows": 9120,
            "val_rows": 400,
            "seed": 0,
        },
        "training": {"sft_steps": 900, "rlvr_steps": 140, "group_size": 8, "prompts_per_step": 12},
        "versions": {"worldtune": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
    }


ARMS = {"sft": 0.659, "sft_longer": 0.678, "sft_threshold": 0.705, "rlvr": 0.698}
GROUPS = {"": 0.0, "_predictable": 0.15, "_hidden": -0.26}


FEW_ARMS = {"sft_few": 0.402, "sft_few_longer": 0.375, "rlvr_few": 0.47, "sft": 0.659}


def comparison_splits(levels, subject):
    splits = {}
    for split, drop in (("test_iid", 0.0), ("test_unseen", 0.3)):
        arms = {
            arm: {
                decoding: {
                    f"{metric}{suffix}": estimate(level + shift - drop - lower)
                    | {"per_seed": [level + shift - drop - lower + d for d in (-0.01, 0.0, 0.01)]}
                    for metric in ("f1", "precision", "recall", "exact")
                    for suffix, shift in GROUPS.items()
                }
                for decoding, lower in (("greedy", 0.0), ("sampled", 0.05))
            }
            for arm, level in levels.items()
        }
        gain = {
            f"{subject}_minus_{arm}": {
                "f1": estimate(levels[subject] - levels[arm], 0.009),
                "f1_predictable": estimate(-0.008, 0.01),
                "f1_hidden": estimate(0.071, 0.02),
                "precision": estimate(0.068, 0.012),
                "recall": estimate(-0.021, 0.012),
                "exact": estimate(0.001, 0.01),
            }
            for arm in levels
            if arm != subject
        }
        splits[split] = {"arms": arms, "gain": gain}
    return splits


def comparison():
    return {
        "domain": "web",
        "primary_metric": "f1",
        "higher_is_better": True,
        "seeds": [0, 1, 2],
        "n": {"test_iid": 1412, "test_unseen": 873},
        "splits": comparison_splits(ARMS, "rlvr"),
        "wall_s": {arm: [300.0, 311.5, 305.2] for arm in ARMS},
        "threshold": {"per_seed": [0.35, 0.4, 0.3]},
        "note": "Two cores, one process.",
    }


def comparison_with_few():
    few = {
        "splits": comparison_splits(FEW_ARMS, "rlvr_few"),
        "wall_s": {arm: [100.0, 101.5, 99.1] for arm in FEW_ARMS if arm != "sft"},
        "settings": {
            "rows": 400,
            "train_rows": 9120,
            "task": {"reasoning": True},
            "sft": {"steps": 300, "max_new_tokens": 320},
            "rlvr": {"steps": 240, "max_new_tokens": 320},
        },
        "note": "Each seed draws its own.",
    }
    return comparison() | {"few": few}
