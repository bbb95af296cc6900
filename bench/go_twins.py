"""Builds the Go twins with the Go that the bar is set by, from Debian's backports, and, for Gin, Debian's source tree."""
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
GIN_TREE = "/usr/share/gocode"
WANTED = "1.23"
UNPACKED = os.path.join(ROOT, "build", "tools", f"go-{WANTED}")
SHARED = "report.go"  # part of every program but the HTTP servers

_tool = None


def go_tool():
    """Go 1.23, unpacked under build/tools if that can be had; else the newest that is installed."""
    global _tool
    if _tool is None:
        unpack = [os.path.join(ROOT, "tools", "setup", "backports.sh"), UNPACKED, f"golang-{WANTED}-go", f"golang-{WANTED}-src"]
        if subprocess.run(unpack, stdout=subprocess.DEVNULL).returncode != 0:
            print(f"bench: no Go {WANTED} from the backports; using the installed one", file=sys.stderr)
        installed = sorted(glob.glob("/usr/lib/go-*/bin/go"), key=lambda path: [int(part) for part in path.split("/")[3][3:].split(".")])
        for path in [os.path.join(UNPACKED, f"usr/lib/go-{WANTED}/bin/go"), *reversed(installed), shutil.which("go")]:
            if path and os.access(path, os.X_OK):
                _tool = path
                break
        else:
            sys.exit("bench: no Go here; run tools/setup/install.sh bench")
    return _tool


def build(names, folder):
    """Binaries of bench/go/NAME.go in folder; [their paths]."""
    os.makedirs(folder, exist_ok=True)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GIN_TREE, "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    environment["GOCACHE"] = os.path.join(os.path.abspath(folder), "cache")
    paths = []
    for name in names:
        paths.append(os.path.join(os.path.abspath(folder), name))
        sources = [name + ".go"] + ([] if name.startswith("httpserver") else [SHARED])
        subprocess.run([go_tool(), "build", "-o", paths[-1], *[os.path.join(HERE, "go", source) for source in sources]],
                       check=True, env=environment)
    return paths


def versions():
    """For the table's caption: "go1.23.5, Gin 1.8.1"; says so when it is not the Go of the bar."""
    go = subprocess.run([go_tool(), "version"], capture_output=True, text=True).stdout.split()[2]
    if not go.startswith("go" + WANTED):
        go += f" (the targets are against Go {WANTED}, which could not be had)"
    gin = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "golang-github-gin-gonic-gin-dev"],
                         capture_output=True, text=True).stdout.split("-")[0]
    return go, gin
