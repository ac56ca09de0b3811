"""What docs/metrics.md lists."""

from manifests import ROOT


def documented(role):
    """{name: type} of the metrics of a role."""
    lines = (ROOT / "docs/metrics.md").read_text().splitlines()
    rows = (line.strip("| ").split(" | ") for line in lines if line.startswith("| `"))
    return {row[0].strip("`"): row[1] for row in rows if role in row[5].split(", ")}


def samples():
    """The names of all samples of all roles."""
    types = documented("api") | documented("worker")
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + suffix for name, kind in types.items() for suffix in suffixes.get(kind, ("",))}
