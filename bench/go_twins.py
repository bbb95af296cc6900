"""Builds the Go twins with Debian's Go and, for Gin, Debian's source tree; nothing is fetched."""
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GIN_TREE = "/usr/share/gocode"


def go_tool():
    for path in [*sorted(glob.glob("/usr/lib/go-*/bin/go")), shutil.which("go")]:
        if path and os.access(path, os.X_OK):
            return path
    sys.exit("bench: no Go here; run tools/setup/install.sh bench")


def build(names, folder):
    """Binaries of bench/go/NAME.go in folder; [their paths]."""
    os.makedirs(folder, exist_ok=True)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GIN_TREE, "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    environment["GOCACHE"] = os.path.join(os.path.abspath(folder), "cache")
    paths = []
    for name in names:
        paths.append(os.path.join(os.path.abspath(folder), name))
        subprocess.run([go_tool(), "build", "-o", paths[-1], os.path.join(HERE, "go", name + ".go")],
                       check=True, env=environment)
    return paths


def versions():
    """For the table's caption: "go1.19.8, Gin 1.8.1"."""
    go = subprocess.run([go_tool(), "version"], capture_output=True, text=True).stdout.split()[2]
    gin = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "golang-github-gin-gonic-gin-dev"],
                         capture_output=True, text=True).stdout.split("-")[0]
    return go, gin
