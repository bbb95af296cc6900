"""What the checks share: the files of the repository and how a finding is reported."""
import os
import subprocess
import sys

SKIPPED_FOLDERS = {".git", "build", "var", "node_modules", "__pycache__", ".cache"}


def default_root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(root):
    """Paths of all files, relative to root: what git tracks or would track; without git, everything not built."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, check=True).stdout.decode()
        found = {name for name in listed.split("\0") if name}
    except (OSError, subprocess.CalledProcessError):
        found = set()
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
            found |= {os.path.relpath(os.path.join(folder, name), root) for name in names}
    return sorted(name for name in found if os.path.isfile(os.path.join(root, name)))


def read(root, name):
    """The text of a file, or None when it is not UTF-8 text."""
    with open(os.path.join(root, name), "rb") as f:
        data = f.read()
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def report(name, findings):
    """Prints findings ("path:line: what") and returns the exit code."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{name}: {len(findings)} finding(s)", file=sys.stderr)
        return 1
    return 0
