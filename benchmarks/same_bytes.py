"""Whether two versions of the package store the very same bytes.

    python benchmarks/same_bytes.py OLD [NEW] [--demos]

OLD and NEW are checkouts, such as ``git worktree add OLD v0.1.0`` makes; NEW is this one unless
given. Both run the same pipelines over made-up volumes, each in a process of its own, and with
``--demos`` both demos. Every file that they leave is compared, but for ledgers and hashes of what
labels were made from; so are plans, tables and reports. Ends with an error if anything differs.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]

PIPELINES = '''
import sys
from pathlib import Path
import numpy as np
from distributed import Client, LocalCluster
from scipy.ndimage import gaussian_filter, label
import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

RNG = np.random.default_rng(7)
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, -3, 0), (0, 0, -3)]
PLACE = {"voxel_size": (40, 4, 4), "offset": (80, 0, 8), "unit": "nanometer"}
FUNCTION = """
from scipy.ndimage import label
default_parameters = {"level": 0.5}
def segment_function(input_array, block, level):
    return label(input_array[block.read_roi] > level)[0]
"""

def smooth(array, sigma):
    return gaussian_filter(array, (0,) * (array.ndim - 3) + (sigma,) * 3)

def objects_above(array, level):
    return label(array > level)[0]

def arrays():
    noise = smooth(RNG.random((6, 40, 44, 48)), 1.5)
    noise = (noise - noise.min()) / np.ptp(noise)
    return noise.astype(np.float32), (255 * noise[0]).astype(np.uint8)

def main():
    noise, grey = arrays()
    out = lambda name: f"out.zarr/{name}"
    texts = []
    def store(name, volume, **options):
        texts.append(f"{name}: {volume!r}\\n{volume.plan()}")
        volume.to_zarr(out(name), client=client, progress=False, **options)
        return dbw.open_volume(out(name))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, \\
            Client(cluster) as client:
        raw = store("raw", Volume.from_array(grey, chunks=(16, 16, 16), **PLACE))
        store("raw2", raw, zarr_format=2)
        aff = Volume.from_array(noise, axes="czyx", chunks=(6, 16, 16, 16), **PLACE)
        aff = store("affinities", aff)
        quant = Volume.from_array((255 * noise).astype(np.uint8), axes="czyx",
                                  chunks=(6, 16, 16, 16), **PLACE)
        for mode in "none", "reflect", "nearest", "periodic", 3.0, ("nearest", "none", 1):
            store(f"smooth {mode}", dbw.map_overlap(
                smooth, raw, halo=((3, 2), (4, 4), (1, 5)), boundary=mode, dtype=float, sigma=1),
                block_shape=(13, 20, 48))
        film = Volume.from_array(noise[:2, None], axes="tczyx", chunks=(1, 1, 16, 16, 16))
        store("film", dbw.map_overlap(smooth, film, halo=2, dtype=np.float32, sigma=0.5))
        mask = store("mask", dbw.threshold(raw, 128))
        store("classes", dbw.argmax(aff))
        import torch
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.ReLU(),
                                  torch.nn.Conv3d(4, 3, 5, padding=2))
        for name, options in {
            "same": {"activation": "tanh"},
            "sigmoid": {"activation": "sigmoid", "output_dtype": "float32"},
            "whole": {"normalize": "volume", "batch": 2, "input_shape": (24, 24, 24),
                      "activation": "softmax"},
            "valid": {"boundary": "valid", "activation": "tanh"},
            "periodic": {"boundary": "periodic", "output_dtype": "float32"},
        }.items():
            store(f"predicted {name}", dbw.predict(raw, net, **options))
        store("coarser", dbw.predict(raw, torch.nn.Conv3d(1, 2, 2, 2), activation="sigmoid"))
        pieces = dbw.segment(aff, lambda a, level: label(a[0] > level)[0], halo=4, level=0.5)
        store("pieces", pieces)
        inside = dbw.open_volume(out("raw"), stands_for=(0, 1))
        for name, fragments in {
            "mutex": dbw.watershed(aff, offsets=OFFSETS, bias=0.5, halo=6),
            "nearest": dbw.watershed(quant, offsets=OFFSETS, bias=0.5, halo=6, attract="nearest"),
            "seeds": dbw.watershed(inside, seeds="distance", halo=6, max_distance=3),
            "file": dbw.segment(raw, "function.py", halo=(4, 2, 3), level=130),
            "masked": dbw.segment(raw, lambda a, mask: label(mask)[0], mask=mask, halo=2),
            "crop": dbw.segment(raw, objects_above, halo=3, level=140,
                                roi=Roi((160, 40, 48), (800, 96, 120)), block_shape=(8, 9, 10)),
        }.items():
            for match in "iou", "fraction", "touch":
                store(f"{name} {match}", dbw.relabel(fragments, match=match, min_size=5))
        for connectivity in 1, 2, 3:
            parts = dbw.connected_components(mask, connectivity=connectivity)
            store(f"parts {connectivity}", dbw.relabel(
                parts, match="touch", connectivity=connectivity))
        values = Volume.from_array(grey // 40, chunks=(16, 16, 16), **PLACE)
        store("each value", dbw.relabel(
            dbw.connected_components(values, each_value=True), match="touch"))
        fragments = dbw.watershed(aff, offsets=OFFSETS, bias=0.6, halo=6, attract="nearest")
        for method in "mean", "mutex", "multicut":
            joined = dbw.agglomerate(fragments, aff, offsets=OFFSETS, method=method,
                                     threshold=0.45, keep_scratch=method == "mean")
            labels = store(f"joined {method}", joined)
        store("kept", dbw.relabel(out("joined mean") + ".scratch", match="iou", min_iou=0.3))
        checked = dbw.map_overlap(smooth, raw, halo=2, dtype=float, sigma=0.7)
        checked = checked.checkpoint(out("on the way"), block_shape=(20, 22, 24))
        store("after", dbw.map_overlap(np.subtract, checked, raw, dtype=float, halo=1))
        movie = Volume.from_array((noise[:3] > 0.5).astype(np.uint8), axes="tzyx",
                                  chunks=(1, 16, 16, 16))
        store("movie", dbw.relabel(dbw.connected_components(movie, halo=1), match="touch"))
        labels.objects(raw, affinities=aff, path="objects", client=client, progress=False)
        with client.as_current():
            block = Roi((0, 0, 0), (640, 64, 64))
            assert dbw.segment_blockwise(
                "function.py", (80, 8, 8), raw.roi, block, block, input_path=out("raw"),
                output_path=out("blockwise"), parameters={"level": 120})
            for name in "nearest fraction", "mutex touch":
                method = name.split()[1]
                fragments = dbw.watershed(aff if "mutex" in name else quant, offsets=OFFSETS,
                    bias=0.5, halo=6, attract="all" if "mutex" in name else "nearest")
                report = dbw.seams(dbw.relabel(fragments, match=method, min_size=5),
                                   stored=out(name), windows=6)
                texts.append(str(report))
        for lazy in (
            dbw.relabel(dbw.watershed(aff, offsets=OFFSETS, halo=6), match="fraction"),
            dbw.predict(raw, net, activation="tanh"),
            dbw.map_overlap(smooth, aff, halo=3, dtype=float, sigma=1),
        ):
            np.save(f"data-{len(texts)}.npy", lazy.data.compute(scheduler="synchronous"))
            np.save(f"crop-{len(texts)}.npy", lazy[Roi((400, 40, 48), (400, 40, 60))])
            texts.append("lazy")
    Path("texts.txt").write_text("\\n\\n".join(texts))

if __name__ == "__main__":
    Path("function.py").write_text(FUNCTION)
    main()
'''


def run(tree: Path, folder: Path, demos: bool) -> None:
    """Run the pipelines of one checkout in a folder."""
    folder.mkdir()
    (folder / "pipelines.py").write_text(PIPELINES)
    environment = os.environ | {"PYTHONPATH": str(tree)}
    commands = [["pipelines.py"]]
    if demos:
        demo = "from dask_blockwise.cli import main; main()"
        commands += [["-c", demo, "demo", "--sample", name] for name in ("mni152", "fib25")]
    for command in commands:
        subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True)


def files(folder: Path) -> dict[str, Path]:
    """All that was left, by its path, but ledgers."""
    found = (path for path in folder.rglob("*") if path.is_file())
    paths = {str(path.relative_to(folder)): path for path in found}
    return {name: path for name, path in paths.items() if ".dask_blockwise" not in name}


def content(path: Path) -> bytes:
    """What a file holds, without the hash of what kept labels were made from."""
    return re.sub(rb'"made_from": "\w+"', b"", path.read_bytes())


def main() -> None:
    """Compare two checkouts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=HERE)
    parser.add_argument("--demos", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        left = []
        for name, tree in ("old", options.old), ("new", options.new):
            run(tree.resolve(), Path(scratch) / name, options.demos)
            left.append(files(Path(scratch) / name))
        old, new = left
        differ = sorted(
            name
            for name in old.keys() | new.keys()
            if name not in old or name not in new or content(old[name]) != content(new[name])
        )
        size = sum(path.stat().st_size for path in new.values())
        print(f"{len(new)} files of {size / 1e6:.1f} MB compared, {len(differ)} differ")
        print(*differ, sep="\n")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
