"""Finds what the other scripts run."""
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def add_option(parser):
    parser.add_argument("--point", type=Path, help="binary of the bench `point`; by default the newest below target/release/deps")


def point(options, parser):
    """The binary of the bench `point`."""
    if options.point is not None:
        return options.point
    built = [path for path in (ROOT / "target/release/deps").glob("point-*") if not path.suffix]
    if not built:
        parser.error("no binary of the bench `point`: cargo bench --bench point --no-run")
    return max(built, key=lambda path: path.stat().st_mtime)
